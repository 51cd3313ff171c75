"""`firstlight predict`, `evaluate`, `inspect` and `eject`: what is done with a model."""

from __future__ import annotations

from pathlib import Path

from firstlight.cli.fit_told import score_table, verdict_lines
from firstlight.cli.inspection import inspection_told
from firstlight.cli.paper import Paper, console, source_named
from firstlight.data.rows import write_table
from firstlight.data.sources import read
from firstlight.evaluate.wording import listed, significant
from firstlight.inspecting import inspect
from firstlight.model.predictions import Predictions
from firstlight.store.run import Run
from firstlight.using import eject, evaluate, load, predict
from firstlight.wording import counted

MOST_EXPLAINED = 3  # rows of which the terminal says what moved the answer; the file says it of all


def run_predict(model: str, source: str, sheet: str | None, out: Path, *, why: bool) -> None:
    """Writes the answers to a file, and says what was met, and what moved the first answers."""
    run = load(model)
    answered = predict(run, source, sheet=sheet, why=why)
    write_table(answered.frame, out)
    paper = Paper(console(), gutter=0)
    paper.say(f"{source_named(source)}: predicted {counted(answered.frame.height, 'row')} into {out}")
    _notes(paper, answered.notes, run)
    if answered.whys:
        _explained(paper, answered, run)


def _explained(paper: Paper, answered: Predictions, run: Run) -> None:
    """What moved the answers to the first rows."""
    first = answered.frame.head(MOST_EXPLAINED)
    unit = "log-odds of the answer" if run.predictor.encoders.labels else f"the unit of {run.target}"
    rows = "the first answer" if len(first) == 1 else f"the first {len(first)} answers"
    paper.say(f"What moved {rows}, each left out in turn (in {unit}):")
    answers = [answer if isinstance(answer, str) else significant(answer, 4) for answer in first[run.target]]
    lines = [
        (f"row {number}", answer, str(reason) or "nothing in the row")
        for number, (answer, reason) in enumerate(zip(answers, answered.whys, strict=False), start=1)
    ]
    Paper(paper.console, gutter=2).rows(lines)


def run_evaluate(model: str, source: str | None, sheet: str | None, label: str | None, labels: str | None) -> None:
    """The scores, the verdict, and how often these rows were looked at."""
    run = load(model)
    forms = run.predictor.plan.source.forms
    table = None if source is None else read(source, sheet=sheet, label=label, labels=labels, forms=forms)
    found = evaluate(run, table)
    paper = Paper(console(), gutter=0)
    paper.say(f"On {found.rows}; look {found.looks} at them{'' if found.recorded else ', which is not recorded'}")
    score_table(Paper(paper.console, gutter=2), found.evaluation)
    _notes(paper, found.notes, run)
    paper.blank()
    verdict_lines(paper, found.verdict)
    if not found.recorded:
        why = f"{run.folder} cannot be written to" if run.folder else "The model file lies without its run folder"
        paper.say(f"{why}, so the looks at these rows cannot be counted.")


def run_inspect(model: str, source: str | None, sheet: str | None) -> None:
    """The modules, the parameters as they were and are, and a batch on its way through."""
    inspection_told(Paper(console(), gutter=0), inspect(model, source, sheet=sheet))


def run_eject(model: str, out: Path) -> None:
    """Writes the script."""
    script = eject(model, out)
    paper = Paper(console(), gutter=0)
    paper.say(f"{out}: the whole fit as plain PyTorch, {len(script.splitlines())} lines")
    others = [name for name, line in (("Pillow", "from PIL import"), ("PyAV", "import av")) if line in script]
    needs = listed(["torch", "numpy", "polars", *others], "and", most=5)
    paper.say(f"It needs {needs}, not firstlight, and retrains to the same bits: python {out}")


def _notes(paper: Paper, notes: tuple[str, ...], run: Run) -> None:
    """What was met: the notes on one column with its name before them, the others as sentences."""
    parts = [(note, *note.partition(": ")[::2]) for note in notes]
    columns = run.predictor.plan.inputs
    indented = Paper(paper.console, gutter=2)
    indented.rows([(head, tail) for _, head, tail in parts if head in columns])
    for note, head, _ in parts:
        if head not in columns:
            indented.say(note)
