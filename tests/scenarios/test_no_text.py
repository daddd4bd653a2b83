"""Film without text, read with the built-in models, yields no events."""

from stream_ocr import read
from stream_ocr.config.settings import Settings
from stream_ocr.synthetic import footage
from stream_ocr.synthetic.backgrounds import texture
from stream_ocr.synthetic.scene import render

BUILTIN = ("models=builtin", "device=cpu", "threads=1")
TEXTURES = (texture, footage.bricks, footage.grille, footage.foliage, footage.stripes, footage.houses)


def test_bricks_bars_leaves_stripes_and_windows_are_not_text(builder, codec, tmp_path) -> None:
    path = tmp_path / ("scene.webm" if codec == "libvpx-vp9" else "scene.mp4")
    render(
        builder.scene(duration_s=3.0, background=footage.film(shot_s=0.5, textures=TEXTURES), seed=8), path, codec=codec
    )
    assert [event.text for event in read(path, Settings.load(overrides=BUILTIN))] == []
