"""Passwords of addresses are seen by nobody."""

import base64
import traceback

import pytest
from pydantic import BaseModel

from stream_ocr.config.urls import REVEAL, Scrubber, SourceUrl

TEXT = "rtsp://operator:s3cr%40t!@10.0.0.7:554/stream/1?token=abcdef12&channel=4"


class Holder(BaseModel):
    url: SourceUrl


def test_an_address_shows_itself_without_its_secrets():
    url = SourceUrl(TEXT)
    assert str(url) == "rtsp://***@10.0.0.7:554/stream/1?***"
    assert f"{url}" == str(url)
    assert repr(url) == "SourceUrl('rtsp://***@10.0.0.7:554/stream/1?***')"
    assert url.reveal() == TEXT
    assert (url.scheme, url.host) == ("rtsp", "10.0.0.7:554")


def test_an_address_without_secrets_is_shown_whole():
    assert str(SourceUrl("http://camera.local/live.m3u8")) == "http://camera.local/live.m3u8"
    assert SourceUrl("http://camera.local/live.m3u8").secrets == frozenset()


def test_a_dump_is_redacted_unless_it_is_for_a_worker():
    holder = Holder(url=TEXT)
    for written in (repr(holder), holder.model_dump_json(), str(holder.model_dump())):
        assert "s3cr" not in written
    assert Holder.model_validate(holder.model_dump(mode="json", context=REVEAL)) == holder
    with pytest.raises(ValueError, match="put it in again"):
        Holder.model_validate(holder.model_dump(mode="json"))


@pytest.mark.parametrize("pair", ["operator:s3cr@t!", "operator:s3cr%40t!"])
def test_secrets_are_found_however_they_are_written(pair):
    scrub = Scrubber.of([SourceUrl(TEXT), SourceUrl("rtsp://plain/1")])
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


def test_a_short_password_does_not_eat_the_letters_of_other_words():
    scrub = Scrubber.of([SourceUrl("rtsp://a:on@camera/1")])
    assert scrub("no connection to rtsp://a:on@camera/1") == "no connection to rtsp://***@camera/1"


@pytest.mark.parametrize(
    "text",
    ["s3cr3t", "file:///etc/passwd", "rtsp://", "rtsp://u:s3cr3t#@h/1", "rtsp://u:s3cr3t/x@h/1", "concat:s3cr3t|b"],
)
def test_what_is_no_address_is_refused_without_being_said(text):
    with pytest.raises(ValueError, match="address") as caught:
        SourceUrl(text)
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))
