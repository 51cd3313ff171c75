"""A folder of text files, one example each; folders in it, where there are any, are the classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from firstlight.data.encoding import SPOKEN, Encoding, text_of
from firstlight.data.packing import unpack
from firstlight.data.places import Source, short_name
from firstlight.data.table import Reading, Table
from firstlight.data.wording import are, notes_on_files
from firstlight.refusal import Refused
from firstlight.wording import counted, whole


@dataclass(frozen=True, eq=False)
class _Example:
    path: str
    text: str
    encoding: Encoding
    changed: bool


def read_text_folder(location: str, sources: Sequence[Source], notes: Sequence[str]) -> Table:
    """The files as columns path and text, and label where each lies in the folder of its class.

    A file that is no text, or holds none, costs its row and is named. Raises Refused where no file is left.
    """
    examples: list[_Example] = []
    refusals: list[str] = []
    oddities: dict[str, list[str]] = {}
    for source in sources:
        try:
            examples.append(_example(source, oddities))
        except Refused as refusal:
            refusals.append(str(refusal))
    if not examples:
        raise Refused(f"{location}: none of its {whole(len(sources))} files can be read; {refusals[0]}")
    said = [*notes, *notes_on_files(oddities)]
    if refusals:
        said.append(f"{counted(len(refusals), 'file')} cannot be read and {are(len(refusals))} left out: {refusals[0]}")
    frame = pl.DataFrame(
        {"path": [example.path for example in examples], "text": [example.text for example in examples]}
    )
    classes = all("/" in source.inner for source in sources)
    if classes:
        frame = frame.with_columns(label=pl.col("path").str.split("/").list.first())
    encodings = sorted({example.encoding for example in examples})
    exact = len(encodings) == 1 and not any(example.changed for example in examples)
    exact = exact and [example.path for example in examples] == _read_by_the_script(location)
    spoken = " and ".join(SPOKEN.get(encoding, encoding) for encoding in encodings)
    reading = Reading(
        location=location,
        name=short_name(location),
        paths=(location,),
        reader="text_classes" if classes else "text_files",
        options={"encoding": encodings[0]},
        exact=exact,
        summary=", ".join(["a text a file", spoken, *(["label by folder"] if classes else [])]),
    )
    return Table(frame, reading, tuple(said))


def _example(source: Source, oddities: dict[str, list[str]]) -> _Example:
    held, notes = unpack(source)
    text = text_of(held.content(), source.location)
    content = text.content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n").strip()
    if not content:
        raise Refused(f"{source.location} holds no text.")
    for note in (*notes, *text.notes):
        oddities.setdefault(note, []).append(source.inner)
    return _Example(source.inner, content, text.encoding, text.changed or bool(held.packed))


def _read_by_the_script(location: str) -> list[str]:
    """The files that `plain.reading.read_text_files` takes, in its order."""
    return [path.relative_to(location).as_posix() for path in sorted(Path(location).rglob("*.txt"))]
