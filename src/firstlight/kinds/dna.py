"""DNA: cells that hold sequences of bases."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Annotated

import polars as pl
import torch
from pydantic import Field
from torch import Tensor

from firstlight.data.sequences import PROTEIN_LETTERS, PROTEIN_SHARE
from firstlight.kinds.kind import (
    TEXT_OF_ROW,
    Aim,
    Claim,
    Kind,
    KindPart,
    Learned,
    Occlusion,
    PartSettings,
    PartSnippets,
    Settings,
    Snippets,
    in_brackets,
    share,
    texts_of,
)
from firstlight.kinds.piece_parts import PiecesSettings, part_over_pieces
from firstlight.kinds.precision import half_pays
from firstlight.machine import measured_once
from firstlight.plain.bases import base_codes, base_features, strand_pieces
from firstlight.plain.loop import learning
from firstlight.plain.numbers import Scaled, scaled
from firstlight.plain.pieces import fit_pieces, piece_sums
from firstlight.plain.ragged import Ragged
from firstlight.plain.strands import Strands, fit_strands
from firstlight.plain.targets import member_log_losses, member_squared_errors
from firstlight.plain.why import bases_changed, with_changes

LETTERS = r"ACGTURYSWKMBDHVN.*\-\s"  # bases, the letters for doubtful ones (IUPAC), gaps
SEQUENCE, ODD_LETTER = f"(?i)^[{LETTERS}]+$", f"(?i)[^{LETTERS}]"
AMINO_ACIDS = r"(?i)^[ACDEFGHIKLMNPQRSTVWYBXZ*\-]+$"
SHORTEST = 16  # bases, in the middle of a column, below which letters are more likely words or codes
LONGEST = 2_000  # bases that are read of a sequence
LONGEST_PLACED = 120  # up to which the straight line has a weight for each base in each place
NEARLY_ALL = 0.95  # of the cells are sequences; the others are odd
FOLDS = 8
SEGMENTS = 8  # parts of a sequence that are averaged by themselves, where all are equally long
CHANNELS, BATCH, RATE, DECAY = 48, 128, 0.008, 0.05  # found on held-out rows; the rate: docs/decisions/0003
FEWEST_IN_BATCH = 8
BASES_AT_ONCE = 2**18  # of a batch, over all members: above, a step took twice as long for each base
FEWEST_EPOCHS, MOST_EPOCHS, MOST_MEMBERS = 2, 12, 4
DEFAULT_SECONDS = 60.0
BESIDE = 4.0  # seconds that all but the parts takes
LEAST_SHARE = 0.5  # of the time, that the parts have even so
MOST_WEIGHTS = 2**23
ENOUGH = "did well on held-out rows of seven sets of sequences together"
TOLD = "told by quick regressions on training rows, judged on others"
TRIED_ROWS = 2_500  # with 2 000, all of six sets were told as with 6 000, three times each
SHORT_RUNS = (2, 3, 4, 5, 6, 7)
PLACED = (1, 2, 3)  # bases of runs that also count by their place
GAPS = (0, 1, 2, 3, 4, 5, 6)  # between two runs of 4
MOST_BASES = 20_000_000  # of all rows, up to which their runs are counted
SECONDS_A_BASE = 4e-6  # that this takes: seen on one core


class DnaSettings(Settings, frozen=True):
    """How many bases of a column are read, and whether all its sequences are equally long."""

    length: int = Field(ge=1, le=100_000)
    equal: bool


class MotifsSettings(PartSettings, frozen=True):
    """The sizes of the convolutional network, and how it is fitted.

    length: of all columns together, with what is put between them. placed: a place means the same in every sequence.
    both: a sequence and its reverse complement are the same. half: convolutions are done in bfloat16.
    """

    length: int = Field(ge=1, le=1_000_000)
    members: int = Field(ge=1, le=64)
    channels: int = Field(ge=4, le=1024, multiple_of=4)
    segments: int = Field(ge=0, le=64)
    batch: int = Field(ge=1)
    rate: float = Field(gt=0)
    decay: float = Field(ge=0)
    placed: bool
    both: bool
    half: bool


class RunsSettings(PiecesSettings, frozen=True):
    """What a part over runs of bases, and pairs of runs with gaps between, reads; see `strand_pieces`."""

    runs: tuple[Annotated[int, Field(ge=1, le=15)], ...]
    gaps: tuple[Annotated[int, Field(ge=0, le=1000)], ...]
    both: bool
    places: tuple[Annotated[int, Field(ge=1, le=15)], ...]


def claim(cells: pl.Series) -> Claim[DnaSettings] | None:
    """DNA where nearly all cells are long and made of the letters for bases."""
    written = _written(cells)
    if not _are_long(written):
        return None
    sequences = written.filter(written.str.contains(SEQUENCE))
    if len(sequences) < NEARLY_ALL * len(written):
        return None
    sizes = sequences.str.len_chars()
    sure = int(sequences.str.count_matches("(?i)[ACGTU]").sum()) / int(sizes.sum())
    bases = pl.DataFrame({base: sequences.str.contains(f"(?i)[{base}]") for base in ("A", "C", "G", "TU")})
    if sure < 0.5 or bases.sum_horizontal().max() == 1:  # no cell has two different ones
        return None
    shortest, longest = int(sizes.min()), int(sizes.max())  # type: ignore[arg-type]
    settings = DnaSettings(length=min(longest, LONGEST), equal=shortest == longest)
    told = f"sequences of {longest} bases" if settings.equal else f"sequences of {shortest} to {longest} bases"
    return Claim(0.98, told + (f", of which the first {LONGEST} are read" if longest > LONGEST else ""), settings)


def are_proteins(cells: pl.Series) -> bool:
    """Whether nearly all cells are long, differ, and hold the letters for amino acids, not only those for bases."""
    written = _written(cells)
    if not _are_long(written) or written.n_unique() <= len(written) / 2:
        return False
    if share(written.str.contains(AMINO_ACIDS)) < NEARLY_ALL or share(written.str.contains(SEQUENCE)) >= NEARLY_ALL:
        return False
    letters = "".join(sorted(PROTEIN_LETTERS))
    found = int(written.str.count_matches(f"(?i)[{letters}]").sum())
    return found > PROTEIN_SHARE * int(written.str.len_chars().sum())


def _written(cells: pl.Series) -> pl.Series:
    """The cells that hold something, without blanks; none where they are no text."""
    if not isinstance(cells.dtype, pl.String | pl.Categorical | pl.Enum):
        return pl.Series(dtype=pl.String)
    written = cells.drop_nulls().cast(pl.String).str.replace_all(r"\s+", "")
    return written.filter(written != "")


def bases_of_cells(cells: pl.Series) -> tuple[pl.Series, dict[str, float]]:
    """How long each sequence is, and the shares of the bases, and of other letters if any, in all of them."""
    written = _written(cells).str.to_uppercase().str.replace_all("U", "T")
    sizes = written.str.len_chars()
    letters = int(sizes.sum())
    shares = {base: int(written.str.count_matches(base, literal=True).sum()) / max(letters, 1) for base in "ACGT"}
    others = letters - int(written.str.count_matches("[ACGT]").sum())
    return sizes, shares | ({"other letters": others / letters} if others else {})


def _are_long(written: pl.Series) -> bool:
    return len(written) > 0 and float(written.str.len_chars().median()) >= SHORTEST  # type: ignore[arg-type]


def _lengths(columns: Mapping[str, DnaSettings]) -> dict[str, int]:
    return {name: settings.length for name, settings in columns.items()}


def _placed(columns: Mapping[str, DnaSettings]) -> list[str]:
    return [name for name, settings in columns.items() if settings.equal and settings.length <= LONGEST_PLACED]


def encode(rows: pl.DataFrame, columns: Mapping[str, DnaSettings], learned: Learned) -> Tensor:
    """The shares of runs of bases, and bases in their places: (rows, features) float64."""
    return base_features(rows, _lengths(columns), _placed(columns))


def strands_told(codes: Tensor, aim: Aim, *, equal: bool, may_be_both: bool) -> tuple[bool, bool]:
    """Whether places count, and whether both strands are the same: (placed, both), as a quick look at rows tells.

    A linear model over runs of bases is fitted in each way to some training rows, and judged on others.
    """
    chance = torch.Generator().manual_seed(aim.seed)
    few = torch.randperm(len(codes), generator=chance)[:TRIED_ROWS]
    targets = aim.targets[few]
    if not aim.classes:
        targets = ((targets - targets.mean()) / targets.std().clamp_min(1e-12)).float()
    learns = learning(torch.arange(len(few)) % 4, 1)
    losses_of = member_log_losses if aim.classes else member_squared_errors
    losses = {}
    for placed, both in ((True, False), (False, False), (False, True)):
        if (placed and not equal) or (both and not may_be_both):
            continue
        inputs = {"runs": strand_pieces(codes[few], SHORT_RUNS, (), both, PLACED if placed else ())}
        module = piece_sums("runs", inputs["runs"], MOST_WEIGHTS, 1, aim.outputs)
        fit = fit_pieces(module, dict(inputs), targets, learns, losses_of, epochs=12, decay=10.0, smoothing=1.0)
        losses[placed, both] = min(held_out for _, _, held_out in fit)
    return min(losses, key=lambda way: losses[way])


def bases_a_second() -> float:
    """How many bases a second one member of the network learns from here; measured once."""
    name = f"torch {torch.__version__} threads {torch.get_num_threads()} bases"
    return measured_once(name + (" in bfloat16" if half_pays() else ""), _measure)


def _measure() -> float:
    codes = torch.arange(4 * BATCH * 100).remainder(7).clamp_max(3).to(torch.uint8).view(-1, 100)
    targets = torch.arange(len(codes)) % 2
    model = Strands("bases", 1, CHANNELS, 100, SEGMENTS, 2, placed=False, both=False, half=half_pays())
    learns = learning(torch.arange(len(codes)) % 8, 1)
    seconds = []
    for _ in range(3):  # the first time, memory is set up
        start = time.perf_counter()
        list(fit_strands(model, {"bases": codes}, targets, learns, member_log_losses, 1, BATCH, RATE, DECAY))
        seconds.append(time.perf_counter() - start)
    return codes.numel() / min(seconds)


def effort(rows: int, length: int, seconds: float | None, speed: float) -> tuple[int, int]:
    """Members and epochs for the time: 12 epochs at most, then more members; one member and two epochs at least.

    Where no time was asked for, more members are made only while that takes a moment: they gain little.
    """
    epochs = (seconds or DEFAULT_SECONDS) * speed / (rows * length)  # of a single member
    affordable = epochs if seconds else epochs / 4
    members = max(1, min(MOST_MEMBERS, int(affordable // 10)))
    return members, max(FEWEST_EPOCHS, min(MOST_EPOCHS, int(epochs / members)))


def batch_size(members: int, length: int) -> int:
    """How many sequences make a batch: fewer where they are so long that what the layers give outgrows the cache."""
    fitting = BASES_AT_ONCE // (members * length)
    return max(FEWEST_IN_BATCH, min(BATCH, 1 << fitting.bit_length() >> 1))  # a power of two


def _all_equal(columns: Mapping[str, DnaSettings]) -> bool:
    return all(settings.equal for settings in columns.values())


def _whole_length(columns: Mapping[str, DnaSettings]) -> int:
    return base_codes(pl.DataFrame({name: [""] for name in columns}), _lengths(columns)).shape[1]


def part_settings(rows: pl.DataFrame, columns: Mapping[str, DnaSettings], aim: Aim) -> Mapping[str, PartSettings]:
    """The sizes of the parts: which count places, which take both strands for the same, and what the time allows."""
    length, equal = _whole_length(columns), _all_equal(columns)
    placed, both = strands_told(base_codes(rows, _lengths(columns)), aim, equal=equal, may_be_both=len(columns) == 1)
    bases = len(rows) * length
    speed = bases_a_second()
    seconds = math.inf if aim.seconds is None else max(LEAST_SHARE * aim.seconds, aim.seconds - BESIDE)
    counting, shortest = bases * SECONDS_A_BASE, FEWEST_EPOCHS * bases / speed
    with_runs = bases <= MOST_BASES and counting <= max(0.7 * seconds, shortest)  # runs tell most for their time
    with_places = placed and 2 * counting <= seconds
    with_pairs = bases <= MOST_BASES / 4 and 5 * counting <= 0.5 * seconds
    left = seconds - counting * (with_places + with_runs + 4 * with_pairs)
    with_motifs = left >= shortest or not with_runs
    members, epochs = effort(len(rows), length, None if aim.seconds is None else max(left, 0.01), speed)
    members = min(members, aim.folds)
    motifs = MotifsSettings(
        epochs=epochs, length=length, members=members, channels=CHANNELS,
        segments=min(SEGMENTS, length) if equal else 0, batch=batch_size(members, length), rate=RATE, decay=DECAY,
        placed=equal and not both, both=both, half=half_pays(),
    )  # fmt: skip
    most = MOST_WEIGHTS // ((FOLDS + 1) * (1 if aim.outputs == 2 else aim.outputs))
    runs = RunsSettings(
        epochs=20, runs=SHORT_RUNS, gaps=(), both=both, places=PLACED if placed else (), most=most, decay=30.0,
        smoothing=1.0,
    )  # fmt: skip
    pairs = runs.model_copy(update={"runs": (4, 5, 6), "gaps": GAPS, "places": (), "decay": 10.0})
    places = runs.model_copy(update={"runs": (), "places": (1, 2), "decay": 10.0})
    return {
        **({MOTIFS.name: motifs} if with_motifs else {}),
        **({PLACES.name: places} if with_places else {}),
        **({RUNS.name: runs} if with_runs else {}),
        **({PAIRS.name: pairs} if with_pairs else {}),
    }


def _misfit(columns: Mapping[str, DnaSettings], settings: MotifsSettings | RunsSettings) -> str:
    if settings.both and len(columns) > 1:
        return f"both strands are read as one only where one column holds sequences, and there are {len(columns)}"
    if isinstance(settings, RunsSettings):
        nothing = not (settings.runs or settings.gaps or settings.places)
        return "there is nothing to read: runs, gaps and places are empty" if nothing else ""
    if settings.length != _whole_length(columns):
        return f"length is {settings.length}, and the columns hold {_whole_length(columns)} bases together"
    if settings.segments > settings.length:
        return f"{settings.segments} segments cannot be made of {settings.length} bases"
    return ""


def _encode_motifs(rows: pl.DataFrame, columns: Mapping[str, DnaSettings], settings: MotifsSettings) -> Tensor:
    return base_codes(rows, _lengths(columns), settings.both)


def _encode_runs(rows: pl.DataFrame, columns: Mapping[str, DnaSettings], settings: RunsSettings) -> Ragged:
    codes = base_codes(rows, _lengths(columns), settings.both)
    return strand_pieces(codes, settings.runs, settings.gaps, settings.both, settings.places)


def _codes_in_script(both: bool) -> str:
    return f"base_codes(rows, SEQUENCES{', both_strands=True' if both else ''})"


def _strands(length: int, settings: MotifsSettings, outputs: int) -> Strands:
    return Strands(
        "bases", settings.members, settings.channels, length, settings.segments, outputs, settings.placed,
        settings.both, settings.half,
    )  # fmt: skip


MOTIFS: KindPart[DnaSettings, MotifsSettings] = KindPart(
    name="motifs",
    block="bases",
    told="motifs of bases, by convolutions",
    folds=FOLDS,
    settings=MotifsSettings,
    reasons={
        "epochs": "as many as fit into the time, on this machine; more gain little",
        "batch": "as many as the cache holds, 128 at most",
        "channels": ENOUGH,
        "placed": TOLD,
        "both": TOLD,
        "half": "whichever convolutions are quicker on this machine",
    },
    encode=_encode_motifs,
    build=lambda codes, settings, outputs: _strands(settings.length, settings, outputs),
    rebuild=lambda tensors, settings, outputs: _strands(settings.length, settings, outputs),
    learns=lambda folds, settings: learning(folds, settings.members),
    fit=lambda module, inputs, targets, learns, losses_of, settings: fit_strands(
        module, inputs, targets, learns, losses_of, settings.epochs, settings.batch, settings.rate, settings.decay
    ),
    settle=lambda module: None,
    snippets=PartSnippets(
        encode=lambda settings: _codes_in_script(settings.both),
        build=lambda settings, outputs: (
            f'Strands("bases", {settings.members}, channels={settings.channels}, length={settings.length}, '
            f"segments={settings.segments},\n    outputs={outputs}, placed={settings.placed}, both={settings.both}, "
            f"half={settings.half})"
        ),
        learns=lambda settings: f"learning(folds, {settings.members})",
        fit=lambda settings: (
            "fit_strands",
            f"epochs={settings.epochs}, batch={settings.batch}, rate={settings.rate!r}, decay={settings.decay!r}",
        ),
    ),
    misfit=_misfit,
)


def _encode_line(settings: RunsSettings) -> str:
    return (
        f"strand_pieces(\n    {_codes_in_script(settings.both)}, runs={settings.runs}, gaps={settings.gaps},\n"
        f"    both_strands={settings.both}, places={settings.places},\n)"
    )


def _part_over_runs(name: str, told: str) -> KindPart[DnaSettings, RunsSettings]:
    reasons = {"runs": ENOUGH, "gaps": ENOUGH, "places": TOLD, "both": TOLD}
    return part_over_pieces(name, told, FOLDS, RunsSettings, reasons, _encode_runs, _encode_line, _misfit)


PLACES = _part_over_runs("places", "bases and pairs of bases in their places")
RUNS = _part_over_runs("runs", "runs of 2 to 7 bases")
PAIRS = _part_over_runs("pairs", "pairs of runs with gaps between them")


def _constants(columns: Mapping[str, DnaSettings]) -> str:
    items = [f"{name!r}: {settings.length}" for name, settings in columns.items()]
    lengths = in_brackets("SEQUENCES = {", items, "}", "each column of bases, and how many of them are read")
    return lengths + f"\nPLACES = {_placed(columns)!r}  # columns whose bases count by their place in the straight line"


def _odd_letters(cells: pl.Series) -> pl.Series:
    """The letters of each cell that are none of DNA; the whole cell where it is short."""
    text = cells.cast(pl.String)
    return text.zip_with(text.str.len_chars() < SHORTEST, text.str.replace_all(f"(?i)[{LETTERS}]", ""))


DNA = Kind(
    name="dna",
    block="base_features",
    settings=DnaSettings,
    modules=(None, Scaled),
    claim=claim,
    learn=lambda rows, columns: {},
    encode=encode,
    network_features=None,
    line_features=lambda values, learned: scaled(values),
    strays=lambda cells, settings: cells.cast(pl.String).str.contains(ODD_LETTER).fill_null(False),
    snippets=Snippets(
        constants=_constants,
        learn="",
        encode="base_features(rows, SEQUENCES, PLACES)",
        network_features=None,
        line_features='scaled(inputs["base_features"])',
    ),
    parts=(MOTIFS, PLACES, RUNS, PAIRS),
    part_settings=part_settings,
    odd_letters=_odd_letters,
    occlusion=Occlusion(
        changes=bases_changed,
        with_changes=with_changes,
        cell=TEXT_OF_ROW,
        cells_of=texts_of,
        noun="base",
        done="changed",
        most=500,
        told="{part} at {number}",
        letters="ACGT",
        in_report=50_000,
    ),
)
