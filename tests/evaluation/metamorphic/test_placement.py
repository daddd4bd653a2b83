import pytest

from stream_ocr.evaluation.metamorphic import placement

SIZE = (641, 361)
BOX = (2.0, 100.0, 50.0, 40.0, 20.0)


@pytest.mark.parametrize(
    ("place", "size", "box"),
    [
        (placement.unchanged, (640, 360), (100, 50, 40, 20)),
        (placement.pad(64), (768, 488), (164, 114, 40, 20)),
        (placement.crop(4), (632, 352), (96, 46, 40, 20)),
        (placement.letterbox, (640, 480), (100, 110, 40, 20)),
        (placement.shift(1), (640, 360), (101, 51, 40, 20)),
        (placement.scale(2.0), (1282, 722), (200, 100, 80, 40)),
    ],
)
def test_place_gives_an_even_size_and_maps_boxes(place, size, box) -> None:
    placed = place(SIZE)
    assert placed.size == size
    assert placed.keyframe(BOX) == (2.0, *box)


def test_scale_maps_boxes_by_the_rounded_size() -> None:
    placed = placement.scale(0.75)((854, 480))
    assert placed.size == (640, 360)
    assert placed.keyframe((0.0, 854.0, 480.0, 427.0, 240.0)) == pytest.approx((0.0, 640.0, 360.0, 320.0, 180.0))
