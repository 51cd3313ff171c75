"""What was asked of a fit, checked before any work, from whichever door it came."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from firstlight.data.frames import FrameLike
from firstlight.data.places import gives_once
from firstlight.data.table import Table
from firstlight.kinds.pretrained import checked, folder_named
from firstlight.plan.budget import seconds_of
from firstlight.plan.document import from_toml
from firstlight.plan.plan import Plan, Task
from firstlight.refusal import Refused
from firstlight.store.folder import ROWS, TEST_ROWS
from firstlight.workflow import (
    Choices,
)

Source: TypeAlias = "str | Path | FrameLike | Table"


@dataclass(frozen=True, eq=False)
class Request:
    """A fit as `fit_steps` takes it."""

    source: Source
    choices: Choices
    plan: Plan | None
    out: Path | None


def requested(
    source: Source | None,
    target: str | None,
    *,
    task: Task | None,
    test: float | Source | None,
    by_time: str | None,
    group: str | None,
    time: str | float | None,
    seed: int,
    out: str | Path | None,
    plan: Plan | str | Path | None,
    sheet: str | None,
    label: str | None,
    pretrained: str | Path | None,
) -> Request:
    """What `fit` and the command line were asked for, checked, as `fit_steps` takes it."""
    folder = None if out is None else Path(out)
    if plan is not None:
        given = {
            "task": task, "by_time": by_time, "group": group, "time": time, "seed": seed or None,
            "pretrained": pretrained, "test": test is not None,
            **({"label": label, "sheet": sheet} if source is None else {}),
        }  # fmt: skip
        return _by_plan(source, target, plan, folder, sheet, label, [name for name, value in given.items() if value])
    if source is None:
        raise Refused("name a table and its column to predict, or a plan that names both.")
    choices = Choices(
        target=target or "", sheet=sheet, label=label, task=task, test=test_of(test), time=by_time, group=group,
        seconds=seconds_asked(time), seed=seed_asked(seed), pretrained=pretrained_asked(pretrained),
    )  # fmt: skip
    refuse_two_ways(choices)
    return Request(source, choices, None, folder)


def _by_plan(
    source: Source | None, target: str | None, plan: Plan | str | Path, out: Path | None, sheet: str | None,
    label: str | None, given: list[str],
) -> Request:  # fmt: skip
    folder = None if isinstance(plan, Plan) else Path(plan).parent
    plan = plan if isinstance(plan, Plan) else read_plan(Path(plan))
    if given:
        raise Refused(f"{given[0]} stands in the plan; change it there, or leave the plan away.")
    if target is not None and target != plan.target.column:
        raise Refused(f"the plan predicts {plan.target.column!r}, not {target!r}; leave --target away.")
    if source is None:
        return Request(place_of(plan, folder, ROWS), reread(plan), placed(plan, folder), out)
    again = reread(plan)
    again = replace(again, sheet=sheet or again.sheet, label=label or again.label)
    return Request(source, again, placed(plan, folder), out)


def read_plan(path: Path) -> Plan:
    """The plan in a plan.toml."""
    try:
        return from_toml(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror or str(error) if isinstance(error, OSError) else "it is no text"
        raise Refused(f"{path} cannot be read: {reason.lower()}.") from error


def test_of(test: float | Source | None) -> float | Source | None:
    """A share, 0 for no test, or a source; a text that is a number is a share; None where nothing was asked for."""
    if isinstance(test, str):
        try:
            test = 0.0 if test == "none" else float(test)
        except ValueError:
            return test
    if isinstance(test, float | int) and not 0 <= test < 1:
        raise Refused(f"--test {test:g} is no share of the rows; choose one between 0 and 1, such as 0.2, or none.")
    return test


def seconds_asked(time: str | float | None) -> float | None:
    """The seconds that a fit may take, from "30s", "5m" or a number; None where nothing was asked."""
    return time if time is None else seconds_of(str(time))


def seed_asked(seed: int) -> int:
    """The seed, if it is one."""
    if not 0 <= seed < 2**63:
        raise Refused(f"--seed {seed} is no seed; choose a whole number from 0 up.")
    return seed


def pretrained_asked(pretrained: str | Path | None) -> str | None:
    """The folder of the pretrained encoder that was asked for by its name or its folder, once it is known to be one."""
    return None if pretrained is None else str(checked(folder_named(str(pretrained))))


def refuse_two_ways(choices: Choices) -> None:
    """Rows are set aside in one way; a second one would be silently left out."""
    ways = [name for name, column in (("--by-time", choices.time), ("--group", choices.group)) if column]
    if isinstance(choices.test, float | int):
        ways = ["--test none", *ways] if choices.test == 0 else ways
    elif choices.test is not None:
        ways.insert(0, "--test FILE")
    if len(ways) > 1:
        raise Refused(f"{ways[0]} and {ways[1]} are two ways to set rows aside; choose one.")


def reread(plan: Plan) -> Choices:
    """How the rows of a plan are read again: the sheet of a workbook, the pattern of labels in headers.

    A copy of them is a table with its labels in a column.
    """
    sheet, label = (plan.source.options.get(name) for name in ("sheet", "label"))
    return Choices(
        sheet=sheet if isinstance(sheet, str) else None,
        label=label if isinstance(label, str) and not plan.source.copied else None,
    )


def place_of(plan: Plan, folder: Path | None, copy: str) -> str:
    """Where the rows of a plan can be read: where they came from, or the copy that the run folder keeps."""
    source = plan.test_source if copy == TEST_ROWS else plan.source
    if source is None:
        raise ValueError("the plan has no such source")
    if not source.copied and not gives_once(source.location):  # nothing waits for what a stranger's plan names
        return source.location
    if folder is None or not (folder / copy).exists():
        raise Refused(f"the rows came from {source.location}, and no copy of them lies here; name a source.")
    return str(folder / copy)


def placed(plan: Plan, folder: Path | None) -> Plan:
    """The plan with its test rows where they can be read."""
    if plan.test_source is None:
        return plan
    place = place_of(plan, folder, TEST_ROWS)
    return plan.model_copy(update={"test_source": plan.test_source.model_copy(update={"location": place})})
