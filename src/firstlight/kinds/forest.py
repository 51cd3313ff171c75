"""The parts of the network that grow trees over the columns: a forest, and shrubs, which ask less and dare less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import Field
from torch import Tensor

from firstlight.kinds.cells import CellPart, Cells, CellSettings, CellSnippets, learns, names_line
from firstlight.kinds.speed import adding_speed, additions_for_questions
from firstlight.plain.forest import MOST_BINS, MOST_GROWN, SKETCHED, Bins, Forest, bins_of, fit_forest

EPOCHS = 20
MOST_TREES, FEWEST_TREES = 25, 2  # an epoch, where no more time was asked for
FEWEST_MEMBERS, MEMBERS, MOST_MEMBERS = 2, 4, 8
SMALL = 10_000  # rows up to which there are as many members as folds, and fewer bins
QUESTIONS, FEW_QUESTIONS = 8, 6  # of a tree, and where rows are few
SHRUB_QUESTIONS, FEW_SHRUB_QUESTIONS = 5, 4
FEW_ROWS = 4_000  # up to which a tree asks less
SHRUB_TIME = 0.25  # of the forest's: that of as many trees
BINS, FEW_BINS = MOST_BINS, 128
DECAY = 3.0
FEWEST_ASKED, ASKED_SHARE = 8, 0.25  # columns that a tree may ask about
WAY = 60.0  # trees times their rate: how far they go together
LOWEST_RATE, HIGHEST_RATE = 0.04, 0.25
# What a tree takes beside its questions: seen on generated tables of 1 000 to 300 000 rows
TREE_OVERHEAD = 2e-4  # seconds
OUTPUT_PASSES = 28.0  # of each row's numbers


class ForestSettings(CellSettings, frozen=True):
    """How trees are grown: so many in each epoch for each member.

    questions: that a tree asks. bins: into which numbers fall. rate: how far each tree goes. share: of the columns,
    about which a tree may ask. decay: rows' worth of doubt that a leaf has of itself. cautious: whether leaves leave
    out what chance alone would explain.
    """

    trees: int = Field(ge=1, le=10_000)
    questions: int = Field(ge=1, le=8)
    bins: int = Field(ge=2, le=MOST_BINS)
    rate: float = Field(gt=0, le=1)
    share: float = Field(gt=0, le=1)
    decay: float = Field(gt=0)
    cautious: bool = False


def sizes(cells: Cells, seconds: float | None) -> ForestSettings:
    """The settings of the forest."""
    questions = FEW_QUESTIONS if cells.rows < FEW_ROWS else QUESTIONS
    return _sizes(cells, seconds, cells.usual_seconds, questions, cautious=False)


def shrub_sizes(cells: Cells, seconds: float | None) -> ForestSettings:
    """The settings of the shrubs."""
    questions = FEW_SHRUB_QUESTIONS if cells.rows < FEW_ROWS else SHRUB_QUESTIONS
    return _sizes(cells, seconds, SHRUB_TIME * cells.usual_seconds, questions, cautious=True)


def _sizes(cells: Cells, seconds: float | None, usual: float, questions: int, *, cautious: bool) -> ForestSettings:
    """As many trees as there is time for, up to where more were seen to add little; then more members."""
    columns = len(cells.different) + 2 * len(cells.vocabularies)  # words as they are, and ranked
    asked = min(columns, max(FEWEST_ASKED, round(ASKED_SHARE * columns)))
    bins = FEW_BINS if cells.rows < SMALL else BINS
    a_tree = seconds_a_tree(cells, asked, questions, bins)
    affordable = (usual if seconds is None else seconds) / a_tree / EPOCHS
    members = MEMBERS
    if cells.rows < SMALL or affordable > MOST_TREES * MOST_MEMBERS:
        members = MOST_MEMBERS
    elif affordable < MOST_TREES:
        members = FEWEST_MEMBERS
    most = MOST_TREES if seconds is None else 2 * MOST_TREES
    trees = max(FEWEST_TREES, min(most, int(affordable / members)))
    rate = min(HIGHEST_RATE, max(LOWEST_RATE, WAY / (EPOCHS * trees)))
    return ForestSettings(
        epochs=EPOCHS, members=members, trees=trees, questions=questions, bins=bins, rate=round(rate, 3),
        share=round(asked / columns, 3), decay=DECAY, cautious=cautious,
    )  # fmt: skip


def seconds_a_tree(cells: Cells, asked: int, questions: int, bins: int) -> float:
    """How long a tree of one member takes on this machine."""
    numbers = 1 if cells.outputs <= 2 else cells.outputs
    sums, filled = 1 + min(numbers, SKETCHED), 1 + min(cells.widest, bins)
    additions = additions_for_questions(min(cells.rows, MOST_GROWN), asked, filled, sums, questions)
    additions += OUTPUT_PASSES * numbers * cells.rows
    return TREE_OVERHEAD + additions / adding_speed()


def _build(inputs: Mapping[str, Tensor], blocks: Sequence[str], settings: ForestSettings, outputs: int) -> Forest:
    bins = bins_of(inputs, blocks, settings.bins)
    return Forest(bins, settings.members, settings.epochs * settings.trees, settings.questions, outputs)


def _rebuild(tensors: Mapping[str, Tensor], blocks: Sequence[str], settings: ForestSettings, outputs: int) -> Forest:
    bins = Bins({name: tensors[f"bins.{name}"] for name in blocks})
    return Forest(bins, settings.members, tensors["leaves"].shape[1], settings.questions, outputs)


def _build_line(blocks: Sequence[str], settings: ForestSettings, outputs: int) -> str:
    return (
        f"Forest(\n    bins_of(inputs, [{names_line(blocks)}], most={settings.bins}),\n    members={settings.members}, "
        f"trees={settings.epochs * settings.trees}, questions={settings.questions}, outputs={outputs},\n)"
    )


FOREST = CellPart(
    name="forest",
    told="the same columns by trees",
    settings=ForestSettings,
    reasons={
        "members": "each learns from other folds",
        "trees": "as many as fit into the time, up to where more add little",
        "questions": "eight, where there are rows enough: on three of three tables better than seven",
        "rate": "so that all trees together go about as far, however many they are",
        "share": "a quarter of the columns, eight at least: trees that differ err differently",
        "decay": "flat from 1 to 10 on seven tables",
    },
    weight=0.8,
    first=4.0,
    sizes=sizes,
    build=_build,
    rebuild=_rebuild,
    learns=learns,
    fit=lambda module, inputs, targets, learns, losses_of, settings: fit_forest(
        module, inputs, targets, learns, losses_of, settings.epochs, settings.rate, settings.share, settings.decay,
        settings.cautious,
    ),
    settle=Forest.keep_grown,
    snippets=CellSnippets(
        build=_build_line,
        fit=lambda settings: (
            "fit_forest",
            f"epochs={settings.epochs}, rate={settings.rate!r}, share={settings.share!r}, decay={settings.decay!r}, "
            f"cautious={settings.cautious}",
        ),
        settle="keep_grown()",
    ),
)  # fmt: skip
SHRUBS = replace(
    FOREST,
    name="shrubs",
    told="the same columns by trees that ask less",
    reasons={
        **FOREST.reasons,
        "questions": "few: where nearly all is chance, trees that ask more learn it by heart",
        "cautious": "what chance alone would explain is left out",
    },
    weight=SHRUB_TIME * FOREST.weight,
    first=0.3,
    sizes=shrub_sizes,
)
