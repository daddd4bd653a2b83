from itertools import count

import pytest
from msgspec import structs

from stream_ocr.config.settings import Settings
from stream_ocr.core.messages import Readings, Stamp
from stream_ocr.errors import SettingsError
from stream_ocr.readings.corrections import Corrections
from stream_ocr.readings.event_builder import EventBuilder
from stream_ocr.testing import reading


def corrections(*overrides: str) -> Corrections:
    return Corrections(Settings.load(overrides=overrides).events)


@pytest.mark.parametrize(
    ("replacement", "text", "corrected"),
    [
        (r"{regex: '(?<=\d)O', text: '0'}", "1O3", "103"),
        (r"{regex: '(\w+) GOAL', text: '\1 scores'}", "HOME GOAL", "HOME scores"),
        (r"{regex: '^\[.*?\]', text: ''}", "[music] Hello", "Hello"),
        (r"{regex: '$', text: '!'}", "Hello", "Hello!"),
        (r"{regex: 'z', text: ''}", "Hello", "Hello"),
    ],
)
def test_replacements_change_the_text_and_keep_a_confidence_for_each_character(replacement, text, corrected):
    sure = tuple(0.9 for _ in text)
    found, confidences = corrections(f"events.replacements=[{replacement}]").correct(text, sure)
    assert found == corrected
    assert confidences == (0.9,) * len(corrected)


def test_replaced_characters_are_as_sure_as_the_least_sure_of_those_before():
    both = "events.replacements=[{regex: 'rn', text: 'm'}, {regex: 'ma', text: 'Ma'}]"
    assert corrections(both).correct("rnap", (0.9, 0.6, 0.8, 0.7)) == ("Map", (0.6, 0.6, 0.7))


def test_ignore_matches_whole_texts():
    ignoring = corrections("events.ignore=['LIVE', 'CH \\d+']")
    assert [ignoring.ignores(text) for text in ("LIVE", "CH 12", "LIVE NOW", "")] == [True, True, False, False]


def test_a_text_that_takes_too_long_stays_as_it_is(caplog):
    slow = r"(?:(?=(a+))\1?a?)*?(?:a|aa|a?a)+(?:a|aa)+$(?<!a)b"
    hostile = "a" * 2000 + "c"
    slow_settings = f"events.replacements=[{{regex: '{slow}', text: ''}}]"
    assert corrections(slow_settings).correct(hostile, (0.9,) * len(hostile))[0] == hostile
    assert not corrections(f"events.ignore=['{slow}']").ignores(hostile)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("events.replacements=[{regex: '(', text: ''}]", "not a valid regular expression"),
        (r"events.replacements=[{regex: 'a', text: '\2'}]", "cannot replace 'a'"),
        ("events.ignore=['a{99999999}']", "repetitions"),
    ],
)
def test_wrong_corrections_are_reported(override, sentence):
    with pytest.raises(SettingsError, match=sentence):
        Settings.load(overrides=[override])


def texts_of(settings: Settings, *texts: str) -> list[tuple[str, str]]:
    builder = EventBuilder(settings, count().__next__)
    events = []
    for seq, text in enumerate((*texts, texts[-1])):
        state = reading(text, revision=min(seq, len(texts) - 1), start_s=min(seq, len(texts) - 1) / 25)
        state = state if seq < len(texts) else structs.replace(state, end_s=(seq + 1) / 25)
        stamp = Stamp("gate", 0, seq, seq, (1, 25), 1, 0)
        events += [(event.kind, event.text) for event, _ in builder.update(Readings(stamp, (640, 360), (state,)))]
    return events


def test_event_builder_reports_corrected_texts():
    settings = Settings.load(
        overrides=["events.replacements=[{regex: 'GATF', text: 'GATE'}]", "events.ignore=['LIVE']"]
    )
    assert texts_of(settings, "GATF 4", "GATE 4") == [("appeared", "GATE 4"), ("ended", "GATE 4")]
    assert texts_of(settings, "LIVE") == []


def test_sources_have_their_own_limits_and_corrections():
    gate = "{path: a.mp4, min_characters: 5, ignore: [], replacements: [{regex: GATE, text: DOOR}]}"
    settings = Settings.load(overrides=[f"sources.gate={gate}", "events.min_characters=3", "events.ignore=['HELLO']"])
    assert texts_of(settings.for_stream("gate"), "GATE 4") == [("appeared", "DOOR 4"), ("ended", "DOOR 4")]
    assert texts_of(settings.for_stream("gate"), "EXIT") == []
    assert texts_of(settings.for_stream("gate"), "HELLO") != []
    assert texts_of(settings.for_stream("other"), "HELLO") == []
    assert texts_of(settings.for_stream("other"), "EXIT") != []
