"""Parts of the picture in which text is read."""

from typing import Annotated

from pydantic import Field

from stream_ocr.config.base import ConfigModel, Pattern
from stream_ocr.events.polygon import contains_point

Fraction01 = Annotated[float, Field(ge=0, le=1)]
RelativePolygon = Annotated[tuple[tuple[Fraction01, Fraction01], ...], Field(min_length=3)]
"""Corners in fractions of the width and height of the picture."""


class NamedField(ConfigModel):
    """A place in the picture whose text has a meaning, such as the score of the home team."""

    region: RelativePolygon = Field(
        description="Polygon; a text whose centre lies in it belongs to the field. Corners as in regions."
    )
    pattern: Pattern | None = Field(
        None, description="Regular expression; only texts that it matches as a whole belong to the field."
    )


class Areas(ConfigModel):
    """Polygons inside and outside of which text is read."""

    regions: tuple[RelativePolygon, ...] = Field(
        (),
        description="Polygons; only text whose centre lies in one of them is read. Corners are [x, y] as fractions "
        "(0–1) of the width and height of the picture. Empty: the whole picture.",
    )
    masks: tuple[RelativePolygon, ...] = Field(
        (), description="Polygons; text whose centre lies in one of them is ignored. Corners as in regions."
    )

    def includes(self, point: tuple[float, float]) -> bool:
        """Return True if text at a point, in fractions of the width and height, is read."""
        included = not self.regions or any(contains_point(polygon, point) for polygon in self.regions)
        return included and not any(contains_point(polygon, point) for polygon in self.masks)
