"""The names of a plain csv's columns, from its first lines alone, so that a misspelt name is answered at once.

It uses the standard library only, and says nothing (None) wherever the real reader might see more than it does.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

PEEK = 65_536  # bytes
LINES = 6  # that must have as many cells as the header
PLAIN_NAME = re.compile(r"[A-Za-z_][\w .()/%-]*(?<! )")


def header_of(path: Path) -> tuple[str, ...] | None:
    """The columns' names where the file begins as the plainest of csv files do; None where there is any doubt."""
    if path.suffix.lower() == ".txt":  # it may hold a text a line, with commas
        return None
    try:
        with path.open("rb") as stream:
            text = stream.read(PEEK).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None
    if not text.isprintable() and re.search(r"[^\x20-\x7e\n\r\t\x80-\U0010ffff]", text):
        return None  # no text, or an odd one
    lines = text.splitlines()[: LINES + 1]
    if len(lines) < 2 or '"' in "".join(lines):
        return None
    for separator in ",;\t|":
        rows = list(csv.reader(lines, delimiter=separator))
        names = rows[0]
        if (
            len(names) > 1
            and len({len(row) for row in rows}) == 1
            and len(set(names)) == len(names)
            and all(PLAIN_NAME.fullmatch(name) for name in names)
        ):
            return tuple(names)
    return None
