"""Numbers and nouns, as a person would write them in a sentence."""

from __future__ import annotations


def whole(number: int) -> str:
    """A whole number with its thousands apart.

    >>> whole(7043)
    '7 043'
    """
    return f"{number:,}".replace(",", " ")


def counted(number: int, noun: str) -> str:
    """So many of something.

    >>> counted(1, "row"), counted(7043, "row")
    ('1 row', '7 043 rows')
    """
    return f"{whole(number)} {noun}{'' if number == 1 else 's'}"
