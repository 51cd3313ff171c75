"""Files are written whole or not at all: beside their place first, then renamed into it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from firstlight.refusal import Refused


def write_whole(path: Path, content: bytes | str) -> None:
    """Put `content` at `path`, so that a reader finds either the old file or the new one, never a part.

    Folders on the way are made. Raises Refused where the disk is full or the folder cannot be written to.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    beside = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        Path(beside).chmod(0o644)  # mkstemp makes it readable to its owner alone
        Path(beside).replace(path)
    except OSError as error:
        if beside:
            Path(beside).unlink(missing_ok=True)
        raise Refused(f"{path} cannot be written: {(error.strerror or str(error)).lower()}.") from error
