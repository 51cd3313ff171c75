"""`firstlight check`: what would be read, and what to look at before a fit."""

from __future__ import annotations

from firstlight.checking import Check, ColumnSeen, check
from firstlight.cli.fit_told import column_lines
from firstlight.cli.paper import Paper, console, source_named
from firstlight.data.table import Table
from firstlight.evaluate.wording import named
from firstlight.plan.plan import Task
from firstlight.wording import counted

MOST_LINES = 60  # of columns; with more, like ones share a line


def run_check(table: Table, target: str | None, task: Task | None) -> None:
    """Looks, and prints what was found."""
    target = target or table.own_target
    found = check(table, target, task=task)
    paper = Paper(console(), gutter=0)
    frame = found.table.frame
    size = f"{counted(frame.height, 'row')}, {counted(frame.width, 'column')}, {found.table.reading.summary}"
    paper.say(f"{source_named(found.table.reading.location)}: {size}")
    Paper(paper.console, gutter=2).rows(_lines(found, target), dim=1)
    if found.remarks:
        paper.blank()
        paper.say("Look at these", style="bold")
        indented = Paper(paper.console, gutter=2)
        for remark in found.remarks:
            if not remark.about:
                indented.say(remark.text)
        indented.rows([(named(remark.about), remark.text) for remark in found.remarks if remark.about])
    if target is None:
        paper.blank()
        paper.say("With --target COLUMN it also looks for columns that know too much.")
        paper.say(f"Then: firstlight fit {table.reading.location} --target COLUMN")


def _lines(found: Check, target: str | None) -> list[tuple[str, ...]]:
    aim = [(named(target), "target", found.target)] if target is not None and found.target else []
    if len(found.columns) > MOST_LINES:
        return [*aim, *column_lines(found.columns)]
    return [*aim, *((named(column.name), column.kind, _contents(column)) for column in found.columns)]


def _contents(column: ColumnSeen) -> str:
    if column.gaps is None:
        return column.text
    gaps = counted(column.gaps, "gap") if column.gaps else "no gaps"
    return f"{column.text}; {gaps}" if column.text else gaps
