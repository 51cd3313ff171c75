"""Text: cells that hold what somebody wrote, in any language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import Field
from torch import Tensor

from firstlight.kinds.category import MOST_WORDS
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
from firstlight.kinds.pretrained import DECAYS, FALL, FIRST_DECAY, MARKS, kind_read_by, pretrained_in
from firstlight.plain.common_words import WORD, common_words, word_marks
from firstlight.plain.meaning import Meaning, SentenceEncoder, Spelt, fit_meaning, meaning_sums, sentence_encoder, spelt
from firstlight.plain.numbers import Scaled, scaled
from firstlight.plain.pieces import count_pieces, learning_and_all
from firstlight.plain.ragged import Ragged, TwoLevels
from firstlight.plain.vectors import MeanVectors, fit_vectors, mean_vectors
from firstlight.plain.why import with_changes, words_left_out
from firstlight.plain.words import LONGEST_TEXT, letter_pieces, neighbour_pieces, word_pieces
from firstlight.refusal import Refused
from firstlight.wording import counted, whole

MANY_WORDS = 5.0  # a cell, on average, from which a column of different cells is text
SOME_WORDS = 3.0  # from which it is where the words come again in other cells
MANY_LETTERS = 8.0  # from which it is in scripts that set no blanks between words
WITHOUT_BLANKS = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
SPOKEN_WORD = WITHOUT_BLANKS + r"|\p{N}*\p{L}[\p{L}\p{M}\p{N}]*"  # figures alone say nothing: they are keys, or amounts
BETWEEN_WORDS = r"[\s,;|]"  # "a-b-c-d-e-f" is one word, or a key
MOST_WEIGHTS = 2**23  # of a part of the network, over all its members and classes
FOLDS = 4
MEMBERS = FOLDS + 1  # the last learns from all rows
EPOCHS = 20
VECTOR = 32  # numbers of a vector
MOST_VECTORS = 200_000
ENOUGH = "did well on held-out rows of ten sets of texts together"
REASONS = {"epochs": ENOUGH, "decay": "flat over a factor of eight: little depends on it"}
PIECES_READ = 2_500_000  # in all epochs together: about a second


class TextSettings(Settings, frozen=True):
    """How many of the most common words the straight line counts."""

    common: int = Field(default=100, ge=1)


class CountsSettings(PartSettings, frozen=True):
    """How the part that only counts pieces is fitted: so many have weights, and so much is added to each count."""

    most: int = Field(ge=1)
    smoothing: float = Field(gt=0)


class VectorsSettings(PartSettings, frozen=True):
    """How the part over vectors is fitted: so many pieces have vectors of a size; texts a step, and the two rates."""

    most: int = Field(ge=1)
    size: int = Field(ge=1, le=4096)
    batch: int = Field(ge=1)
    rate: float = Field(gt=0)
    head_rate: float = Field(gt=0)


class MeaningSettings(PartSettings, frozen=True):
    """Where a pretrained sentence encoder lies, what it is like, and how weights on what it gives are fitted.

    heads, lower: as the encoder was made. decay: how small the weights are held in the first epoch; in each epoch
    `fall` times less than in the one before, and the best is kept.
    """

    folder: str
    heads: int = Field(ge=1, le=1024)
    lower: bool
    decay: float = Field(gt=0)
    fall: float = Field(ge=1)


def claim(cells: pl.Series) -> Claim[TextSettings] | None:
    """Text where cells differ and are made of many words, or of some that come again in other cells.

    Cells that repeat are text where there are more different ones than a category tells apart.
    """
    if not isinstance(cells.dtype, pl.String | pl.Categorical | pl.Enum):
        return None
    written = cells.drop_nulls().cast(pl.String).str.strip_chars()
    written = written.filter(written != "")
    different = written.n_unique()
    if len(written) < 2 or (different <= len(written) / 2 and different <= MOST_WORDS):
        return None
    each = written.str.extract_all(SPOKEN_WORD)
    many = int(each.list.len().sum()) / len(written)
    settings = TextSettings()
    told = f"; {cut}" if (cut := cut_told(written)) else ""
    if share(written.str.contains(WITHOUT_BLANKS)) >= 0.5:
        return Claim(0.7, f"{many:.0f} letters a cell, on average{told}", settings) if many >= MANY_LETTERS else None
    words = many if written.str.contains(BETWEEN_WORDS).any() else 1.0
    if words >= MANY_WORDS:
        return Claim(0.7, f"{words:.0f} words a cell, on average, and many cells differ{told}", settings)
    if words >= SOME_WORDS and different > len(written) / 2 and _come_again(each):
        return Claim(0.7, f"{words:.0f} words a cell, on average, that come again in other cells{told}", settings)
    return None


def cut_told(cells: pl.Series) -> str:
    """Of how many cells only the beginning is read, in words; nothing where none is that long."""
    cut = int((cells.str.len_chars() > LONGEST_TEXT).sum())
    return f"of {counted(cut, 'cell')} the first {whole(LONGEST_TEXT)} letters are read" if cut else ""


def _come_again(words: pl.Series) -> bool:
    """Whether most words stand in several cells."""
    every = words.list.eval(pl.element().str.to_lowercase()).explode().drop_nulls()
    return every.n_unique() <= len(every) / 2


def words_of_cells(cells: pl.Series) -> tuple[pl.Series, str]:
    """How many words, or letters where no blanks stand between words, each cell that is not blank has; and which."""
    written = cells.drop_nulls().cast(pl.String).str.strip_chars()
    written = written.filter(written != "")
    unit = "letter" if share(written.str.contains(WITHOUT_BLANKS)) >= 0.5 else "word"
    return written.str.count_matches(WORD), unit


def learn(rows: pl.DataFrame, columns: Mapping[str, TextSettings]) -> Learned:
    """The words of each column that the straight line counts."""
    return {name: common_words(rows[name], settings.common) for name, settings in columns.items()}


def encode(rows: pl.DataFrame, columns: Mapping[str, TextSettings], learned: Learned) -> Tensor:
    """Which common words stand in each row's texts: (rows, words) float64."""
    return word_marks(rows, {name: learned[name] for name in columns})


