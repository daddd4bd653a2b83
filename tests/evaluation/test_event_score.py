"""The scorer follows its own rules and agrees with the reference program."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from evaluation.texts import event, visible

from stream_ocr.evaluation.event_score import score
from stream_ocr.evaluation.truth import parse_truth
from stream_ocr.evaluation.words import split_words
from stream_ocr.events import TextEvent
from stream_ocr.synthetic.scene import demo_scene, truth

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "tools" / "score_events.py"


def truth_document(*texts: tuple[str, float, float], **more: object) -> dict:
    segments = [{"text": t, "start_s": a, "end_s": b, "box": [100, 100, 200, 30]} for t, a, b in texts]
    return {"video": "v", "width": 640, "height": 360, "duration_s": 10.0, "segments": segments, **more}


def test_split_words_strips_case_and_punctuation() -> None:
    assert split_words(" “Hello,” WORLD -- 12:01 x! ") == ["hello", "world", "12:01", "x"]


def test_score_of_correct_events_is_one() -> None:
    scored = score(parse_truth(truth_document(("Gate 7 open", 1, 4))), visible(1, "gate 7 OPEN", 1.0, 4.0))
    assert (scored.f1, scored.cer, scored.duplicates) == (1.0, 0.0, 0.0)
    assert scored.start_errors_ms == scored.end_errors_ms == (0.0, 0.0, 0.0)


def test_score_does_not_punish_split_lines() -> None:
    events = visible(1, "Gate", 1, 4, x=100) + visible(2, "7", 1, 4, x=150)
    assert score(parse_truth(truth_document(("Gate 7", 1, 4))), events).f1 == 1.0


def test_score_counts_a_text_reported_twice_as_a_duplicate() -> None:
    events = visible(1, "Gate", 1, 3.5) + visible(2, "Gate", 3.5, 4)
    scored = score(parse_truth(truth_document(("Gate", 1, 4))), events)
    assert (scored.paired, scored.duplicates, scored.precision) == (1, 1.0, 0.5)
    assert scored.end_errors_ms == (500.0,)


@pytest.mark.parametrize(
    "wrong",
    [
        visible(1, "Date", 1, 4),  # another word
        visible(1, "Gate", 1, 2),  # half of the time
        visible(1, "Gate", 1, 4, x=400),  # another place
    ],
)
def test_score_counts_a_wrong_text_as_missed_and_extra(wrong: list[TextEvent]) -> None:
    scored = score(parse_truth(truth_document(("Gate", 1, 4))), wrong)
    assert (scored.f1, scored.paired, len(scored.missed), len(scored.extra)) == (0, 0, 1, 1)


def test_score_takes_a_changed_event_as_end_and_start() -> None:
    events = [event("appeared", 1, "12:01", 1), event("changed", 1, "12:02", 2), event("ended", 1, "12:02", 2, 3)]
    scored = score(parse_truth(truth_document(("12:01", 1, 2), ("12:02", 2, 3))), events)
    assert (scored.f1, scored.duplicates) == (1.0, 0.0)


def test_score_takes_the_updated_reading() -> None:
    events = [event("appeared", 1, "Gute", 1), event("updated", 1, "Gate", 1), event("ended", 1, "Gate", 1, 4)]
    assert score(parse_truth(truth_document(("Gate", 1, 4))), events).f1 == 1.0


def test_score_extends_open_texts_to_the_end_of_the_video() -> None:
    scored = score(parse_truth(truth_document(("Gate", 6, 10))), [event("appeared", 1, "Gate", 6)])
    assert (scored.f1, scored.end_errors_ms) == (1.0, (0.0,))


def test_score_excuses_hard_texts_and_ignored_places() -> None:
    document = truth_document(("Gate", 1, 4), ignore=[{"box": [100, 100, 200, 30], "start_s": 5, "end_s": 9}])
    document["segments"].append({"text": "tiny", "start_s": 1, "end_s": 4, "box": [400, 100, 200, 30], "hard": True})
    events = visible(1, "Gate", 1, 4) + visible(2, "0815", 6, 7) + visible(3, "tinv", 1, 4, x=400)
    scored = score(parse_truth(document), events)
    assert (scored.f1, scored.true_words, scored.predicted_words) == (1.0, 1, 1)


def test_score_accepts_alternative_readings() -> None:
    document = truth_document(("No 5", 1, 4))
    document["segments"][0]["alt"] = ["N° 5", "Nr 5"]
    assert score(parse_truth(document), visible(1, "Nr 5", 1, 4)).f1 == 1.0


def test_score_follows_moving_text() -> None:
    document = truth_document()
    rows = [[1, 0, 100, 100, 30], [4, 300, 100, 100, 30]]
    document["segments"] = [{"text": "Go", "start_s": 1, "end_s": 4, "boxes": rows}]
    first, last = event("appeared", 1, "Go", 1, x=-50), event("ended", 1, "Go", 1, 4, x=250)
    assert score(parse_truth(document), [first, last]).f1 == 1.0
    assert score(parse_truth(document), visible(1, "Go", 1, 4, x=-50)).f1 == 0.0


def test_score_of_no_text_and_no_events_is_one() -> None:
    assert score(parse_truth(truth_document()), []).f1 == 1.0
    assert score(parse_truth(truth_document()), visible(1, "Brick", 1, 4)).f1 == 0.0


@pytest.mark.skipif(not REFERENCE.exists(), reason="no ../shared/tools/score_events.py")
def test_metrics_equal_those_of_the_reference_program(tmp_path: Path) -> None:
    document = truth(demo_scene(), "demo.mp4")
    events = []
    for track, segment in enumerate(document["segments"]):
        if track % 7 == 0:
            continue
        text = segment["text"] if track % 5 else segment["text"].replace("o", "0")
        x, y, width, height = segment.get("box") or segment["boxes"][0][1:]
        end = segment["end_s"] + 0.04 * (track % 3)
        for kind, until in (("appeared", None), ("ended", end)):
            corners = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
            events.append(
                TextEvent(
                    id=f"{track}{kind}", seq=0, kind=kind, stream="s", track=track, text=text, confidence=1.0,
                    start=segment["start_s"] - 0.02 * (track % 2), end=until, polygon=corners, size=(1280, 720),
                )
            )  # fmt: skip
    (tmp_path / "truth.json").write_text(json.dumps(document))
    (tmp_path / "events.jsonl").write_bytes(b"".join(event.to_json() + b"\n" for event in events))
    command = [sys.executable, str(REFERENCE), str(tmp_path / "truth.json"), str(tmp_path / "events.jsonl"), "--json"]
    expected = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert score(parse_truth(document), events).metrics() == expected
    assert 0 < expected["f1"] < 1
