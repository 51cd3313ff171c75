"""Numbers and small sentences as they stand in captions and tables."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import chain, count

from firstlight.evaluate.wording import named


def number(value: float, digits: int = 4) -> str:
    """The first few digits, thousands parted by a narrow space: 1 152 048, 44.45, −0.0213."""
    if not math.isfinite(value):
        return "–"
    return _typeset(f"{value:,.0f}" if abs(value) >= 1000 else f"{value + 0.0:.{digits}g}")  # + 0.0: no minus zero


def aligned(values: Sequence[float], digits: int = 4) -> tuple[str, ...]:
    """Numbers of one column with equally many decimals: the first digits of the largest, no idle zeros."""
    largest = max((abs(value) for value in values), default=0.0)
    if not 1e-4 <= largest < 1e15 or not all(map(math.isfinite, values)):
        return tuple(map(number, values))
    decimals = max(0, digits - 1 - math.floor(math.log10(largest)))
    texts = [f"{value:,.{decimals}f}" for value in values]
    while "." in texts[0] and all(text.endswith(("0", ".")) for text in texts):
        texts = [text[:-1] for text in texts]
    return tuple(map(_typeset, texts))


def _typeset(text: str) -> str:
    return text.replace(",", "\u202f").replace("-", "−")


def spaced(text: str) -> str:
    """Numbers written for a terminal as a page has them: thousands parted by a narrow blank, a true minus."""
    return re.sub(r"(?<=\d) (?=\d{3}(?!\d))", "\u202f", re.sub(r"(?<![\w.])-(?=\d)", "−", text))


def told_apart(names: Sequence[str]) -> tuple[str, ...]:
    """Names of strangers, each as short as a chart can show and no two alike."""
    shown: dict[str, None] = {}
    for name in names:
        short = named(name) or "(empty)"
        endings = (f" ({place})" for place in count(2))
        shown[next(each for each in chain([short], map(short.__add__, endings)) if each not in shown)] = None
    return tuple(shown)


def joined(parts: Sequence[str]) -> str:
    """Parts of a sentence: "a, b and c"; "" for none."""
    return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


def counted(many: int, noun: str) -> str:
    """ "1 row", "1 152 rows", "2 categories"."""
    several = f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{number(many)} {noun if many == 1 else several}"


def bytes_of(size: int) -> str:
    """ "12 kB", "4.6 MB"."""
    return f"{max(1, round(size / 1000))} kB" if size < 999_500 else f"{size / 1_000_000:.1f} MB"


def times(many: int) -> str:
    """ "once", "2 times"."""
    return "once" if many == 1 else f"{number(many)} times"


def three_decimals(value: float) -> str:
    """0.034; four digits where three decimals would show nothing or too much."""
    return f"{value:.3f}" if 0.001 <= abs(value) < 1000 or value == 0 else number(value)


def with_space(unit: str) -> str:
    """What follows a number: " %", or nothing where there is no unit."""
    return f" {unit}" if unit else ""


def percent(part: float, whole: float) -> str:
    """43.5 %"""
    return f"{100 * part / max(whole, 1):.1f} %"


def sentences(*parts: str) -> str:
    """Those that say something, one after the other."""
    return " ".join(part for part in parts if part)


def gaps_said(gaps: int) -> str:
    """How many rows have no value, or nothing where all have one."""
    return f"{number(gaps)} {'row has a gap' if gaps == 1 else 'rows have gaps'}." if gaps else ""


def far_values_said(left_out: int) -> str:
    """How many values a histogram leaves out, or nothing where it shows all."""
    if not left_out:
        return ""
    return (
        "1 value lies beyond what is drawn."
        if left_out == 1
        else f"{number(left_out)} values lie beyond what is drawn."
    )
