"""Texts of a day over HTTP: as described, in pages, as CSV, and what is refused."""

import csv
import io
import json
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import urlencode

import jsonschema
import pytest
from viz.dashboard.day_events import DAY, DayEvents, at
from viz.dashboard.served_buffer import Served

from stream_ocr.testing import published_event
from stream_ocr.viz.thresholds import DASHBOARD

WHOLE = {"since": DAY.isoformat(), "until": (DAY + timedelta(days=1)).isoformat()}
FORMULAS = ['=HYPERLINK("http://evil")', "+1", "-1", "@SUM(A1)", "\t=1", "＝1", 'plain, with "quotes"\nand lines']


def get(address, path, **parameters):
    """Return status, content type and body."""
    try:
        with urllib.request.urlopen(f"{address}{path}?{urlencode(parameters)}", timeout=30) as response:
            return response.status, response.headers["content-type"], response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["content-type"], error.read().decode()


def described(address, path, **parameters):
    """Return an answer that is as the server describes it."""
    status, media_type, body = get(address, path, **parameters)
    assert (status, media_type) == (200, "application/json")
    document = json.loads(get(address, "api/openapi.json")[2])
    schema = document["paths"][f"/{path}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(json.loads(body), {**schema, "components": document["components"]})
    return json.loads(body)


@pytest.fixture
def made():
    return DayEvents()


@pytest.fixture
def address(serve, log, tmp_path, made):
    """Return a function that serves the events made so far from a store."""
    return lambda: serve(log.path, store=made.write_store(tmp_path / "events.db"))


def test_answers_are_as_described(address, made):
    made.show("GATE 4", at(9), crop=True)
    made.show("EXIT", at(10), None, stream="yard")
    here = address()
    page = described(here, "api/texts", **WHOLE)
    assert [text["text"] for text in page["texts"]] == ["GATE 4", "EXIT"]
    assert page["texts"][0]["start_utc"] == "2026-03-10T09:00:00Z"
    assert [text["text"] for text in described(here, "api/texts", **WHOLE, stream="yard")["texts"]] == ["EXIT"]
    hours = described(here, "api/texts/hours", **WHOLE)
    assert (hours["hours"], hours["streams"]) == ([[9, 1], [10, 1]], ["gate", "yard"])
    crop = urlencode({"stream": "gate", "seq": page["texts"][0]["crop_seq"]})
    with urllib.request.urlopen(f"{here}api/crop?{crop}", timeout=10) as response:
        assert response.headers["content-type"] == "image/webp"


def texts_at(address, **parameters):
    found = described(address, "api/texts/at", **parameters)
    return {stream: [text["text"] for text in texts] for stream, texts in found.items()}


def test_texts_at_a_time_are_those_on_the_screen_then(address, made):
    made.show("GATE 4", at(9), 5.0)
    made.show("EXIT", at(9, 0, 2), None, stream="yard")
    here = address()
    both = {"gate": ["GATE 4"], "yard": ["EXIT"]}
    assert texts_at(here, time=at(9, 0, 1).isoformat()) == {"gate": ["GATE 4"]}
    assert texts_at(here, time=at(9, 0, 3).isoformat()) == both
    assert texts_at(here, time=at(10, 0, 3).astimezone(timezone(timedelta(hours=1))).isoformat()) == {"yard": ["EXIT"]}
    assert texts_at(here, time=at(9, 0, 3).isoformat(), stream="gate") == {"gate": ["GATE 4"]}
    assert texts_at(here, time=at(8).isoformat()) == texts_at(here, time=at(9, 0, 3).isoformat(), stream="\0") == {}


def test_without_a_store_there_are_no_texts_at_a_time():
    served = Served()
    try:
        status, _, body = get(f"http://{served.host}/", "api/texts/at", time=at(9).isoformat())
        assert (status, body) == (404, "There is no store of past texts; set store.path.\n")
    finally:
        served.end()


def test_without_a_store_the_texts_are_those_of_the_buffer():
    served = Served()
    try:
        now = datetime.now(UTC)
        old = published_event(0, "OLD", emitted_utc=now - timedelta(days=2))
        served.add(old, published_event(1, "NOW", track=2), published_event(2, "NOW", track=2, kind="ended", end=3.0))
        page = described(f"http://{served.host}/", "api/texts")
        assert [text["text"] for text in page["texts"]] == ["NOW"], "of the last 24 hours"
        assert sum(number for _, number in described(f"http://{served.host}/", "api/texts/hours")["hours"]) == 1
    finally:
        served.end()


def test_csv_has_all_texts_and_no_formulas(address, made):
    for n, text in enumerate(FORMULAS):
        made.show(text, at(1, n), stream="=gate" if n == 0 else "gate")
    for n in range(DASHBOARD.day_texts + 5):
        made.show(f"TEXT {n}", at(2, 0, n), 2.5)
    made.show("STAYS", at(5), None)
    here = address()
    status, media_type, body = get(here, "api/texts.csv", **WHOLE)
    assert (status, media_type) == (200, "text/csv; charset=utf-8")
    header, *rows = csv.reader(io.StringIO(body, newline=""))
    assert header == ["stream", "track", "start_utc", "end_utc", "duration_s", "text", "confidence"]
    assert len(rows) == len(FORMULAS) + DASHBOARD.day_texts + 6
    for row, text in zip(rows, FORMULAS, strict=False):
        assert row[5] == (text if text.startswith("plain") else f"'{text}")
    assert rows[0][0] == "'=gate"
    assert rows[len(FORMULAS)][2:5] == ["2026-03-10T02:00:00.000+00:00", "2026-03-10T02:00:02.500+00:00", "2.5"]
    assert rows[-1][2:6] == ["2026-03-10T05:00:00.000+00:00", "", "", "STAYS"]
    assert len(list(csv.reader(io.StringIO(get(here, "api/texts.csv", **WHOLE, q="stays")[2])))) == 2


@pytest.mark.parametrize(
    "parameters",
    [
        {"since": "yesterday"},
        {"since": "2026-03-10T00:00:00"},
        {"until": "0001-01-01T00:00:00+14:00"},
        {"until": "9999-12-31T23:59:59-14:00"},
        {"after": "-5"},
        {"after": "9" * 40},
        {"after": "²"},
    ],
)
@pytest.mark.parametrize("path", ["api/texts", "api/texts/hours", "api/texts.csv"])
def test_wrong_parameters_are_refused_in_one_sentence(address, made, path, parameters):
    made.show("GATE 4", at(9))
    status, media_type, body = get(address(), path, **parameters)
    assert (status, media_type) == (400, "text/plain; charset=utf-8")
    assert body.count("\n") == 1


@pytest.mark.parametrize(
    "parameters", [{}, {"time": "noon"}, {"time": "2026-03-10T12:00:00"}, {"time": "9999-12-31T23:00:00Z"}]
)
def test_wrong_time_is_refused_in_one_sentence(address, made, parameters):
    made.show("GATE 4", at(9))
    status, _, body = get(address(), "api/texts/at", **parameters)
    assert (status, body.count("\n")) == (400, 1)


def test_what_strangers_send_is_answered(address, made):
    made.show("GATE 4", at(9))
    here = address()
    reversed_span = {"since": WHOLE["until"], "until": WHOLE["since"]}
    assert described(here, "api/texts", **reversed_span) == {"texts": [], "next": None}
    assert described(here, "api/texts", **WHOLE, q="\0" * 9000, stream="\0\ud7ff")["texts"] == []
    assert described(here, "api/texts", **WHOLE, after="9" * 15)["texts"] == []
    assert (
        described(here, "api/texts/hours", since="1970-01-01T00:00:00Z", until="8999-01-01T00:00:00Z")["next"] is None
    )


def test_store_that_is_gone_is_one_sentence(address, made, tmp_path):
    made.show("GATE 4", at(9))
    here = address()
    (tmp_path / "events.db").unlink()
    for path in ("api/texts", "api/texts/hours", "api/texts.csv", "api/texts/at"):
        status, _, body = get(here, path, **WHOLE, time=at(9).isoformat())
        assert (status, body[:17]) == (503, "There is no store")


def test_crop_of_the_first_event_that_has_one(address, made):
    made.show("WITHOUT", at(8))
    made.show("WITH", at(9), crop=True)
    here = address()
    many = "&".join(f"seq={seq}" for seq in (3, 1, 2, 0))
    with urllib.request.urlopen(f"{here}api/crop?stream=gate&{many}", timeout=10) as response:
        assert response.headers["content-type"] == "image/webp"
    beyond = "&".join(["seq=0"] * DASHBOARD.max_crop_events + ["seq=2"])
    for path in (f"stream=gate&{beyond}", "stream=gate&seq=2&seq=x", "stream=gate"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{here}api/crop?{path}", timeout=10)
