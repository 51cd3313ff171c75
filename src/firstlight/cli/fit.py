"""`firstlight fit` and `firstlight plan`: the six steps as they happen."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from firstlight.cli.at_once import refuse_missing_file, refuse_wrong_source, table_with
from firstlight.refusal import Refused

if TYPE_CHECKING:
    from firstlight.asking import Request
    from firstlight.data.table import Table
    from firstlight.workflow import Event


@dataclass(frozen=True)
class Asked:
    """What was typed after `firstlight fit` or `firstlight plan`."""

    source: str | None
    target: str | None
    task: Literal["classification", "regression"] | None
    test: str | None
    by_time: str | None
    group: str | None
    time: str | None
    sheet: str | None
    label: str | None
    labels: str | None
    seed: int
    pretrained: str | None
    plan: Path | None
    out: Path | None


def run_fit(asked: Asked) -> None:
    """Fits, and tells each step as it happens."""
    request = _request(asked)
    from firstlight.cli.fit_told import Teller
    from firstlight.cli.paper import Paper, console
    from firstlight.workflow import fit_steps

    events = fit_steps(request.source, request.choices, request.plan, request.out)
    with Teller(Paper(console())) as teller:
        follow(events, teller.tell)


def run_plan(asked: Asked) -> None:
    """Writes the plan of a fit to a file, or shows it."""
    request = _request(asked)
    from firstlight.cli.paper import Paper, console
    from firstlight.files import write_whole
    from firstlight.plan.document import to_toml
    from firstlight.workflow import open_rows, prepare_rows

    prepared, _ = prepare_rows(open_rows(request.source, request.choices, None), request.choices, None)
    text = to_toml(prepared.plan)
    if asked.out is None:
        print(text, end="")
        return
    write_whole(asked.out, text)
    paper = Paper(console(), gutter=0)
    paper.say(f"{asked.out}: every decision with its reason; nothing was fitted.")
    paper.say(f"Edit it, then: firstlight fit --plan {asked.out}")


def follow(events: Generator[Event, None, None], tell: Callable[[Event], None]) -> None:
    """Tells each event of a fit. Ctrl-C while telling is handed into the fit, which keeps the best so far.

    A second Ctrl-C, or one where there is nothing to keep yet, ends it: KeyboardInterrupt is raised.
    """
    interrupted = False
    while True:
        try:
            event = events.throw(KeyboardInterrupt()) if interrupted else next(events)
            interrupted = False
            tell(event)
        except StopIteration:
            return
        except KeyboardInterrupt:
            if interrupted:
                raise
            interrupted = True


def _request(asked: Asked) -> Request:
    """What was asked for; a wrong path, column or file is refused before torch is loaded."""
    if asked.source is None and asked.plan is None:
        raise Refused("name a table to learn from: firstlight fit SOURCE --target COLUMN.")
    if asked.plan is not None:
        refuse_missing_file(asked.plan)
    source: str | Table | None = asked.source
    if asked.source is None and asked.labels is not None:
        raise Refused("--labels names the labels of a source of sequences; name that, too.")
    if asked.source is not None and (asked.plan is None or asked.labels is not None):
        source = table_with(
            asked.source, asked.sheet, [asked.target, asked.by_time, asked.group], target_needed=asked.plan is None,
            label=asked.label, labels=asked.labels,
        )  # fmt: skip
    elif asked.source is not None:
        refuse_wrong_source(asked.source)
    test: str | Table | None = asked.test
    if asked.test is not None and not _is_share(asked.test):
        if asked.labels is None:
            refuse_wrong_source(asked.test)
        else:
            test = table_with(asked.test, None, [asked.target], label=asked.label, labels=asked.labels)
    from firstlight.asking import requested

    return requested(
        source, asked.target, task=asked.task, test=test, by_time=asked.by_time, group=asked.group,
        time=asked.time, seed=asked.seed, out=asked.out, plan=asked.plan, sheet=asked.sheet, label=asked.label,
        pretrained=asked.pretrained,
    )  # fmt: skip


def _is_share(test: str) -> bool:
    try:
        float(test)
    except ValueError:
        return test == "none"
    return True
