from stream_ocr.events.spans import Span
from stream_ocr.sinks.cues import joined_cues, separate_cues


def span(text, start, end, x=0.0, y=0.0, track=1) -> Span:
    quad = ((x, y), (x + 100, y), (x + 100, y + 20), (x, y + 20))
    return Span("a", track, text, 0.9, start, end, quad, quad)


def cues(spans):
    return [(cue.start, cue.end, cue.text) for cue in joined_cues(spans)]


def test_joined_cues_order_lines_from_top_to_bottom():
    assert cues([span("below", 1.0, 3.0, y=40), span("above", 1.0, 3.0, y=10)]) == [(1.0, 3.0, "above\nbelow")]


def test_joined_cues_put_texts_side_by_side_on_one_line():
    assert cues([span("right", 1.0, 3.0, x=300, y=12), span("left", 1.0, 3.0, y=10)]) == [(1.0, 3.0, "left  right")]


def test_joined_cues_never_overlap():
    title, subtitle = span("title", 0.0, 5.0), span("subtitle", 2.0, 3.0, y=100)
    assert cues([title, subtitle]) == [(0.0, 2.0, "title"), (2.0, 3.0, "title\nsubtitle"), (3.0, 5.0, "title")]


def test_joined_cues_snap_times_a_frame_apart():
    assert cues([span("one", 1.0, 3.0), span("two", 1.04, 2.96, y=40)]) == [(1.0, 2.96, "one\ntwo")]


def test_joined_cues_merge_the_same_text_shown_again_at_once():
    assert cues([span("same", 1.0, 2.0), span("same", 2.04, 3.0, track=2)]) == [(1.0, 3.0, "same")]


def test_joined_cues_keep_gaps():
    assert cues([span("one", 1.0, 2.0), span("two", 3.0, 4.0)]) == [(1.0, 2.0, "one"), (3.0, 4.0, "two")]


def test_separate_cues_yield_one_cue_per_text():
    found = [(cue.start, cue.text) for cue in separate_cues([span("b", 2.0, 3.0), span("a", 1.0, 5.0)])]
    assert found == [(1.0, "a"), (2.0, "b")]
