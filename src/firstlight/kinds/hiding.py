"""How to find out what the parts of a picture or video do to an answer: each is hidden in turn."""

from __future__ import annotations

from firstlight.kinds.kind import Occlusion
from firstlight.plain.hidden import PARTS_A_SIDE, parts_hidden, with_pixels
from firstlight.plain.pixels import pixels_of

PARTS_HIDDEN = Occlusion(
    changes=parts_hidden,
    with_changes=with_pixels,
    cell="pixels_of(row[{column!r}])[0]",
    cells_of=pixels_of,
    noun="part",
    done="hidden",
    most=PARTS_A_SIDE**2,
    told="{part}",
    grid=PARTS_A_SIDE,
)
