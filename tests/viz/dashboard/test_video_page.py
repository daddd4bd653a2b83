"""The page of a video in a real browser: boxes on the frames, timeline, search, annotated videos."""

import base64
from dataclasses import replace

import av
import cv2
import numpy as np
import pytest
from viz.dashboard.browser_page import SCENE, box_of, intersection_over_union, seek

import stream_ocr
from stream_ocr.config.settings import Settings
from stream_ocr.core.geometry import expand
from stream_ocr.events.spans import build_spans
from stream_ocr.synthetic.scene import demo_scene, render, truth
from stream_ocr.testing.oracles import texts_at
from stream_ocr.viz.annotate import annotate


@pytest.fixture
def watch(browse, serve, clip):
    """Return a function that opens the dashboard of the clip and waits for its events."""

    def watch(**options):
        opened = browse(serve(clip[1], clip[0]), **options)
        opened.until("streamOcr.model.spans.length > 5 && streamOcr.screen.video.readyState >= 2")
        return opened

    return watch


@pytest.mark.parametrize("viewport", [{"width": 1440, "height": 900}, {"width": 390, "height": 844}])
def test_boxes_match_the_texts_of_the_displayed_frame(watch, clip, viewport):
    opened = watch(viewport=viewport)
    page = opened.page
    width, height = SCENE.size
    checked = 0
    for frame in range(5, 120, 20):
        time_s = SCENE.start_s + frame / 25
        seek(page, time_s)
        assert page.evaluate("streamOcr.screen.time") == pytest.approx(time_s, abs=0.002)
        for text, (x, y, w, h) in texts_at(clip[2], time_s):
            box = box_of(page, text)
            assert box is not None, f"no box of {text!r} at {time_s} s"
            true = x / width, y / height, (x + w) / width, (y + h) / height
            assert intersection_over_union(box, true) >= 0.6, (text, time_s)
            checked += 1
    assert checked >= 12


def test_texts_outside_the_frame_have_no_box(watch):
    opened = watch()
    page = opened.page
    seek(page, SCENE.start_s + 1.0)
    assert box_of(page, "Good morning")
    seek(page, SCENE.start_s + 2.0)
    assert box_of(page, "Good morning") is None
    assert box_of(page, "The train is late")


def test_click_on_timeline_seeks(watch):
    opened = watch()
    page = opened.page
    position = "streamOcr.timeline.positionOf(streamOcr.model.spans.find(s => s.text === 'The train is late'))"
    opened.until(position)
    x, y = page.evaluate(position)
    page.mouse.click(x, y)
    opened.until("!streamOcr.screen.video.seeking && streamOcr.screen.time > 0")
    assert page.evaluate("streamOcr.screen.time") == pytest.approx(SCENE.start_s + 2.0, abs=0.002)
    assert page.locator("#detail p").inner_text() == "The train is late"
    assert "0:04.00 – 0:06.40" in page.locator("#detail").inner_text()


def test_timeline_zooms(watch):
    opened = watch()
    page = opened.page
    whole = page.evaluate("streamOcr.timeline.range")
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Zoom in").click()
    near = page.evaluate("streamOcr.timeline.range")
    assert near[1] - near[0] == pytest.approx((whole[1] - whole[0]) / 4)
    page.get_by_role("button", name="all").click()
    assert page.evaluate("streamOcr.timeline.range") == whole


def test_search_finds_and_seeks(watch):
    opened = watch()
    page = opened.page
    page.keyboard.press("/")
    page.keyboard.type("plat")
    page.wait_for_selector("#results li")
    assert page.locator("#results li").count() == 1
    assert page.locator("#found").inner_text() == "1 text"
    opened.until("document.querySelector('#results img').naturalWidth > 40")
    page.locator("#results button").click()
    opened.until(f"Math.abs(streamOcr.screen.time - {SCENE.start_s + 0.8}) < 0.05")
    page.locator("#query").fill("nowhere to be found")
    opened.until("document.querySelector('#found').textContent.startsWith('No text')")