def _encode_words(rows: pl.DataFrame, columns: Mapping[str, TextSettings], settings: PartSettings) -> Ragged:
    return word_pieces(rows, list(columns))


def _encode_letters(rows: pl.DataFrame, columns: Mapping[str, TextSettings], settings: PartSettings) -> TwoLevels:
    return letter_pieces(rows, list(columns))


WORDS: KindPart[TextSettings, Any] = part_over_pieces(
    "words", "words, and words near one another", FOLDS, PiecesSettings, REASONS, _encode_words,
    lambda settings: "word_pieces(rows, list(TEXTS))",
)  # fmt: skip
LETTERS = part_over_pieces(
    "letters", "pieces of 2 to 5 letters", FOLDS, PiecesSettings, REASONS, _encode_letters,
    lambda settings: "letter_pieces(rows, list(TEXTS))",
)  # fmt: skip
# It reads what the part over words reads, and only the way in which it finds its weights is another.
COUNTS: KindPart[TextSettings, Any] = replace(
    WORDS,
    name="counts",
    told="how often words stand in each class",
    settings=CountsSettings,
    reasons={"smoothing": ENOUGH},
    fit=lambda module, inputs, targets, learns, losses_of, settings: count_pieces(
        module, inputs, targets, learns, losses_of, settings.smoothing
    ),
    snippets=replace(WORDS.snippets, fit=lambda settings: ("count_pieces", f"smoothing={settings.smoothing!r}")),
)


def part_settings(rows: pl.DataFrame, columns: Mapping[str, TextSettings], aim: Aim) -> Mapping[str, PartSettings]:
    """The sizes of the parts, as they did well on held-out rows of ten sets of texts together."""
    most, numbers = MOST_WEIGHTS // (MEMBERS * (1 if aim.outputs == 2 else aim.outputs)), not aim.classes
    words = sum(int(rows[name].cast(pl.String).str.count_matches(SPOKEN_WORD).sum()) for name in columns)
    passes = max(2, min(EPOCHS, round(PIECES_READ / max(2 * words, 1))))  # a text has about two pieces for each word
    settings: dict[str, PartSettings] = {
        WORDS.name: PiecesSettings(epochs=EPOCHS, most=most, decay=10.0 if numbers else 4.0, smoothing=0.3),
        COUNTS.name: CountsSettings(epochs=1, most=most, smoothing=0.3),
        LETTERS.name: PiecesSettings(epochs=EPOCHS, most=most, decay=30.0 if numbers else 20.0, smoothing=1.0),
        VECTORS.name: VectorsSettings(epochs=passes, most=MOST_VECTORS, size=VECTOR, batch=32, rate=1.0, head_rate=3.0),
    }
    if aim.pretrained and kind_read_by(Path(aim.pretrained)) == TEXT.name:
        found = pretrained_in(Path(aim.pretrained))
        settings[MEANING.name] = MeaningSettings(
            epochs=DECAYS, folder=aim.pretrained, heads=found.heads, lower=found.lower, decay=FIRST_DECAY, fall=FALL
        )
    return {name: each for name, each in settings.items() if name != COUNTS.name or aim.classes}


