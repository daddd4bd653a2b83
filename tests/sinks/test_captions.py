from dataclasses import replace

from stream_ocr.events.spans import Span
from stream_ocr.sinks.captions import caption_cues, caption_spans

WIDTH, HEIGHT = 640, 360
LOWER, UPPER = 320, 290  # tops of the lines of a subtitle


def line(text, start, end, y=LOWER, *, x=None, height=24, overlay=False, confidence=0.9) -> Span:
    """Return a text that is centred unless its left end is given."""
    width = 10.0 * len(text)
    left = (WIDTH - width) / 2 if x is None else x
    quad = ((left, y), (left + width, y), (left + width, y + height), (left, y + height))
    return Span("a", 1, text, confidence, start, end, quad, quad, overlay, (WIDTH, HEIGHT))


def texts(*spans):
    return sorted(span.text for span in caption_spans(spans))


def cues(*spans):
    return [(cue.start, cue.end, cue.text) for cue in caption_cues(spans)]


def test_captions_are_the_centred_lines_that_keep_changing():
    subtitles = [line("One", 0, 2), line("Two", 2, 4), line("and more", 2, 4, UPPER), line("Three", 5, 7)]
    others = [
        line("EXIT", 0, 7, 100, x=40),
        line("NEWS 24", 0, 7, 20, x=520, overlay=True),
        line("A TITLE", 3, 5, 150, height=60),
        line("12:31", 0, 1, x=20),
        line("Station", 0, 6, 200),
        line("42", 0, 2),
    ]
    assert texts(*subtitles, *others) == sorted(span.text for span in subtitles)


def test_captions_may_stand_anywhere():
    assert texts(line("One", 0, 2, 30), line("Two", 2, 4, 30), line("EXIT", 0, 4, 200, x=30)) == ["One", "Two"]


def test_captions_that_move_up_for_some_time_are_found():
    low = [line(f"low {n}", n, n + 1) for n in range(6)]
    high = [line(f"high {n}", n, n + 1, 30) for n in range(6, 10)]
    title = line("Title", 6, 10, 180)
    assert texts(*low, *high, title) == sorted(span.text for span in (*low, *high))


def test_a_single_caption_is_found_only_in_the_lower_part():
    assert texts(line("One", 0, 2)) == ["One"]
    assert texts(line("Sign", 0, 2, 100)) == []
    assert texts(line("Sign", 0, 30)) == []
    assert texts() == []


def test_texts_that_move_are_no_captions():
    boards = [line("BANK", 0, 2), line("CAR", 2, 4)]
    moved = [replace(board, last_polygon=tuple((x + 60, y) for x, y in board.last_polygon)) for board in boards]
    assert texts(*boards) == ["BANK", "CAR"]
    assert texts(*moved) == []


def test_lines_of_a_paragraph_that_are_aligned_at_the_left_belong_together():
    paragraph = [line("a long line of it", 0, 4, 290, x=235), line("short", 0, 4, 320, x=235)]
    assert texts(*paragraph, line("beside", 0, 4, 290, x=20)) == ["a long line of it", "short"]


def test_two_lines_are_one_cue_in_reading_order():
    assert cues(line("below", 1.0, 3.0), line("above", 1.04, 2.96, UPPER)) == [(1.0, 3.0, "above\nbelow")]


def test_a_short_gap_between_two_cues_is_kept():
    assert cues(line("One", 1.0, 2.0), line("Two", 2.08, 3.0)) == [(1.0, 2.0, "One"), (2.08, 3.0, "Two")]


def test_a_line_that_flickers_is_one_cue_with_the_surer_text():
    parts = line("Hello the re", 1.0, 2.0, confidence=0.6), line("Hello there", 2.2, 3.0)
    assert cues(*parts) == [(1.0, 3.0, "Hello there")]


def test_the_same_text_after_a_pause_is_another_cue():
    assert len(cues(line("No!", 1.0, 2.0), line("No!", 2.5, 3.0))) == 2


def test_a_line_that_is_found_later_or_lost_earlier_makes_no_fragment():
    assert cues(line("above", 1.0, 4.0, UPPER), line("below", 1.3, 4.0)) == [(1.0, 4.0, "above\nbelow")]
    assert cues(line("above", 1.0, 4.0, UPPER), line("below", 1.0, 3.6)) == [(1.0, 4.0, "above\nbelow")]


def test_a_line_that_outlasts_its_successor_makes_no_fragment():
    assert cues(line("One", 1.0, 2.08), line("Two", 2.0, 3.0)) == [(1.0, 2.0, "One"), (2.0, 3.0, "Two")]


def test_a_dialogue_that_grows_line_by_line_stays_as_it_was_shown():
    shown = cues(line("- Who is it?", 1.0, 4.0, UPPER), line("- Me.", 2.5, 4.0))
    assert shown == [(1.0, 2.5, "- Who is it?"), (2.5, 4.0, "- Who is it?\n- Me.")]
