"""Events over HTTP, for programs that speak nothing else."""

import json
import urllib.error
import urllib.request
from typing import Any

import jsonschema
import pytest
from viz.dashboard.served_buffer import Served

from stream_ocr.testing import text_event
from stream_ocr.viz.thresholds import DASHBOARD


@pytest.fixture
def served():
    served = Served()
    yield served
    served.end()


def get(served: Served, path: str, **headers: str) -> Any:
    request = urllib.request.Request(f"http://{served.host}{path}", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        assert response.headers["content-type"] == "application/json"
        return json.load(response)


def check_answer(served: Served, path: str, answer: Any) -> None:
    """Check an answer against the description that the server gives of itself."""
    document = get(served, "/api/openapi.json")
    schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(answer, {**schema, "components": document["components"]})


def test_events_continue_at_the_position_of_the_last_answer(served):
    count = DASHBOARD.batch_events + 10
    served.add(*(text_event(seq) for seq in range(count)))
    first = get(served, "/api/events.json")
    assert [event["seq"] for event in first["events"]] == list(range(DASHBOARD.batch_events))
    second = get(served, f"/api/events.json?after={first['next']}")
    assert [event["seq"] for event in second["events"]] == list(range(DASHBOARD.batch_events, count))
    assert (first["restart"], second["restart"]) == (True, False)
    third = get(served, f"/api/events.json?after={second['next']}")
    assert third == {"next": second["next"], "restart": False, "events": []}
    for answer in (first, second, third):
        check_answer(served, "/api/events.json", answer)


def test_events_begin_again_after_a_restart(served):
    served.add(text_event(0), text_event(1))
    position = get(served, "/api/events.json")["next"]
    served.buffer.restart()
    served.add(text_event(7))
    answer = get(served, f"/api/events.json?after={position}")
    assert (answer["restart"], [event["seq"] for event in answer["events"]]) == (True, [7])


def test_texts_now_are_those_on_the_screen(served):
    served.add(
        text_event(0, track=0, text="GATE 4", stream="gate"),
        text_event(1, track=1, text="CLOSED", stream="gate"),
        text_event(2, track=0, text="GATE 4", stream="gate", kind="ended", end=5.0),
        text_event(0, track=0, text="YARD", stream="yard"),
    )
    answer = get(served, "/api/texts/now")
    assert {stream: [text["text"] for text in texts] for stream, texts in answer.items()} == {
        "gate": ["CLOSED"],
        "yard": ["YARD"],
    }
    assert get(served, "/api/texts/now?stream=yard").keys() == {"yard"}
    check_answer(served, "/api/texts/now", answer)


def test_fields_are_as_described(served):
    served.show("3", "home")
    check_answer(served, "/api/fields", get(served, "/api/fields"))


def test_description_names_only_what_there_is(served):
    document = get(served, "/api/openapi.json")
    assert document["openapi"] == "3.1.0"
    for path, described in document["paths"].items():
        responses = described["get"]["responses"]
        (media_type,) = responses["200"]["content"]
        address = f"http://{served.host}{path}?q=gate&time=2026-03-10T09:00:00Z"
        if path == "/api/texts/at":  # there is no store
            assert "404" in responses
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(address, timeout=10)
            continue
        with urllib.request.urlopen(address, timeout=10) as response:
            assert response.headers["content-type"].partition(";")[0] == media_type


def test_programs_send_the_token_as_bearer():
    served = Served(token="secret")
    try:
        assert get(served, "/api/texts/now", Authorization="Bearer secret") == {}
        for value in ("Bearer wrong", "secret", "Basic secret", "Bearer"):
            with pytest.raises(urllib.error.HTTPError, match="401"):
                get(served, "/api/texts/now", Authorization=value)
    finally:
        served.end()