VECTORS: KindPart[TextSettings, VectorsSettings] = KindPart(
    name="vectors",
    block="neighbours",
    told="what words and pairs of neighbours share",
    folds=FOLDS,
    settings=VectorsSettings,
    reasons={"epochs": "as many as it takes to read some million pieces", "size": ENOUGH},
    encode=lambda rows, columns, settings: neighbour_pieces(rows, list(columns)),
    build=lambda texts, settings, outputs: mean_vectors(
        "neighbours", texts, settings.most, MEMBERS, settings.size, outputs
    ),
    rebuild=lambda tensors, settings, outputs: MeanVectors("neighbours", tensors["known"], 1, settings.size, outputs),
    learns=lambda folds, settings: learning_and_all(folds, MEMBERS),
    fit=lambda module, inputs, targets, learns, losses_of, settings: fit_vectors(
        module, inputs, targets, learns, losses_of, settings.epochs, settings.batch, settings.rate, settings.head_rate
    ),
    settle=MeanVectors.keep_last,
    snippets=PartSnippets(
        encode=lambda settings: "neighbour_pieces(rows, list(TEXTS))",
        build=lambda settings, outputs: (
            f'mean_vectors("neighbours", inputs["neighbours"], most={settings.most}, members={MEMBERS}, '
            f"size={settings.size}, outputs={outputs})"
        ),
        learns=lambda settings: f"learning_and_all(folds, {MEMBERS})",
        fit=lambda settings: (
            "fit_vectors",
            f"epochs={settings.epochs}, batch={settings.batch}, rate={settings.rate!r}, "
            f"head_rate={settings.head_rate!r}",
        ),
        settle="keep_last()",
    ),
)


def _build_meaning(texts: Spelt, settings: MeaningSettings, outputs: int) -> Meaning:
    """The part with the encoder that lies in its folder; refused where that is not the one that the plan tells of."""
    found = pretrained_in(Path(settings.folder))
    for name, now, planned in (("heads", found.heads, settings.heads), ("lower", found.lower, settings.lower)):
        if now != planned:
            told = f"[meaning] says {name} {str(planned).lower()}, and that is {str(now).lower()}"
            raise Refused(f"{settings.folder} holds another encoder than the plan was made for: {told}.")
    return meaning_sums("meaning", texts, sentence_encoder(settings.folder, settings.heads), MEMBERS, outputs)


def _rebuild_meaning(tensors: Mapping[str, Tensor], settings: MeaningSettings, outputs: int) -> Meaning:
    own = {name.removeprefix("encoder."): each for name, each in tensors.items() if name.startswith("encoder.")}
    encoder = SentenceEncoder(settings.heads, own)
    known = encoder.known()
    if not known.keys() >= set(MARKS) or max(known.values()) >= len(encoder.words):
        raise ValueError("the words of its encoder are not those that it has vectors for")
    return Meaning("meaning", encoder, len(tensors["weight"]), 1, outputs)


MEANING: KindPart[TextSettings, MeaningSettings] = KindPart(
    name="meaning",
    block="meaning",
    told="what texts mean, by a pretrained encoder",
    folds=FOLDS,
    settings=MeaningSettings,
    reasons={
        "folder": "asked for: a pretrained encoder, which stays as it is",
        "decay": "the first of some that are tried: held-out rows choose",
    },
    encode=lambda rows, columns, settings: spelt(rows, list(columns), settings.lower),
    build=_build_meaning,
    rebuild=_rebuild_meaning,
    learns=lambda folds, settings: learning_and_all(folds, MEMBERS),
    fit=lambda module, inputs, targets, learns, losses_of, settings: fit_meaning(
        module, inputs, targets, learns, losses_of, settings.epochs, settings.decay, settings.fall
    ),
    settle=Meaning.keep_last,
    snippets=PartSnippets(
        encode=lambda settings: f"spelt(rows, list(TEXTS), lower={settings.lower})",
        build=lambda settings, outputs: (
            f"meaning_sums(\n"
            f'    "meaning", inputs["meaning"], sentence_encoder({settings.folder!r}, heads={settings.heads}),\n'
            f"    members={MEMBERS}, outputs={outputs},\n"
            ")"
        ),
        learns=lambda settings: f"learning_and_all(folds, {MEMBERS})",
        fit=lambda settings: (
            "fit_meaning",
            f"epochs={settings.epochs}, decay={settings.decay!r}, fall={settings.fall!r}",
        ),
        settle="keep_last()",
    ),
)


def _constants(columns: Mapping[str, TextSettings]) -> str:
    items = [f"{name!r}: {settings.common}" for name, settings in columns.items()]
    return in_brackets("TEXTS = {", items, "}", "each column of text, and how many common words a line counts")


TEXT = Kind(
    name="text",
    block="common_words",
    settings=TextSettings,
    modules=(None, Scaled),
    claim=claim,
    learn=learn,
    encode=encode,
    network_features=None,
    line_features=lambda values, learned: scaled(values),
    strays=lambda cells, settings: pl.repeat(False, len(cells), eager=True),
    snippets=Snippets(
        constants=_constants,
        learn="common = {name: common_words(rows[name].gather(train), most) for name, most in TEXTS.items()}",
        encode="word_marks(rows, common)",
        network_features=None,
        line_features='scaled(inputs["common_words"])',
    ),
    parts=(WORDS, COUNTS, LETTERS, VECTORS, MEANING),
    part_settings=part_settings,
    occlusion=Occlusion(
        changes=words_left_out,
        with_changes=with_changes,
        cell=TEXT_OF_ROW,
        cells_of=texts_of,
        noun="different word",
        done="left out",
        most=200,
        told='"{part}"',
        letters="",
        in_report=4_000_000,
    ),
)
