"""Film without text, read with our own networks: there is nothing to tell."""

from stream_ocr import read
from stream_ocr.config.settings import Settings
from stream_ocr.synthetic import footage
from stream_ocr.synthetic.backgrounds import texture
from stream_ocr.synthetic.scene import render

OWN = ("models=builtin", "device=cpu", "threads=1")
WORLDS = (texture, footage.bricks, footage.grille, footage.foliage, footage.stripes, footage.houses)


def test_bricks_bars_leaves_stripes_and_windows_are_not_text(sheet, codec, tmp_path) -> None:
    path = tmp_path / ("scene.webm" if codec == "libvpx-vp9" else "scene.mp4")
    render(sheet.scene(duration_s=3.0, background=footage.film(shot_s=0.5, worlds=WORLDS), seed=8), path, codec=codec)
    assert [event.text for event in read(path, Settings.load(overrides=OWN))] == []
