"""The run folder: plan, model, metrics, log, report and script, and rows.parquet where rows must be kept.

All of it is put together in a draft folder inside, which also holds the folder for one fit, and moved out at the end.
"""

from __future__ import annotations

import io
import json
import os
import shutil
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
RUN_FILES = (PLAN, FILE_NAME, METRICS, LOG, REPORT, SCRIPT, ROWS, TEST_ROWS)
DRAFT, OWNER = ".fitting", "process"


def free_folder(name: str, base: Path = Path("runs")) -> Path:
    """runs/NAME, or runs/NAME-2 and so on where that is taken: an earlier run is never written over unasked."""
    folder, number = base / name, 2
    while folder.exists():
        folder, number = base / f"{name}-{number}", number + 1
    return folder


@contextmanager
def claimed(folder: Path) -> Iterator[Path]:
    """Holds the folder for one fit, and yields its draft; a second fit into it meanwhile is refused."""
    draft = folder / DRAFT
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _make_draft(draft, folder)
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        with suppress(OSError):  # a fit that came to nothing leaves nothing; a folder with files in it stays
            folder.rmdir()


def _make_draft(draft: Path, folder: Path) -> None:
    try:
        draft.mkdir()
    except FileExistsError:
        _refuse_a_living_owner(draft, folder)
        shutil.rmtree(draft)  # of a fit that was killed
        draft.mkdir()
    (draft / OWNER).write_text(str(os.getpid()), encoding="utf-8")


def _refuse_a_living_owner(draft: Path, folder: Path) -> None:
    try:
        owner = int((draft / OWNER).read_text(encoding="utf-8"))
        os.kill(owner, 0)  # signal 0 asks whether the process lives, and does nothing to it
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return
    except PermissionError:
        pass
    if owner != os.getpid():
        raise Refused(f"another fit (process {owner}) is writing into {folder}; wait for it, or choose another --out.")


def sizes_in(folder: Path) -> dict[str, int]:
    """The files in a folder, by name, and how large they are: bytes."""
    return {path.name: path.stat().st_size for path in folder.iterdir()}


def publish(draft: Path, folder: Path) -> None:
    """Moves the whole run out of its draft at once; of an earlier run in the folder nothing stays beside it."""
    try:
        for name in RUN_FILES:
            if (draft / name).exists():
                (draft / name).replace(folder / name)
            else:
                (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> Refused:
    return Refused(f"{folder} cannot be written to: {(error.strerror or str(error)).lower()}.")


def write_plan(folder: Path, plan: Plan) -> None:
    """plan.toml: each decision with its reason."""
    write_whole(folder / PLAN, to_toml(plan))


def write_copies(folder: Path, table: Table, test_table: Table | None) -> None:
    """The rows of a source that cannot be read again in the same way, as parquet; the others stay where they are."""
    for source, name in ((table, ROWS), (test_table, TEST_ROWS)):
        if source is None or source.reading.exact:
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
