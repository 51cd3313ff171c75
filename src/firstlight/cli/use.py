"""`firstlight predict`, `evaluate`, `inspect` and `eject`: what is done with a model."""

from __future__ import annotations

from pathlib import Path

from firstlight.cli.fit_told import score_table, verdict_lines
from firstlight.cli.inspection import inspection_told
from firstlight.cli.paper import Paper, console, counted
from firstlight.data.rows import write_table
from firstlight.looking import inspect
from firstlight.using import eject, evaluate, load, predict


def run_predict(model: str, source: str, sheet: str | None, out: Path) -> None:
    """Writes the answers to a file, and says what was met."""
    answered = predict(model, source, sheet=sheet)
    write_table(answered.frame, out)
    paper = Paper(console(), gutter=0)
    paper.say(f"{_name(source)}: predicted {counted(answered.frame.height, 'row')} into {out}")
    _notes(paper, answered.notes)


def run_evaluate(model: str, source: str | None, sheet: str | None) -> None:
    """The scores, the verdict, and how often these rows were looked at."""
    found = evaluate(load(model), source, sheet=sheet)
    paper = Paper(console(), gutter=0)
    paper.say(f"On {found.rows}; look {found.looks} at them{'' if found.recorded else ', which is not recorded'}")
    score_table(Paper(paper.console, gutter=2), found.evaluation)
    _notes(paper, found.notes)
    paper.blank()
    verdict_lines(paper, found.verdict)
    if not found.recorded:
        paper.say("The model file lies without its run folder, so the looks at these rows cannot be counted.")


def run_inspect(model: str, source: str | None, sheet: str | None) -> None:
    """The modules, the parameters as they were and are, and a batch on its way through."""
    inspection_told(Paper(console(), gutter=0), inspect(model, source, sheet=sheet))


def run_eject(model: str, out: Path) -> None:
    """Writes the script."""
    script = eject(model, out)
    paper = Paper(console(), gutter=0)
    paper.say(f"{out}: the whole fit as plain PyTorch, {len(script.splitlines())} lines")
    paper.say(f"It needs torch, numpy and polars, not firstlight, and retrains to the same bits: python {out}")


def _notes(paper: Paper, notes: tuple[str, ...]) -> None:
    """Notes of the form "column: what was met" as two columns."""
    parts = [note.partition(": ") for note in notes]
    Paper(paper.console, gutter=2).rows([(head, tail) if found else ("", head) for head, found, tail in parts])


def _name(source: str) -> str:
    return "standard input" if source == "-" else Path(source).name
