"""The six steps of a fit, told as they happen: calm, a line a thing, with a bar while the network learns."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType

from rich.live import Live
from rich.text import Text

from firstlight.checking import ColumnSeen, column_seen, target_told
from firstlight.cli.paper import Paper, source_named
from firstlight.evaluate.evaluation import Evaluation
from firstlight.evaluate.wording import headline, listed, named, percent, thousandths
from firstlight.kinds.category import CATEGORY
from firstlight.model.fitting import Epoch
from firstlight.model.predictor import LINE, NETWORK
from firstlight.plan.plan import LEFT_OUT, Plan
from firstlight.store.folder import PLAN, REPORT, SCRIPT
from firstlight.store.model_file import FILE_NAME
from firstlight.store.run import Run
from firstlight.wording import counted, whole
from firstlight.workflow import Built, Evaluated, Event, Finished, Interrupted, Prepared

BAR = 26  # columns
HINT = "Ctrl-C keeps the best so far"
MOST_LINES = 6  # of one kind of column
MOST_NOTES = 12


class Teller:
    """Tells the events of a fit on paper, and draws the bar while it lasts."""

    def __init__(self, paper: Paper) -> None:
        self.paper = paper
        self.live: Live | None = None
        self.plan: Plan | None = None
        self.history: list[Epoch] = []
        self.interrupted = False
        self.started = 0.0

    def __enter__(self) -> Teller:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_of_bar()

    def tell(self, event: Event) -> None:
        """One event."""
        match event:
            case Prepared():
                self._prepared(event)
            case Built():
                self._built(event)
            case Epoch():
                self._epoch(event)
            case Interrupted():
                self.interrupted = True
            case Evaluated():
                self._evaluated(event)
            case Finished():
                self._finished(event.run)

    def _prepared(self, prepared: Prepared) -> None:
        paper, plan, table = self.paper, prepared.plan, prepared.opened.table
        self.plan = plan
        size = f"{counted(table.frame.height, 'row')}, {counted(table.frame.width, 'column')}, {table.reading.summary}"
        paper.say(f"{source_named(table.reading.location)}: {size}", step="1 Prepare")
        target = plan.target.column
        told = target_told(prepared.opened.rows[target], plan.target, plan.reasons.get("target.task", ""))
        seen = [
            column_seen(prepared.rows.train[column.name], column, plan.reasons.get(f"columns.{column.name}", ""))
            for column in plan.columns
        ]
        paper.rows([(named(target), "target", told), *column_lines(seen)], dim=1)
        paper.say(parted(prepared))
        for suspicion in plan.beware:
            paper.say(f"Beware: {suspicion.sentence}", style="yellow")
        for note in prepared.notes[:MOST_NOTES]:
            paper.say(f"Note: {note}")
        if len(prepared.notes) > MOST_NOTES:
            paper.say(f"Note: {len(prepared.notes) - MOST_NOTES} notes more, in the report.")

    def _built(self, built: Built) -> None:
        network = f"{network_told(self._plan)}, {whole(built.network)} parameters"
        self.paper.say(f"Line: {whole(built.line)} parameters.  Network: {network}", step="2 Build")
        self.started = time.monotonic()
        if self.paper.console.is_terminal and not self.paper.console.is_dumb_terminal:
            self.live = Live(console=self.paper.console, auto_refresh=False, transient=True)
            self.live.start()
            self._draw()

    @property
    def _plan(self) -> Plan:
        if self.plan is None:
            raise ValueError("whatever is told follows the plan")
        return self.plan

    def _epoch(self, epoch: Epoch) -> None:
        self.history.append(epoch)
        self._draw()

    def _draw(self) -> None:
        if self.live is None:
            return
        line = self._bar()
        hint = f"   ({HINT})"
        if len(line) + len(hint) < self.paper.console.width:
            line.append(hint, "dim")
        else:
            line.append(f"\n{'':<{self.paper.gutter}}({HINT})", "dim")
        self.live.update(line, refresh=True)

    def _bar(self) -> Text:
        stroke = "-" if self.paper.ascii_only else "━"
        epochs = self._plan.epochs
        last = self.history[-1] if self.history else None
        name = "network" if len(epochs) == 1 or last is None else last.part
        number, all_of_them = len(self.history), sum(epochs.values())
        done = BAR * number // all_of_them
        line = Text(f"{'3 Fit':<{self.paper.gutter}}", "bold")
        line.append(f"{name} ", "not bold").append(stroke * done, "cyan not bold")
        line.append((" " if self.paper.ascii_only else stroke) * (BAR - done), "dim not bold")
        seconds = time.monotonic() - self.started
        loss = f"  loss {thousandths(last.held_out_loss)}" if last else ""
        return line.append(f" {number}/{all_of_them} epochs{loss}  {seconds:.0f} s", "not bold")

    def _end_of_bar(self) -> None:
        if self.live:
            self.live.stop()
            self.live = None

    def _fitted(self) -> None:
        self._end_of_bar()
        epochs = self._plan.epochs
        lowest = {name: [each.held_out_loss for each in self.history if each.part == name] for name in epochs}
        seconds = time.monotonic() - self.started
        for place, (name, losses) in enumerate(lowest.items()):
            told = "network" if len(epochs) == 1 else name
            loss = f"loss {thousandths(min(losses))} on rows held out" if losses else "no epoch was finished"
            taken = f", {seconds:.0f} s" if place == len(epochs) - 1 else ""
            self.paper.say(
                f"{told}: {len(losses)} of {epochs[name]} epochs, {loss}{taken}", step="3 Fit" if place == 0 else ""
            )
        if self.interrupted:
            self.paper.say("Stopped by Ctrl-C: the best so far is kept; once more ends it all.")

    def _evaluated(self, evaluated: Evaluated) -> None:
        self._fitted()
        predictor = evaluated.predictor
        if evaluated.evaluation is None:
            self.paper.say("no rows were set aside, so nothing is tested", step="4 Evaluate")
            self.paper.say(f"kept: the {predictor.kept}, {_why(predictor.held_out_losses, predictor.kept)}")
            return
        rows = evaluated.evaluation.rows
        self.paper.say(f"on the {counted(rows, 'test row')}, opened once", step="4 Evaluate")
        score_table(self.paper, evaluated.evaluation)

    def _finished(self, run: Run) -> None:
        folder = run.folder
        if folder is None:
            raise ValueError("a finished fit has a folder")
        self.paper.say(f"{folder / FILE_NAME}, checked by loading it again", step="5 Save")
        lines = len((folder / SCRIPT).read_text(encoding="utf-8").splitlines())
        self.paper.say(f"all of it lies in {folder}", step="6 Together")
        self.paper.rows(
            [
                (REPORT, "what it learned, and where it errs"),
                (SCRIPT, f"the six steps as plain PyTorch, {lines} lines; retrains to the same bits"),
                (PLAN, "every decision with its reason; edit it for fit --plan"),
            ]
        )
        self.paper.blank()
        verdict_lines(self.paper, run.verdict)


def network_told(plan: Plan) -> str:
    """Of what the network consists."""
    if plan.network and len(plan.epochs) == 1:
        return f"{plan.network.members} members, {counted(plan.network.layers, 'layer')} of {plan.network.width}"
    return f"{counted(len(plan.epochs), 'part')} ({', '.join(plan.epochs)})"


def column_lines(seen: Sequence[ColumnSeen]) -> list[tuple[str, str, str]]:
    """A line a column; like ones share a line where they are many, so that 2,000 columns take no more than a screen."""
    by_kind: dict[str, list[ColumnSeen]] = {}
    for column in seen:
        by_kind.setdefault(column.kind, []).append(column)
    lines: list[tuple[str, str, str]] = []
    for kind, columns in by_kind.items():
        most = MOST_LINES if kind in (CATEGORY.name, LEFT_OUT) else 1
        alone, others = (columns, []) if len(columns) <= most else (columns[:most], columns[most:])
        lines += [(named(column.name), kind, _contents(column)) for column in alone]
        if others and most == 1:
            lines[-1] = (*lines[-1][:2], f"{lines[-1][2]}; {_more(others)}")
        elif others:
            lines.append(("", kind, _more(others)))
    return lines


def _more(columns: list[ColumnSeen]) -> str:
    gaps = sum(1 for column in columns if column.gaps)
    names = listed([column.name for column in columns], "and")
    return f"and {len(columns)} more: {names}" + (f"; {gaps} of them with gaps" if gaps else "")


def _contents(column: ColumnSeen) -> str:
    gaps = counted(column.gaps, "gap") if column.gaps else ""
    return "; ".join(part for part in (column.text, gaps) if part)


def parted(prepared: Prepared) -> str:
    """How the test rows were set aside."""
    split, rows = prepared.plan.split, prepared.rows.test.height
    after = "nothing below looks at them until step 4"
    aside = f"{counted(rows, 'row')} set aside as the test"
    match split.way:
        case "none":
            return "no rows set aside: the model will not be tested"
        case "file":
            other = prepared.opened.test_table
            name = source_named(other.reading.location) if other else "a file"
            return f"{counted(rows, 'row')} of {name} are the test; {after}"
        case "time":
            return f"{aside}, the latest by {named(split.column)}; {after}"
        case "group":
            return f"{aside}, rows of one {named(split.column)} together; {after}"
    each = " of each class" if split.even and prepared.plan.target.task == "classification" else ""
    share = percent(split.share).replace(".0 %", " %")
    return f"{aside}, {share}{each} by chance; {after}"


def score_table(paper: Paper, evaluation: Evaluation) -> None:
    """The scores of all contenders, the kept one marked."""
    table = headline(evaluation)
    mark = "<- kept" if paper.ascii_only else "◀ kept"
    paper.table(
        ("", *table.columns),
        [(row.name, *row.cells) for row in table.rows],
        [mark if row.kept else "" for row in table.rows],
    )


def verdict_lines(paper: Paper, verdict: str) -> None:
    """The verdict, from the left edge, a sentence of it a line."""
    left = Paper(paper.console, gutter=0)
    for line in verdict.splitlines():
        left.say(line)


def _why(losses: Mapping[str, float], kept: str) -> str:
    other = LINE if kept == NETWORK else NETWORK
    mine, theirs = thousandths(losses[kept]), thousandths(losses[other])
    return f"whose loss on held-out training rows is {mine}, the {other}'s {theirs}"
