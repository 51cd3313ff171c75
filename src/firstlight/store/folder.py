"""The run folder: plan.toml, model.safetensors, metrics.json, log.jsonl, and rows.parquet where rows must be kept."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from firstlight.data.table import Table
from firstlight.evaluate.stored import as_json
from firstlight.files import write_whole
from firstlight.model.fitting import Epoch
from firstlight.plan.document import to_toml
from firstlight.plan.plan import Plan
from firstlight.refusal import Refused
from firstlight.store.model_file import FILE_NAME
from firstlight.store.run import Run

PLAN, METRICS, LOG, REPORT, SCRIPT, ROWS, TEST_ROWS = (
    "plan.toml", "metrics.json", "log.jsonl", "report.html", "train.py", "rows.parquet", "test_rows.parquet",
)  # fmt: skip
LOCK = ".fitting"


def free_folder(name: str, base: Path = Path("runs")) -> Path:
    """runs/NAME, or runs/NAME-2 and so on where that is taken: an earlier run is never written over unasked."""
    folder, number = base / name, 2
    while folder.exists():
        folder, number = base / f"{name}-{number}", number + 1
    return folder


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Holds the folder for one fit; a second fit into it meanwhile is refused."""
    lock = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_a_living_owner(lock, folder)
        lock.write_text(str(os.getpid()), encoding="utf-8")
    except OSError as error:
        raise Refused(f"{folder} cannot be written to: {(error.strerror or str(error)).lower()}.") from error
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        with suppress(OSError):  # a fit that came to nothing leaves nothing; a folder with files in it stays
            folder.rmdir()


def _refuse_a_living_owner(lock: Path, folder: Path) -> None:
    try:
        owner = int(lock.read_text(encoding="utf-8"))
        os.kill(owner, 0)  # signal 0 asks whether the process lives, and does nothing to it
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return
    except PermissionError:
        pass
    if owner != os.getpid():
        raise Refused(f"another fit (process {owner}) is writing into {folder}; wait for it, or choose another --out.")


def write_plan(folder: Path, plan: Plan) -> None:
    """plan.toml: each decision with its reason."""
    write_whole(folder / PLAN, to_toml(plan))


def write_copies(folder: Path, table: Table, test_table: Table | None) -> None:
    """The rows of a source that cannot be read again in the same way, as parquet; the others stay where they are."""
    for source, name in ((table, ROWS), (test_table, TEST_ROWS)):
        if source is None or source.reading.exact:
            (folder / name).unlink(missing_ok=True)  # an earlier run's
            continue
        buffer = io.BytesIO()
        source.frame.write_parquet(buffer)
        write_whole(folder / name, buffer.getvalue())


def write_log(folder: Path, history: Sequence[Epoch], kept: str) -> None:
    """log.jsonl: a line an epoch."""
    lines = [
        {
            "part": epoch.part,
            "epoch": epoch.number,
            "training_loss": epoch.training_loss,
            "held_out_loss": epoch.held_out_loss,
        }
        for epoch in history
    ]
    write_whole(folder / LOG, "".join(json.dumps(line) + "\n" for line in [*lines, {"kept": kept}]))


def write_metrics(folder: Path, run: Run) -> None:
    """metrics.json: the verdict, the scores, how often the test rows were looked at, and how long it took."""
    metrics: dict[str, Any] = {
        "verdict": run.verdict,
        "kept": run.predictor.kept,
        "looks": run.looks,
        "held_out_losses": dict(run.predictor.held_out_losses),
        "evaluation": as_json(run.evaluation) if run.evaluation else None,
        "notes": list(run.notes),
        "seconds": run.seconds,
    }
    write_whole(folder / METRICS, json.dumps(metrics, indent=1) + "\n")


def read_metrics(folder: Path) -> dict[str, Any]:
    """What metrics.json says; empty where there is none or it cannot be read."""
    try:
        metrics = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return metrics if isinstance(metrics, dict) else {}


def model_path(place: Path) -> Path:
    """The model file at a place: the file itself, or the one in a run folder."""
    return place / FILE_NAME if place.is_dir() else place
