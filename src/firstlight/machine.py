"""What is known of this machine: figures that are measured once and kept in the user's cache folder."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from pathlib import Path

from firstlight.files import write_whole
from firstlight.refusal import Refused


def measured_once(what: str, measure: Callable[[], float]) -> float:
    """The figure of this machine, above 0: from the cache folder, else measured and put there."""
    path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "firstlight" / "machine.json"
    name = f"{platform.machine()} {what}"
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(known, dict) and isinstance(known.get(name), float) and known[name] > 0:
            return float(known[name])
    except (OSError, ValueError):
        known = {}
    figure = measure()
    known = {**known, name: figure} if isinstance(known, dict) else {name: figure}
    try:
        write_whole(path, json.dumps(known, indent=1))
    except Refused:
        pass  # a folder that cannot be written to costs a measurement each time, not the fit
    return figure
