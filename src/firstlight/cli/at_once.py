"""What can be refused before anything heavy is loaded: a wrong path, a misspelt column, a file that is no model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from firstlight.refusal import Refused, column_named

if TYPE_CHECKING:
    from firstlight.data.table import Table


def refuse_wrong_source(source: str) -> None:
    """Raises Refused where a source is not there."""
    from firstlight.data.places import sources_at

    if not _has_no_files(source):
        sources_at(source)


def refuse_missing_file(path: Path) -> None:
    """Raises Refused where a file is not there."""
    from firstlight.data.places import file_at

    file_at(str(path))


def table_with(
    source: str, sheet: str | None, columns: Sequence[str | None], *, target_needed: bool = False,
    label: str | None = None, labels: str | None = None,
) -> Table:  # fmt: skip
    """The table in a source, read before torch is loaded; Refused where it lacks one of the columns.

    columns: names, None where none was typed; the first is the target's, which may be needed. In a plain csv they are
    looked for in the first lines, before anything is loaded that could read a table.
    """
    refuse_wrong_source(source)
    from firstlight.data.peek import header_of

    if sheet is None and labels is None and Path(source).is_file() and (names := header_of(Path(source))) is not None:
        _refuse_missing(columns, names, source, target_needed=target_needed)
    from firstlight.data.sources import read

    table = read(source, sheet=sheet, label=label, labels=labels)
    _refuse_missing(columns, table.frame.columns, source, target_needed=target_needed and not table.own_target)
    return table


def _refuse_missing(columns: Sequence[str | None], found: Sequence[str], source: str, *, target_needed: bool) -> None:
    if target_needed and columns[0] is None:
        first = ", ".join(found[:12]) + (f" and {len(found) - 12} more" if len(found) > 12 else "")
        raise Refused(f"name the column to predict by --target; {Path(source).name} has {first}.")
    for name in columns:
        if name is not None:
            column_named(name, found, Path(source).name)


def refuse_wrong_model(model: str) -> None:
    """Raises Refused where there is no sound model file."""
    from firstlight.store.audit import audit

    place = Path(model)
    audit(place / "model.safetensors" if place.is_dir() else place)


def refuse_wrong_ending(out: Path) -> None:
    """Raises Refused where answers cannot be written under this name."""
    from firstlight.data.rows import SUFFIXES

    if out.suffix.lower() not in SUFFIXES:
        raise Refused(f"{out} ends in none of {', '.join(SUFFIXES)}; name the file after one of these formats.")


def refuse_file_there(out: Path) -> None:
    """Raises Refused where a file is there already, which someone may have edited."""
    if out.exists():
        raise Refused(f"{out} is there already; name another file with -o.")


def refuse_own_source(out: Path, source: str) -> None:
    """Raises Refused where the answers to rows would be written over these rows."""
    if not out.exists() or _has_no_files(source):
        return
    from firstlight.data.places import sources_at

    if any(file.path and out.samefile(file.path) for file in sources_at(source)):
        raise Refused(f"{out} is what the rows are read from; name another file with -o.")


def _has_no_files(source: str) -> bool:
    """Whether a source is gone when it has been read, or is a database."""
    from firstlight.data.places import gives_once

    return gives_once(source) or source.startswith("sqlite:")
