"""Helpers for tests of pages in a browser: a scene, hostile texts, and what the page shows."""

from stream_ocr.synthetic.scene import Scene, Text, clock, linear_path

HOSTILE = {
    "script": "<script>document.title='owned'</script>",
    "image": '"><img src=x onerror="document.title=\'owned\'">',
    "bidi": "invoice\u202egnp.exe",
    "long": "W" * 10_000,
    "control": "a\x00b\x1b[2J\n\tc",
    "wide": "漢字" * 500,
}


SCENE = Scene(
    (
        Text("Good morning", 0.4, 2.0, (320, 300), "middle", height=28),
        Text("The train is late", 2.0, 4.4, (320, 300), "middle", height=28),
        Text(clock("12:34:56"), 0.0, 5.0, (470, 24), height=28, outline=None, panel=(20, 20, 28)),
        Text("PLATFORM", 0.8, 4.6, linear_path(0.8, (40, 180), 4.6, (420, 120)), height=30, panel=(28, 52, 110)),
    ),
    duration_s=5.0,
    size=(640, 360),
    start_s=2.0,  # a file whose first frame is not at 0
)


def seek(page, seconds: float) -> None:
    """Show the frame at a time and wait until its boxes are drawn."""
    page.evaluate(
        """seconds => new Promise(done => {
            const { screen } = streamOcr;
            const next = requestAnimationFrame;
            const shown = () => Math.abs(screen.time - seconds) < 0.02 ? next(() => next(done)) : next(shown);
            screen.video.requestVideoFrameCallback(shown);  // may be called for the previous frame
            screen.seek(seconds);
        })""",
        seconds,
    )


def box_of(page, text: str):
    """Return (left, top, right, bottom) of the outline of a text as shares of the video's size, or None."""
    return page.evaluate(
        """text => {
            const named = group => group.querySelector("text").textContent === text;
            const group = [...document.querySelectorAll("#boxes g")].find(named);
            if (!group) return null;
            const video = document.querySelector("video").getBoundingClientRect();
            const box = group.querySelector("polygon").getBoundingClientRect();
            return [(box.left - video.left) / video.width, (box.top - video.top) / video.height,
                    (box.right - video.left) / video.width, (box.bottom - video.top) / video.height];
        }""",
        text,
    )


def intersection_over_union(a, b) -> float:
    (left, top, right, bottom), (x0, y0, x1, y1) = a, b
    both = max(min(right, x1) - max(left, x0), 0) * max(min(bottom, y1) - max(top, y0), 0)
    return both / ((right - left) * (bottom - top) + (x1 - x0) * (y1 - y0) - both)


def rows(page) -> list[str]:
    return page.locator("#list li:not([hidden]) button > .read").all_inner_texts()


def many_events(log):
    """Yield 5,000 events of 16 cameras within ten minutes."""
    for n in range(2500):
        camera, track = f"camera {n % 16:02}", n // 16
        start = n * 0.24
        fields = {"stream": camera, "track": track, "box": (20 + 30 * (track % 9), 20 + 31 * (track % 9), 200, 24)}
        yield log.text("appeared", f"text {n} of {camera}", start, **fields)
        yield log.text("ended", f"text {n} of {camera}", start, end=start + 5, **fields)
