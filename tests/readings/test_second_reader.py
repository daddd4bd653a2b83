"""Second reader: which crops are read twice, which reading wins, and what both see."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from stream_ocr.config.settings import Settings
from stream_ocr.models.recognition.charset import DEFAULT
from stream_ocr.models.recognition.ctc import NO_TEXT, Decoded, DecodeFn, make_decoded
from stream_ocr.readings.second_reader import Crop, Readers, trimmed
from stream_ocr.readings.voting import Voting
from stream_ocr.training.language_model import train

SETTINGS = Settings.load(overrides=["recognition.temperature=1.4"])
CROP = Crop(np.zeros((46, 200), np.uint8), 0.28)


class Fixed:
    """A recogniser that reads every crop alike, and remembers their shapes and decoders."""

    charset = DEFAULT

    def __init__(self, text: str, confidence: float) -> None:
        self.reading = make_decoded(text, [confidence] * len(text)) if text else NO_TEXT
        self.shapes: list[tuple[int, ...]] = []
        self.decoders: list[DecodeFn | None] = []

    def read(self, crops: Sequence[np.ndarray], decode: DecodeFn | None = None) -> list[Decoded]:
        self.shapes += [crop.shape for crop in crops]
        self.decoders.append(decode)
        return [self.reading for _ in crops]


def read(first: Fixed, second: Fixed | None, settings: Settings = SETTINGS, stream: str = "") -> tuple[Decoded, int]:
    """Return the result of the votes for one crop, and the number of crops that were read twice."""
    load = None if second is None else lambda: second
    readers = Readers(first, settings, first_margin=0.04, load_second=load)
    (votes,), read_twice = readers.read([CROP], stream)
    voting = Voting()
    voting.add(votes, 20.0)
    return voting.best, read_twice


def test_readers_read_a_sure_text_once() -> None:
    second = Fixed("GATE 5", 1.0)
    assert read(Fixed("GATE 4", 0.999), second) == (Fixed("GATE 4", 0.999).reading, 0)
    assert second.shapes == []


@pytest.mark.parametrize(("confidence", "winner"), [(0.6, "GATE 4"), (0.9, "GATE 5")])
def test_readers_take_the_surer_reading_of_an_unsure_text(confidence: float, winner: str) -> None:
    reading, read_twice = read(Fixed("GATE 4", 0.8), Fixed("GATE 5", confidence))
    assert (reading.text, read_twice) == (winner, 1)


def test_read_once_returns_the_surest_reading() -> None:
    readers = Readers(Fixed("GATE 4", 0.8), SETTINGS, load_second=lambda: Fixed("GATE 5", 0.9))
    assert [reading.text for reading in readers.read_once([CROP, CROP])] == ["GATE 5", "GATE 5"]


def test_readers_return_one_vote_each_and_one_if_they_agree() -> None:
    readers = Readers(Fixed("GATE 4", 0.8), SETTINGS, load_second=lambda: Fixed("GATE 5", 0.9))
    (votes,), _ = readers.read([CROP])
    assert [vote.reading.text for vote in votes] == ["GATE 4", "GATE 5"]
    assert votes[0].certainty < votes[1].certainty
    readers = Readers(Fixed("GATE 4", 0.8), SETTINGS, load_second=lambda: Fixed("GATE4", 0.9))
    (votes,), _ = readers.read([CROP])
    assert [vote.reading.text for vote in votes] == ["GATE 4"]


def test_readers_take_what_only_the_second_can_read() -> None:
    assert read(Fixed("", 0.0), Fixed("中文", 0.7))[0].text == "中文"


def test_readers_ignore_an_empty_second_reading() -> None:
    assert read(Fixed("GATE", 0.3), Fixed("", 0.0))[0].text == "GATE"


def test_readers_that_agree_keep_the_spaces_of_the_first_and_the_higher_confidence() -> None:
    reading, _ = read(Fixed("NEWS WITH", 0.8), Fixed("NEWSWITH", 0.97))
    assert reading.text == "NEWS WITH"
    assert reading.char_confidences[4] == pytest.approx(0.8), "nobody else has seen the space"
    assert reading.char_confidences[0] == pytest.approx(0.97, abs=1e-6)


def test_readers_trim_the_crop_for_the_first_only() -> None:
    first, second = Fixed("A", 0.5), Fixed("A", 0.5)
    read(first, second)
    assert first.shapes == [(32, 186)]
    assert second.shapes == [CROP.pixels.shape]


def test_second_reader_follows_the_pattern_of_a_source() -> None:
    settings = Settings.load(
        overrides=["recognition.temperature=1.4", "sources.gate.path=gate.mp4", "sources.gate.pattern='[A-Z]+'"]
    )
    first, second = Fixed("A", 0.5), Fixed("A", 0.5)
    read(first, second, settings, stream="gate")
    assert None not in (first.decoders[0], second.decoders[0])
    read(first, second, settings, stream="another")
    assert (first.decoders[1], second.decoders[1]) == (None, None)


def test_readers_keep_unsure_texts_without_a_second_reader() -> None:
    assert read(Fixed("GATE 4", 0.5), None) == (Fixed("GATE 4", 0.5).reading, 0)


def test_second_reader_is_loaded_once_and_only_when_needed() -> None:
    loaded: list[Fixed] = []

    def load() -> Fixed:
        loaded.append(Fixed("B", 0.9))
        return loaded[-1]

    readers = Readers(Fixed("A", 0.999), SETTINGS, load_second=load)
    readers.read([CROP])
    assert loaded == []
    readers = Readers(Fixed("A", 0.5), SETTINGS, load_second=load)
    readers.read([CROP])
    readers.read([CROP])
    assert len(loaded) == 1


def test_trimmed_leaves_crops_alone_that_have_no_surplus() -> None:
    assert trimmed(CROP, 0.28) is CROP.pixels
    assert trimmed(CROP, None) is CROP.pixels
    assert trimmed(Crop(CROP.pixels, 0.0), 0.04) is CROP.pixels, "a ticker message has no margin"


def certainties(first: str, second: str, stream: str = "") -> list[float]:
    """Return the certainty of each vote where the first reader has 0.8 and the second 0.82 for every character."""
    settings = Settings.load(
        overrides=["recognition.temperature=1.4", "sources.gate.path=gate.mp4", "sources.gate.pattern='[A-Z]+'"]
    )
    model = train(Counter({"street": 50.0, "station": 20.0}))
    readers = Readers(Fixed(first, 0.8), settings, load_second=lambda: Fixed(second, 0.82), language_model=model)
    (votes,), _ = readers.read([CROP], stream)
    return [vote.certainty for vote in votes]


def test_readers_that_differ_follow_the_language_model() -> None:
    first, second = certainties("STREET", "STRFET")
    assert first > second, "a word"
    first, second = certainties("STRFET", "STREET")
    assert second > 2 * first


@pytest.mark.parametrize(("one", "other", "stream"), [("GATE 4", "GATE 5", ""), ("STREET", "STRFET", "gate")])
def test_language_model_leaves_codes_and_patterns_to_the_readers(one: str, other: str, stream: str) -> None:
    first, second = certainties(one, other, stream)
    assert first < second < 2 * first
