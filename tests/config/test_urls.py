"""Redaction of passwords in camera addresses."""

import base64
import traceback

import pytest
from pydantic import BaseModel

from stream_ocr.config.urls import REVEAL, Scrubber, SourceUrl

TEXT = "rtsp://operator:s3cr%40t!@10.0.0.7:554/stream/1?token=abcdef12&channel=4"


class Holder(BaseModel):
    url: SourceUrl


def test_source_url_is_printed_without_secrets():
    url = SourceUrl(TEXT)
    assert str(url) == "rtsp://***@10.0.0.7:554/stream/1?***"
    assert f"{url}" == str(url)
    assert repr(url) == "SourceUrl('rtsp://***@10.0.0.7:554/stream/1?***')"
    assert url.reveal() == TEXT
    assert (url.scheme, url.host) == ("rtsp", "10.0.0.7:554")


def test_source_url_without_secrets_is_printed_unchanged():
    assert str(SourceUrl("http://camera.local/live.m3u8")) == "http://camera.local/live.m3u8"
    assert SourceUrl("http://camera.local/live.m3u8").secrets == frozenset()


def test_dump_is_redacted_except_with_the_reveal_context():
    holder = Holder(url=TEXT)
    for written in (repr(holder), holder.model_dump_json(), str(holder.model_dump())):
        assert "s3cr" not in written
    assert Holder.model_validate(holder.model_dump(mode="json", context=REVEAL)) == holder
    with pytest.raises(ValueError, match="enter it again"):
        Holder.model_validate(holder.model_dump(mode="json"))


def test_password_with_a_slash_is_refused_and_not_shown():
    for text in ("rtsp://operator:12/s3cr3t@10.0.0.7/live", "rtsp://operator:pa/s3cr3t@10.0.0.7/live"):
        with pytest.raises(ValueError, match="as %40, %2F and %23") as caught:
            SourceUrl(text)
        assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("pair", ["operator:s3cr@t!", "operator:s3cr%40t!"])
def test_scrubber_finds_secrets_in_every_spelling(pair):
    scrub = Scrubber.for_urls([SourceUrl(TEXT), SourceUrl("rtsp://plain/1")])
    sent = base64.b64encode(pair.encode()).decode()
    sentences = [
        f"401 Unauthorized: {TEXT}",
        "Did you mean file:rtsp://operator:s3cr%40t%21@10.0.0.7?",
        "password s3cr@t! refused",
        f"Authorization: Basic {sent}",
        f"Authorization: Basic {sent.rstrip('=')}",
        "retrying with ?token=abcdef12",
    ]
    for sentence in sentences:
        scrubbed = scrub(sentence)
        assert "***" in scrubbed
        assert not any(secret in scrubbed for secret in ("s3cr", "abcdef12", sent.rstrip("=")))
    assert scrub("channel 4 of 10.0.0.7 is down") == "channel 4 of 10.0.0.7 is down"


def test_scrubber_ignores_short_passwords_outside_of_addresses():
    scrub = Scrubber.for_urls([SourceUrl("rtsp://a:on@camera/1")])
    assert scrub("no connection to rtsp://a:on@camera/1") == "no connection to rtsp://***@camera/1"


@pytest.mark.parametrize(
    "text",
    ["s3cr3t", "file:///etc/passwd", "rtsp://", "rtsp://u:s3cr3t#@h/1", "rtsp://u:s3cr3t/x@h/1", "concat:s3cr3t|b"],
)
def test_invalid_address_is_rejected_without_repeating_it(text):
    with pytest.raises(ValueError, match="address") as caught:
        SourceUrl(text)
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("address", "shown", "has_login"),
    [
        ("rtsp://10.0.0.7:554/ch/1?channel=1&subtype=0", "rtsp://10.0.0.7:554/ch/1?channel=1&subtype=0", False),
        ("rtsp://admin:s3cr3t@[::1]:554/1?a=b", "rtsp://[::1]:554/1?a=b", True),
        ("rtsp://admin@10.0.0.7/1", "rtsp://10.0.0.7/1", True),
        ("rtsp://10.0.0.7/1?user=a&Password=s3cr3t&x=1", "rtsp://10.0.0.7/1?user=a&Password=***&x=1", True),
        ("rtsp://10.0.0.7/user=a_password=s3cr3t_x/1", "rtsp://10.0.0.7/user=a_password=***/1", True),
    ],
)
def test_address_without_login_can_be_shown(address, shown, has_login):
    url = SourceUrl(address)
    assert (url.without_login(), url.has_login) == (shown, has_login)
