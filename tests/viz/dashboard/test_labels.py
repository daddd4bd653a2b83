"""Labels in the picture cover no other text and no other label."""

import itertools
import json

import numpy as np
import pytest

from stream_ocr.viz.thumbnails import encode_jpeg

BLOCK = [("DEPARTURES", (40, 60, 260, 34)), ("LONDON EUSTON", (40, 98, 300, 34)), ("PLATFORM 12", (40, 136, 270, 34))]
LAYOUTS = {
    "lines of a paragraph": BLOCK,
    "at the top": [(text, (x, y - 58, w, h)) for text, (x, y, w, h) in BLOCK],
    "at the bottom": [(text, (x, y + 186, w, h)) for text, (x, y, w, h) in BLOCK],
    "columns": [(f"GATE {n}", (20 + 120 * (n % 5), 60 + 70 * (n // 5), 100, 40)) for n in range(15)],
    "at the right": [("EXIT", (560, 20, 78, 40)), ("A LONG LINE OF TEXT", (300, 64, 338, 40))],
}
PICTURE = """() => {
    const frame = document.querySelector(".tile .frame").getBoundingClientRect();
    const edges = box => [box.left - frame.left, box.top - frame.top, box.right - frame.left, box.bottom - frame.top];
    return [[0, 0, frame.width, frame.height], [...document.querySelectorAll(".tile g")].map(group =>
        ["polygon", "text"].map(name => edges(group.querySelector(name).getBoundingClientRect())))];
}"""


def covers(a: list[float], b: list[float]) -> float:
    """Return the share of b that a covers."""
    width, height = (min(a[n + 2], b[n + 2]) - max(a[n], b[n]) for n in (0, 1))
    return max(width, 0) * max(height, 0) / ((b[2] - b[0]) * (b[3] - b[1]))


def preview(path, _query):
    """Return a dark picture, or the status of one camera."""
    if path == "/picture":
        return "image/jpeg", encode_jpeg(np.full((360, 640, 3), 40, np.uint8))
    camera = {"state": "up", "reason": None, "fps": 25.0, "age_s": 0.1, "dropped": 0, "lead_s": 0.0}
    camera |= {"frame_number": 1, "positions": [], "positions_s": 1.0}
    return "application/json", json.dumps({"cameras": {"gate": camera}, "stages": {}}).encode()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_labels_cover_no_other_text_and_no_other_label(browse, serve, log, layout):
    texts = LAYOUTS[layout]
    log.add(*(log.text("appeared", text, 1.0, track=n, box=box) for n, (text, box) in enumerate(texts)))
    opened = browse(serve(log.path, preview=preview))
    opened.until("document.querySelector('.tile img').naturalWidth === 640")
    opened.until(f"document.querySelectorAll('.tile g').length === {len(texts)}")
    opened.page.wait_for_timeout(300)
    frame, groups = opened.page.evaluate(PICTURE)
    assert all(label[2] > label[0] for _, label in groups), "every text has its label"
    for (_, label), (other, other_label) in itertools.permutations(groups, 2):
        assert covers(other, label) < 0.1
        assert covers(other_label, label) < 0.1
    assert all(covers(frame, label) > 0.95 for _, label in groups)
