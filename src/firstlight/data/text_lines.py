"""A .txt file with one example a line, where its lines show no columns."""

from __future__ import annotations

import codecs
import re

from firstlight.data.encoding import HIDDEN, SPOKEN, text_of
from firstlight.data.folders import TEXT_SUFFIX, suffix_of
from firstlight.data.layout import SEPARATORS, layout_of, separator_of, usual_width
from firstlight.data.places import STANDARD_INPUT, Source
from firstlight.data.table import Reading, Table
from firstlight.plain.reading import example_lines
from firstlight.refusal import Refused
from firstlight.wording import counted

# Columns are looked for in this many bytes from the beginning.
_SAMPLE = 2**17
# A table's lines have equally many cells but for this share, which leaves room for titles and totals.
TABLE_SHARE = 0.8
# In a sentence a comma is followed by a blank and a word. From this share of all commas on, the text is prose.
PROSE_SHARE = 0.5
_COMMA_AND_WORD = re.compile(rb", +[^\s\d,+-]")
# Line ends of mainframes and of typesetting, which no csv has.
_OTHER_LINE_ENDS = re.compile("[\u0085\u2028\u2029]")


def read_lines(source: Source) -> Table | None:
    """The lines of a .txt file as a column text; None for any other file, and where the lines show columns.

    Raises Refused for what is no text, or holds none.
    """
    if source.location == STANDARD_INPUT or suffix_of(source.location) != TEXT_SUFFIX:
        return None
    held = source.content()
    text = text_of(held, source.location)
    if not text.content.strip():
        raise Refused(f"{source.location} holds nothing but blank lines: there is no text in the file.")
    if _shows_columns(text.content):
        return None
    notes = list(text.notes)
    letters = text.content.decode("utf-8")
    lines, other_ends = _with_line_feeds(letters, notes)
    frame = example_lines([lines])
    if frame.height == 1:
        notes.append("the file is one single example: each line would be one, and it has one line")
    if hidden := int(frame["text"].str.contains(f"[{HIDDEN}]").sum()):
        notes.append(f"hidden characters (no-break or zero-width blanks, say) stand in {counted(hidden, 'line')}")
    as_it_stands = not (text.changed or other_ends or source.packed) and source.path is not None
    # Python takes a mark of byte order for a letter there.
    marked = text.encoding in ("utf-16-le", "utf-16-be") and held.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    summary = ", ".join(["one example a line", SPOKEN.get(text.encoding, text.encoding), *source.packed])
    return Table(
        frame,
        Reading(
            location=source.location,
            name=source.name,
            paths=() if source.path is None else (source.path,),
            reader="text_lines",
            options={"encoding": text.encoding},
            exact=as_it_stands and not marked,
            summary=summary,
        ),
        tuple(notes),
    )


def _shows_columns(content: bytes) -> bool:
    """Whether a separator parts nearly all lines into equally many cells, and is not the comma of sentences."""
    sample = content if len(content) <= _SAMPLE else content[: content.rfind(b"\n", 0, _SAMPLE) + 1 or _SAMPLE]
    separator = separator_of(sample)
    if separator not in SEPARATORS or separator.encode() not in sample:
        return False
    layout = layout_of(sample, separator)
    if not layout.plain_quotes or layout.open_quote:
        layout = layout_of(sample.replace(b'"', b" "), separator)
    cells = layout.cells[layout.ends > layout.starts]
    if separator == "\t":
        return True
    if (cells == usual_width(cells)).mean() < TABLE_SHARE:
        return False
    return separator != "," or len(_COMMA_AND_WORD.findall(sample)) < PROSE_SHARE * sample.count(b",")


def _with_line_feeds(text: str, notes: list[str]) -> tuple[str, bool]:
    """The same lines with a line feed between them, and whether some had ends that only a typesetter knows."""
    others = len(_OTHER_LINE_ENDS.findall(text)) if not text.isascii() else 0
    windows = text.count("\r\n")
    kinds = {
        "Windows": windows,
        "Unix": text.count("\n") - windows,
        "old Mac": text.count("\r") - windows,
        "Unicode's own": others,
    }
    found = [f"{name} {count}" for name, count in kinds.items() if count]
    if len(found) > 1:
        notes.append(f"the line ends are mixed ({', '.join(found)}); each of them ends an example")
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return (_OTHER_LINE_ENDS.sub("\n", plain) if others else plain), others > 0
