"""A page that a person looks at: chapters of charts, tables, words and a script, in one self-contained file.

In: the blocks below, made by whoever has something to show. Out: html that fetches nothing, in which every
cell, label and title of a stranger stays text. Its Content-Security-Policy lets exactly the page's own
scripts and style run, each named by its digest, so that the browser would stop what escaping might miss.
"""

from __future__ import annotations

import math
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Literal, TypeAlias

from jinja2 import Environment, StrictUndefined, Template
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from firstlight.report import theme
from firstlight.report.libraries import chart_library
from firstlight.report.logo import OUTLINES, strips

if TYPE_CHECKING:
    import altair as alt


@dataclass(frozen=True)
class Grid:
    """A table of words. Columns in which every cell is a number are set to the right."""

    question: str  # a sentence, the heading; "" for none
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]  # as many cells a row as there are columns
    caption: str  # what to make of it; "" for nothing
    marked: int | None = None  # the row that stands out, counted from 0

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(f"row {number} has {len(row)} cells for {len(self.columns)} columns")


@dataclass(frozen=True, eq=False)
class Figure:
    """One chart that answers one question. Its width is the page's; its height its own."""

    question: str  # a sentence, the heading
    chart: alt.TopLevelMixin
    caption: str  # says in words what the chart shows: the text that stands in for it
    numbers: Grid | None = None  # the same as a table, folded away below the chart


@dataclass(frozen=True)
class Prose:
    """Paragraphs, parted by blank lines. The first of a page's lead is set in large type: the verdict."""

    text: str


@dataclass(frozen=True)
class Points:
    """A few sentences under one heading, each a point of its own."""

    title: str  # "" for none
    points: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Gallery:
    """Small charts side by side, which answer one question together; each is headed by its own, shorter one."""

    question: str  # a sentence, the heading of all
    figures: tuple[Figure, ...]
    caption: str


@dataclass(frozen=True)
class Piece:
    """A piece of a passage, marked where it speaks for or against the answer.

    effect: what it did, as it stands beside the mark; "" where that was said before.
    """

    text: str
    mark: Literal["", "for", "against"] = ""
    effect: str = ""


@dataclass(frozen=True)
class Passage:
    """A text in which some words are marked by what they did; `lead` says whose it is, and what was answered."""

    lead: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Passages:
    """Texts with marked words."""

    question: str  # a sentence, the heading
    passages: tuple[Passage, ...]
    caption: str


@dataclass(frozen=True)
class Logo:
    """A sequence drawn as letters, each as high as what it did; below the line what spoke against the answer."""

    question: str  # a sentence, the heading
    letters: str  # one a column of heights, such as "ACGT"
    heights: tuple[tuple[float, ...], ...]  # a row for each place in the sequence
    caption: str  # says in words what it shows: the text that stands in for it
    numbers: Grid | None = None
    first: int = 1  # the number of the first place

    def __post_init__(self) -> None:
        if not set(self.letters) <= set(OUTLINES):
            raise ValueError(f"no outline is known for some of the letters {self.letters!r}")
        for place, row in enumerate(self.heights):
            if len(row) != len(self.letters) or not all(map(math.isfinite, row)):
                raise ValueError(f"place {place} needs {len(self.letters)} finite heights; got {row}")


@dataclass(frozen=True)
class Shot:
    """A small picture."""

    data: str  # an address that holds all of it: data:image/jpeg;base64,...
    width: int  # pixels
    height: int
    alt: str  # stands in for it
    caption: str  # below it; "" for none


@dataclass(frozen=True)
class Shelf:
    """Small pictures side by side."""

    title: str  # "" for none
    shots: tuple[Shot, ...]


@dataclass(frozen=True)
class Sheet:
    """Shelves of small pictures, one below the other."""

    question: str  # a sentence, the heading
    shelves: tuple[Shelf, ...]
    caption: str


@dataclass(frozen=True)
class Script:
    """A Python script, whole, with a button that copies it."""

    title: str
    source: str


@dataclass(frozen=True, eq=False)
class Folded:
    """Blocks behind a line that opens them."""

    summary: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, eq=False)
