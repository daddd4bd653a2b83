"""The editor of areas in a real browser: mouse, touch and keyboard, conflicts, accessibility, and a real run."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from viz.dashboard.served_buffer import Served

from stream_ocr.config.loading import ENV_PREFIX
from stream_ocr.config.settings import Settings
from stream_ocr.service.area_editor import AreaEditor
from stream_ocr.synthetic.scene import Scene, Text, render
from stream_ocr.viz.thumbnails import encode_jpeg

TEXT = """\
# the site
sources:
  gate:  # main
    path: /dev/null
    regions:
      - [[0.1, 0.1], [0.4, 0.1], [0.4, 0.4]]  # left
  yard: {path: /dev/zero}
"""
CAMERA = {"state": "up", "reason": None, "fps": 25.0, "age_s": 0.1, "dropped": 0, "lead_s": 0.0, "positions": []}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "live.yaml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def served(file: Path) -> Iterator[str]:
    """Serve the page of two cameras that show a grey picture, and of a run that reads each change at once."""
    picture = encode_jpeg(np.full((360, 640, 3), 90, np.uint8))
    editor = AreaEditor(file, [])

    def preview(path: str, _query: Any) -> tuple[str, bytes]:
        if path == "/picture":
            return "image/jpeg", picture
        status = file.stat()
        cameras = {name: CAMERA | {"frame_number": 1, "positions_s": 1.0} for name in ("gate", "yard")}
        settings = {"version": f"{status.st_mtime_ns}-{status.st_ino}", "mistake": None}
        return "application/json", json.dumps({"cameras": cameras, "stages": {}, "settings": settings}).encode()

    with ExitStack() as stack:
        server = Served(editor=editor, preview=preview)
        stack.callback(server.end)
        yield f"http://{server.host}/"


def open_editor(opened: Any, camera: str | None = None) -> Any:
    page = opened.page
    opened.until("document.querySelectorAll('.tile').length > 0")
    if camera:
        page.locator(".tile button", has_text=camera).click()
    page.get_by_role("button", name="Edit areas").click()
    opened.until("document.querySelector('#areas').open && document.querySelector('#areas .status').textContent === ''")
    opened.until("document.querySelector('#areas img').naturalWidth > 0")
    return page


def at(page: Any, x: float, y: float) -> tuple[float, float]:
    """Return the place on the screen of a place in the picture, as fractions."""
    box = page.locator("#areas .canvas").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def drag(page: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*at(page, *start))
    page.mouse.down()
    page.mouse.move(*at(page, *[(a + b) / 2 for a, b in zip(start, end, strict=True)]))
    page.mouse.move(*at(page, *end))
    page.mouse.up()


def save(opened: Any) -> None:
    opened.page.get_by_role("button", name="Save").click()
    opened.until("document.querySelector('#areas .status').textContent.includes('used by the run since')", within_s=40)


def areas(file: Path, camera: str = "gate") -> Any:
    return Settings.load(file).sources[camera]


def near(polygon: Any, expected: Any) -> bool:
    return len(polygon) == len(expected) and bool(np.abs(np.array(polygon) - expected).max() < 0.01)


def test_shapes_are_drawn_changed_and_saved_with_the_mouse(browse, served, file):
    opened = browse(served)
    page = open_editor(opened, "gate")
    assert page.locator("#areas .camera").input_value() == "gate"
    assert page.locator("#areas .shapes polygon").count() == 1
    # A rectangle as a mask, a polygon as a field.
    page.get_by_role("button", name="Draw rectangle").click()
    drag(page, (0.6, 0.2), (0.9, 0.5))
    page.get_by_label("Kind of area 2").select_option("mask")
    page.get_by_role("button", name="Draw polygon").click()
    for corner in ((0.5, 0.6), (0.8, 0.6), (0.8, 0.9), (0.5, 0.9), (0.5, 0.6)):
        page.mouse.click(*at(page, *corner))
    page.get_by_label("Kind of area 3").select_option("field")
    page.get_by_role("button", name="Save").click()
    assert page.locator("#areas .status").inner_text() == "A field needs a name."
    page.get_by_label("Name of area 3").fill("home_score")
    page.get_by_label("Pattern of area 3").fill(r"\d{1,2}")
    # The region that was there: moved as a whole, then one point, then a point more between two others.
    page.get_by_role("button", name="Area 1", exact=True).click()
    drag(page, (0.35, 0.2), (0.4, 0.25))
    drag(page, (0.45, 0.45), (0.5, 0.5))
    drag(page, (0.475, 0.325), (0.55, 0.3))
    save(opened)
    gate = areas(file)
    assert near(gate.regions[0], [(0.15, 0.15), (0.45, 0.15), (0.55, 0.3), (0.5, 0.5)])
    assert near(gate.masks[0], [(0.6, 0.2), (0.9, 0.2), (0.9, 0.5), (0.6, 0.5)])
    field = gate.fields["home_score"]
    assert near(field.region, [(0.5, 0.6), (0.8, 0.6), (0.8, 0.9), (0.5, 0.9)])
    assert field.pattern == r"\d{1,2}"
    text = file.read_text()
    for kept in ("# the site\n", "gate:  # main\n", "]]  # left\n", "  yard: {path: /dev/zero}\n"):
        assert kept in text
    # Points and areas are removed; the camera is chosen in the dialog.
    page.locator("#areas .points .point").nth(2).click()
    page.get_by_role("button", name="Remove point").click()
    page.get_by_role("button", name="Delete area 2").click()
    save(opened)
    assert near(areas(file).regions[0], [(0.15, 0.15), (0.45, 0.15), (0.5, 0.5)])
    assert areas(file).masks == ()
    page.locator("#areas .camera").select_option("yard")
    assert page.locator("#areas .shapes polygon").count() == 0


def test_cancel_discards_and_escape_does_not(browse, served, file):
    opened = browse(served)
    page = open_editor(opened, "gate")
    page.get_by_role("button", name="Draw rectangle").click()
    page.keyboard.press("Escape")
    assert page.evaluate("streamOcr.areas.canvas.tool") is None
    page.get_by_role("button", name="Delete area 1").click()
    page.keyboard.press("Escape")
    assert "press Save, or Cancel" in page.locator("#areas .status").inner_text()
    page.get_by_role("button", name="Cancel").click()
    assert not page.evaluate("document.querySelector('#areas').open")
    assert file.read_text() == TEXT
    open_editor(opened)
    assert page.locator("#areas .shapes polygon").count() == 1


def test_all_of_it_works_with_the_keyboard(browse, served, file):
    opened = browse(served)
    page = open_editor(opened)
    press = page.keyboard.press
    page.get_by_role("button", name="Draw rectangle").focus()
    press("Enter")
    first = page.evaluate("document.activeElement.ariaLabel")
    assert first == "Point 1: 30.0 % from the left, 30.0 % from the top"
    for key in ("ArrowLeft", "ArrowUp", "Shift+ArrowRight"):
        press(key)
    assert page.evaluate("document.activeElement.ariaLabel") == "Point 1: 29.1 % from the left, 29.0 % from the top"
    press("Tab")
    press("Enter")  # a point between the first and the second
    assert page.evaluate("document.activeElement.ariaLabel").startswith("Point 2: 49.5 %")
    press("Tab")
    press("Tab")
    press("Delete")
    save(opened)
    assert areas(file).regions[1] == ((0.291, 0.29), (0.4955, 0.295), (0.7, 0.7), (0.3, 0.7))


def test_touch_draws_and_moves(browse, served, file):
    opened = browse(served, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = open_editor(opened)
    page.get_by_role("button", name="Draw rectangle").tap()
    session = page.context.new_cdp_session(page)

    def swipe(start: tuple[float, float], end: tuple[float, float]) -> None:
        for kind, place in (("touchStart", start), ("touchMove", end), ("touchEnd", None)):
            points = [] if place is None else [dict(zip("xy", at(page, *place), strict=True))]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    swipe((0.5, 0.5), (0.9, 0.9))
    swipe((0.9, 0.9), (0.8, 0.8))
    save(opened)
    x, y = areas(file).regions[1][2]
    assert abs(x - 0.8) < 0.02
    assert abs(y - 0.8) < 0.02
    assert page.evaluate("document.querySelector('#areas').scrollWidth <= document.querySelector('#areas').clientWidth")


def test_conflicts_and_mistakes_are_shown_and_nothing_is_lost(browse, served, file):
    opened = browse(served)
    page = open_editor(opened, "gate")
    page.get_by_role("button", name="Delete area 1").click()
    page.get_by_role("button", name="Draw rectangle").click()
    drag(page, (0.2, 0.2), (0.8, 0.8))
    file.write_text(f"{TEXT}# edited by hand\n")
    page.get_by_role("button", name="Save").click()
    opened.until("document.querySelector('#areas .status').textContent.includes('live.yaml has changed')")
    assert page.locator("#areas .shapes polygon").count() == 1
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_timeout(50)
    open_editor(opened)
    page.get_by_label("Kind of area 1").select_option("field")
    page.get_by_label("Name of area 1").fill("score")
    page.get_by_label("Pattern of area 1").fill("(")
    page.get_by_role("button", name="Save").click()
    opened.until("document.querySelector('#areas .status').textContent.includes('not a valid regular expression')")
    assert file.read_text() == f"{TEXT}# edited by hand\n"


def test_what_cannot_be_changed_says_why(browse, served, file):
    file.chmod(0o444)
    opened = browse(served)
    opened.until("document.querySelectorAll('.tile').length > 0")
    opened.page.get_by_role("button", name="Edit areas").click()
    opened.until("document.querySelector('#areas .status').textContent.includes('is read-only')")
    assert opened.page.get_by_role("button", name="Draw rectangle").is_disabled()
    assert opened.page.get_by_role("button", name="Save").is_disabled()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_editor_has_no_serious_axe_violations(browse, served, axe, scheme):
    opened = browse(served, color_scheme=scheme, bypass_csp=True)  # axe injects a script into the page
    page = open_editor(opened, "gate")
    page.get_by_role("button", name="Draw polygon").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Kind of area 2").select_option("field")
    assert axe(page) == []


def test_page_without_an_editor_shows_none(browse, serve, log):
    log.add(log.text("appeared", "GATE 4", 1.0))
    opened = browse(serve(log.path))
    opened.until("document.querySelectorAll('.tile').length === 1")
    assert opened.page.locator("#edit-areas").is_hidden()


SCENE = Scene(
    (
        Text("PLATFORM 4", 0.0, 180.0, (60, 60), height=44, panel=(28, 52, 110)),
        Text("NIGHT TRAIN", 0.0, 180.0, (60, 220), height=44, panel=(28, 52, 110)),
    ),
    duration_s=180.0,
    size=(640, 360),
    fps=3,
    background="static",
)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., tuple[str, Path]]]:
    """Return a function that starts ``stream-ocr run --dashboard``, and returns the page and the settings file."""
    processes = []

    def run(config: str) -> tuple[str, Path]:
        path = tmp_path / "live.yaml"
        path.write_text(config)
        process = subprocess.Popen(
            [sys.executable, "-m", "stream_ocr.cli", "run", str(path), "--plain", "--dashboard"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)},
        )
        processes.append(process)
        assert process.stderr is not None
        output = ""
        for line in process.stderr:
            output += line
            if line.endswith("shows the dashboard\n"):
                return line.split()[0], path
        raise AssertionError(output)

    yield run
    for process in processes:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=40)


def texts_now(address: str) -> set[str]:
    with urllib.request.urlopen(f"{address}api/texts/now", timeout=10) as response:
        return {text["text"] for texts in json.load(response).values() for text in texts}


def wait_for(address: str, texts: set[str], within_s: float) -> None:
    end = time.monotonic() + within_s
    while texts_now(address) != texts:
        assert time.monotonic() < end, texts_now(address)
        time.sleep(0.2)


@pytest.mark.slow
def test_region_that_is_drawn_decides_what_a_run_reports(run, browse, tmp_path):
    render(SCENE, tmp_path / "platform.mp4")
    config = (
        "# the station\nmodels: builtin   # fast\nsources:\n  # above the stairs\n"
        f"  platform: {{path: {tmp_path}/platform.mp4}}   # platform 4\n"
        f"events: {{min_characters: 3}}\nservice: {{listen: null}}\ndashboard:\n  port: 0\n  edit: true   # trusted\n"
    )
    address, file = run(config)
    wait_for(address, {"PLATFORM 4", "NIGHT TRAIN"}, within_s=90)
    opened = browse(address)
    page = open_editor(opened, "platform")
    page.get_by_role("button", name="Draw rectangle").click()
    drag(page, (0.02, 0.05), (0.98, 0.45))
    save(opened)
    wait_for(address, {"PLATFORM 4"}, within_s=60)
    page.wait_for_timeout(4000)  # another text would have been read by now
    assert texts_now(address) == {"PLATFORM 4"}
    before, _, after = config.partition(".mp4")
    text = file.read_text()
    assert text.startswith(f"{before}.mp4, regions: [[[0.0")
    assert text.endswith(f"]]]{after}")
    page.get_by_role("button", name="Delete area 1").click()
    save(opened)
    assert file.read_text() == config
    wait_for(address, {"PLATFORM 4", "NIGHT TRAIN"}, within_s=60)


@pytest.mark.slow
def test_run_without_the_setting_has_no_editor(run, browse, tmp_path):
    render(SCENE, tmp_path / "platform.mp4")
    address, _ = run(
        f"models: builtin\nsources: {{platform: {{path: {tmp_path}/platform.mp4}}}}\n"
        "service: {listen: null}\ndashboard: {port: 0}\n"
    )
    opened = browse(address)
    opened.until("document.querySelectorAll('.tile').length === 1", within_s=60)
    assert opened.page.locator("#edit-areas").is_hidden()
    assert opened.page.evaluate("fetch('api/areas').then(response => response.status)") == 403
