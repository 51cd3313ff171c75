"""The part of the network that answers with what is known of similar rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field
from torch import Tensor, nn

from firstlight.kinds.cells import CellPart, Cells, CellSettings, CellSnippets, learns, names_line
from firstlight.kinds.speed import COMPARED, comparing_speed, machine_speed
from firstlight.plain.categories import OneHot
from firstlight.plain.neighbours import MOST_TAUGHT, WAVES, Neighbours, features_of_cells, fit_neighbours
from firstlight.plain.numbers import PiecewiseLinear, Waves

FEWEST_EPOCHS, MOST_EPOCHS = 6, 10  # with fewer it is hardly believed, and the small networks gain more by the time
SIZE, WIDTH, BINS = COMPARED, 128, 32
OTHERS, KEPT = 4096, 10_000
ALL_KEPT = 20_000  # rows up to which all are remembered, where there is time
RATE, SMALL_RATE, DECAY = 0.005, 0.002, 0.1
SMALL = 10_000  # rows up to which a step may change less
MEMBERS = ((3_000, 8), (10_000, 4))  # up to so many rows, so many
FEWEST_MEMBERS = 2
BATCHES = ((3_000, 64), (8_000, 128), (64_000, 256))  # up to so many rows, so many a step
LARGEST_BATCH = 512
FETCHED = 200  # products in whose time a feature is fetched from memory: seen on three tables
STEP_OVERHEAD = 0.004  # seconds: seen on eight tables


class NeighbourSettings(CellSettings, frozen=True):
    """How rows are placed and compared: members, each with places of a size and a hidden layer of a width.

    bins: into which numbers fall. others: rows of which each step's batch is answered. kept: rows that are remembered.
    rate, decay: AdamW's.
    """

    size: int = Field(ge=1, le=4096)
    width: int = Field(ge=1, le=8192)
    bins: int = Field(ge=1, le=1024)
    batch: int = Field(ge=1)
    others: int = Field(ge=1)
    kept: int = Field(ge=1)
    rate: float = Field(gt=0)
    decay: float = Field(ge=0)


def sizes(cells: Cells, seconds: float | None) -> NeighbourSettings | None:
    """As many epochs as there is time for; none where that would be too few to learn what is similar."""
    batch = next((batch for most, batch in BATCHES if cells.rows < most), LARGEST_BATCH)
    members = next((members for most, members in MEMBERS if cells.rows < most), FEWEST_MEMBERS)
    time = cells.usual_seconds if seconds is None else seconds
    with_all = seconds_an_epoch(cells, members, batch, cells.rows)
    kept = cells.rows if KEPT < cells.rows <= ALL_KEPT and time >= MOST_EPOCHS * with_all else KEPT
    epochs = int(time / seconds_an_epoch(cells, members, batch, kept))
    if epochs < FEWEST_EPOCHS:
        return None
    return NeighbourSettings(
        epochs=min(epochs, MOST_EPOCHS if seconds is None else 2 * MOST_EPOCHS), members=members, size=SIZE,
        width=WIDTH, bins=BINS, batch=batch, others=OTHERS, kept=kept,
        rate=SMALL_RATE if cells.rows < SMALL else RATE, decay=DECAY,
    )  # fmt: skip


def seconds_an_epoch(cells: Cells, members: int, batch: int, kept: int) -> float:
    """How long an epoch takes on this machine, with the look at held-out rows after it, by the rows that are kept."""
    rows = min(cells.rows, MOST_TAUGHT)
    others = min(OTHERS, max(1, rows - batch))
    a_pair = 1 / comparing_speed() + 6 * cells.outputs / machine_speed()
    features = cells.features(BINS, 0) + 2 * WAVES * sum(many > BINS + 1 for many in cells.different)
    a_place = (6 * (features * SIZE + 2 * SIZE * WIDTH) + FETCHED * features) / machine_speed()
    step = members * (batch * others * a_pair + (batch + others) * a_place) + STEP_OVERHEAD
    watching = members * min(rows, 4096) * min(rows, kept) * a_pair / 3
    return rows / batch * step + watching


def _neighbours(features: nn.ModuleDict, settings: NeighbourSettings, kept: int, outputs: int) -> Neighbours:
    return Neighbours(features, settings.members, settings.size, settings.width, kept, outputs, classes=outputs > 1)


def _build(
    inputs: Mapping[str, Tensor], blocks: Sequence[str], settings: NeighbourSettings, outputs: int
) -> Neighbours:
    kept = min(settings.kept, len(inputs[blocks[0]]))
    return _neighbours(features_of_cells(inputs, blocks, settings.bins), settings, kept, outputs)


def _rebuild(
    tensors: Mapping[str, Tensor], blocks: Sequence[str], settings: NeighbourSettings, outputs: int
) -> Neighbours:
    features = {}
    for block in blocks:
        prefix = f"features.{block}."
        own = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
        features[block] = OneHot(**own) if "sizes" in own else _rebuilt_numbers(own)
    return _neighbours(nn.ModuleDict(features), settings, len(tensors["known"]), outputs)


def _rebuilt_numbers(tensors: Mapping[str, Tensor]) -> Waves:
    pieces = {name.removeprefix("pieces."): each for name, each in tensors.items() if name.startswith("pieces.")}
    return Waves(PiecewiseLinear(**pieces), tensors["wavy"], tensors["turns"])


def _build_line(blocks: Sequence[str], settings: NeighbourSettings, outputs: int) -> str:
    return (
        f"Neighbours(\n    features_of_cells(inputs, [{names_line(blocks)}], bins={settings.bins}),\n"
        f"    members={settings.members}, size={settings.size}, width={settings.width}, "
        f"kept=min({settings.kept}, len(train)), outputs={outputs}, classes={outputs > 1},\n)"
    )


NEIGHBOURS = CellPart(
    name="neighbours",
    told="the same columns by similar rows",
    settings=NeighbourSettings,
    reasons={
        "members": "more where rows are few, so that many are answered by one that holds them out",
        "others": "with half as many, the error on held-out letters was a quarter higher",
        "kept": "all, where there are few and there is time, or so many as are compared in a moment",
        "batch": "smaller where there are few rows",
        "epochs": "as many as fit into the time; ten at most where none was asked for",
    },
    weight=0.9,
    first=0.0,
    sizes=sizes,
    build=_build,
    rebuild=_rebuild,
    learns=learns,
    fit=lambda module, inputs, targets, learns, losses_of, settings: fit_neighbours(
        module, inputs, targets, learns, losses_of, settings.epochs, settings.batch, settings.others, settings.rate,
        settings.decay,
    ),
    settle=Neighbours.see_all,
    snippets=CellSnippets(
        build=_build_line,
        fit=lambda settings: (
            "fit_neighbours",
            f"epochs={settings.epochs}, batch={settings.batch}, others={settings.others}, rate={settings.rate!r}, "
            f"decay={settings.decay!r}",
        ),
        settle="see_all()",
    ),
)  # fmt: skip
