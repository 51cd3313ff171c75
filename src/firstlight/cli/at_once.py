"""What can be refused before anything heavy is loaded: a wrong path, a misspelt column, a file that is no model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from firstlight.refusal import Refused, column_named

STANDARD_INPUT = "-"
LARGE = 64_000_000  # bytes; a table of more is read once only, which is the longer wait


def refuse_wrong_source(source: str) -> None:
    """Raises Refused where a source is not there."""
    from firstlight.data.places import sources_at

    if not (_once_only(source) or source.startswith("sqlite:")):
        sources_at(source)


def refuse_missing_file(path: Path) -> None:
    """Raises Refused where a file is not there."""
    from firstlight.data.places import file_at

    file_at(str(path))


def refuse_wrong_columns(
    source: str, sheet: str | None, columns: Sequence[str | None], *, target_needed: bool = False
) -> None:
    """Raises Refused where a source is not there, is no table, or lacks one of the columns.

    columns: names, None where none was typed; the first is the target's, which may be needed.
    """
    refuse_wrong_source(source)
    if _once_only(source) or (Path(source).is_file() and Path(source).stat().st_size > LARGE):
        if target_needed and columns[0] is None:
            raise Refused("name the column to predict by --target.")
        return
    from firstlight.data.sources import read

    found = read(source, sheet=sheet).frame.columns
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


def _once_only(source: str) -> bool:
    """Whether a source is gone when it has been read."""
    return source == STANDARD_INPUT or Path(source).is_fifo()
