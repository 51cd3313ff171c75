"""What firstlight says when it cannot do what was asked: one sentence, and no traceback."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches


class Refused(Exception):
    """One sentence: what is wrong, where (file, row, column), and what to do about it.

    The command line prints it and ends with exit status 2; in Python it is the exception.
    Anything else that is raised is a bug of firstlight's.
    """


def nearest(wanted: str, names: Sequence[str]) -> str | None:
    """The name most like the wanted one, letter case aside, or None where nothing is near."""
    by_folded = {name.casefold(): name for name in names}
    near = get_close_matches(wanted.casefold(), by_folded, n=1)
    return by_folded[near[0]] if near else None


def column_named(wanted: str, columns: Sequence[str], source: str) -> str:
    """The column called `wanted`, or a refusal that names the nearest one, or the first few there are."""
    if wanted in columns:
        return wanted
    if near := nearest(wanted, columns):
        raise Refused(f"{source} has no column {wanted!r}; did you mean {near!r}?")
    first = ", ".join(map(repr, columns[:5]))
    more = f" and {len(columns) - 5} more" if len(columns) > 5 else ""
    raise Refused(f"{source} has no column {wanted!r}; it has {first}{more}.")