def test_keyboard_shortcuts(watch):
    opened = watch()
    page = opened.page
    page.locator("#timeline").focus()
    page.keyboard.press("End")
    opened.until("streamOcr.screen.time > 6")
    page.keyboard.press("Home")
    opened.until("streamOcr.screen.time < 3")
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate("document.querySelector('#detail p').textContent") == "Good morning"
    page.keyboard.press("f")
    assert page.evaluate("document.activeElement.id") == "filter"
    page.keyboard.type("platform")
    opened.until("document.querySelector('#count').textContent === '2'")
    page.locator("#timeline").focus()
    page.keyboard.press(" ")
    opened.until("!streamOcr.screen.video.paused && streamOcr.screen.video.currentTime > 2.9")
    page.keyboard.press(" ")
    opened.until("streamOcr.screen.video.paused")
    before = page.evaluate("document.documentElement.dataset.theme ?? 'light'")
    page.keyboard.press("d")
    assert page.evaluate("document.documentElement.dataset.theme") != before


def test_page_sends_no_requests_to_other_hosts(watch):
    opened = watch()
    opened.page.keyboard.press("/")
    opened.page.keyboard.type("plat")
    opened.page.wait_for_selector("#results li")
    origin = opened.page.evaluate("location.origin")
    assert len(opened.requests) > 10
    assert [url for url in opened.requests if not url.startswith(f"{origin}/")] == []


def test_page_fits_a_phone(watch):
    opened = watch(viewport={"width": 360, "height": 740})
    page = opened.page
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator("video").bounding_box()["width"] > 300


def displayed_frame(page) -> np.ndarray:
    """Return the frame of the video as the browser shows it, (H, W, 3) uint8 RGB."""
    url = page.evaluate(
        """() => {
            const { video } = streamOcr.screen;
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
            canvas.getContext("2d").drawImage(video, 0, 0);
            return canvas.toDataURL("image/png");
        }"""
    )
    packed = np.frombuffer(base64.b64decode(url.partition(",")[2]), np.uint8)
    return cv2.cvtColor(cv2.imdecode(packed, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def bounding_box_of(quad: np.ndarray) -> tuple[float, ...]:
    return (*quad.min(axis=0), *quad.max(axis=0))


def share_of_outline(changed: np.ndarray, quad: np.ndarray) -> float:
    """Return the share of the sides of a quad that lies on changed pixels."""
    ends = zip(quad, np.roll(quad, -1, axis=0), strict=True)
    points = np.concatenate([np.linspace(a, b, 50) for a, b in ends]).round().astype(int)
    return float(changed[points[:, 1], points[:, 0]].mean())


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_annotated_demo_has_boxes_on_its_texts(browse, serve, log, tmp_path):
    """Read twelve seconds with the built-in models and check every 25th frame that Chromium shows.

    Each true text has a box with an IoU of 0.6 or more, and the pixels contain the outline of that box.
    """
    scene = replace(demo_scene(), duration_s=12.0)
    video, annotated = tmp_path / "demo.mp4", tmp_path / "annotated.mp4"
    render(scene, video)
    with av.open(str(video)) as decoded:  # not as drawn: the codec blurs coloured letters as much as a line is thick
        every = {n: frame.to_ndarray(format="rgb24") for n, frame in enumerate(decoded.decode(video=0)) if n % 25 == 0}
    settings = Settings.load(None, ["models=builtin"])
    events = list(stream_ocr.read(video, settings=settings))
    annotate(video, events, annotated, settings)

    opened = browse(serve(log.path, annotated))
    page = opened.page
    opened.until("streamOcr.screen.video.readyState >= 2")
    page.evaluate("streamOcr.screen.video.play()")
    opened.until("streamOcr.screen.video.currentTime > 0.3")
    page.evaluate("streamOcr.screen.video.pause()")
    true, read, checked = truth(scene), build_spans(events), 0
    for frame, plain in every.items():
        time_s = frame / 25
        seek(page, time_s)
        shown = displayed_frame(page)[: scene.size[1]].astype(int)
        changed = np.abs(shown - plain).sum(axis=2) > 60
        quads = [np.array(span.polygon_at(time_s)) for span in read if span.start <= time_s + 1e-6 < span.end]
        for text, (x, y, width, height) in texts_at(true, time_s):
            place = x, y, x + width, y + height
            quad = max(quads, key=lambda each: intersection_over_union(bounding_box_of(each), place))
            assert intersection_over_union(bounding_box_of(quad), place) >= 0.6, (text, time_s, quad, place)
            assert share_of_outline(changed, quad) > 0.6, (text, time_s)
            assert share_of_outline(changed, expand(quad, -0.15)) < 0.4, (text, time_s)
            checked += 1
    assert checked == 31