class Chapter:
    """One step of the six."""

    title: str  # "1 Prepare"
    lead: str  # a sentence or two; "" for none
    blocks: tuple[Block, ...]


Block: TypeAlias = Figure | Gallery | Grid | Prose | Points | Passages | Logo | Sheet | Script | Folded


def render(title: str, lead: tuple[Block, ...], chapters: tuple[Chapter, ...]) -> str:
    """One html file with everything in it: the same blocks give the same bytes.

    title: the page's name, of the browser's tab too.
    lead: what matters first, above the chapters.
    """
    style = _text_of("page.css")
    scripts = (chart_library(), _text_of("page.js"))
    return _template().render(
        title=title,
        lead=lead,
        chapters=chapters,
        style=Markup(style),
        scripts=[Markup(script) for script in scripts],
        theme=_json(theme.CONFIG),
        policy=_policy(scripts, style),
    )


def _policy(scripts: Sequence[str], style: str) -> str:
    """The Content-Security-Policy: nothing is fetched, and nothing runs but what stands here."""
    named = " ".join(map(_digest, scripts))
    return (
        f"default-src 'none'; script-src {named}; style-src {_digest(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    environment.filters |= {
        "specification": _specification,
        "coloured": _coloured,
        "paragraphs": _paragraphs,
        "close": _close,
        "strips": lambda logo: strips(logo.letters, logo.heights, logo.first),
    }
    environment.tests |= {
        "figure": lambda block: isinstance(block, Figure),
        "grid": lambda block: isinstance(block, Grid),
        "gallery": lambda block: isinstance(block, Gallery),
        "points": lambda block: isinstance(block, Points),
        "passages": lambda block: isinstance(block, Passages),
        "logo": lambda block: isinstance(block, Logo),
        "sheet": lambda block: isinstance(block, Sheet),
        "prose": lambda block: isinstance(block, Prose),
        "script": lambda block: isinstance(block, Script),
        "folded": lambda block: isinstance(block, Folded),
        "numeric": _numeric,
    }
    return environment.from_string(_text_of("page.html.jinja"))


def _text_of(name: str) -> str:
    return files("firstlight.report").joinpath(name).read_text(encoding="utf-8")


def _specification(figure: Figure) -> Markup:
    """The chart as JSON that may stand in a <script> element."""
    chart: dict[str, object] = figure.chart.to_dict(validate=False)  # checking takes half of the time
    # Altair's default size gives way to the page's; what the chart's author set stays.
    config = _mapping(chart.pop("config", None))
    view = dict(_mapping(config.get("view")))
    for key in ("continuousWidth", "continuousHeight"):
        view.pop(key, None)
    chart.pop("$schema", None)
    return _json(chart | {"config": {**config, "view": view}})


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _json(value: object) -> Markup:
    return htmlsafe_json_dumps(_finite(value), separators=(",", ":"), allow_nan=False)


def _finite(value: object) -> object:
    """The same with null for NaN and infinity, which JSON lacks; Vega-Lite leaves such points out."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: _finite(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_finite(inner) for inner in value]
        case _:
            return value


def _coloured(source: str) -> Markup:
    """Python with its comments, strings and keywords told apart; Pygments escapes it."""
    return Markup(highlight(source, PythonLexer(), HtmlFormatter(nowrap=True)))


def _paragraphs(text: str) -> list[str]:
    return [paragraph.strip() for paragraph in re.split(r"\n\s*\n", text) if paragraph.strip()]


def _close(text: str) -> str:
    """Number and percent sign kept on one line."""
    return re.sub(r"(?<=\d) %", "\u00a0%", text)


# 98.6 %   −0.021   1 152 048   92.2 – 99.7   3/4   1e-05   12 kB
_NUMBER = re.compile(r"[-−+±≥≤<>~]?\s?\d[\d\s.,/–−]*(e[-+−]?\d+)?\s?(%|ms|s|h|min|kB|MB)?", re.IGNORECASE)


def _numeric(column: Sequence[str]) -> bool:
    """Whether every cell that is filled is a number, a percentage or an interval, and one is."""
    filled = [cell.strip() for cell in column if cell.strip() not in {"", "–", "—"}]
    return bool(filled) and all(_NUMBER.fullmatch(cell) for cell in filled)
