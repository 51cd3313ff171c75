"""Every kind of column there is, and every part of the network over cells. To add one, name it here."""

from __future__ import annotations

from typing import Any

from firstlight.kinds.boolean import BOOLEAN
from firstlight.kinds.category import CATEGORY
from firstlight.kinds.cells import CellPart
from firstlight.kinds.date import DATE
from firstlight.kinds.dna import DNA
from firstlight.kinds.forest import FOREST, SHRUBS
from firstlight.kinds.image import IMAGE
from firstlight.kinds.kind import Kind, NetworkPart
from firstlight.kinds.neighbours import NEIGHBOURS
from firstlight.kinds.number import NUMBER
from firstlight.kinds.text import TEXT
from firstlight.kinds.video import VIDEO

KINDS: tuple[Kind[Any], ...] = (NUMBER, CATEGORY, BOOLEAN, DATE, TEXT, DNA, IMAGE, VIDEO)
CELL_PARTS: tuple[CellPart[Any], ...] = (FOREST, SHRUBS, NEIGHBOURS)
PARTS_OF_NETWORK: tuple[NetworkPart[Any], ...] = (*CELL_PARTS, *(part for kind in KINDS for part in kind.parts))


def kind_named(name: str) -> Kind[Any]:
    """The kind of this name; KeyError where there is none."""
    return {kind.name: kind for kind in KINDS}[name]
