"""Film without text, read with our own networks: there is nothing to tell."""

from stream_ocr import read
from stream_ocr.settings import Settings
from stream_ocr.sources import scenery
from stream_ocr.sources.backdrop import texture
from stream_ocr.sources.synthetic import render

OWN = ("models=own", "device=cpu", "threads=1")
WORLDS = (texture, scenery.bricks, scenery.grille, scenery.foliage, scenery.stripes, scenery.houses)


def test_bricks_bars_leaves_stripes_and_windows_are_not_text(sheet, codec, tmp_path) -> None:
    path = tmp_path / ("scene.webm" if codec == "libvpx-vp9" else "scene.mp4")
    render(sheet.scene(duration_s=3.0, background=scenery.film(shot_s=0.5, worlds=WORLDS), seed=8), path, codec=codec)
    assert [event.text for event in read(path, Settings.load(overrides=OWN))] == []
