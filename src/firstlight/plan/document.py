"""plan.toml: a plan that a person can read, edit and give back."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import tomlkit
from pydantic import BaseModel, ValidationError
from tomlkit.items import InlineTable, Item, Table

from firstlight.kinds.all_kinds import KINDS, PARTS_OF_NETWORK
from firstlight.kinds.kind import PartSettings
from firstlight.plan.plan import LEFT_OUT, Column, Fitting, Network, Plan, Source, Split, Suspicion, Target, settings_of
from firstlight.refusal import Refused, nearest

P = TypeVar("P", bound=BaseModel)
PARTS: Mapping[str, type[BaseModel]] = {
    "source": Source, "test_source": Source, "target": Target, "split": Split, "network": Network, "fitting": Fitting,
}  # fmt: skip
NETWORK_PARTS: Mapping[str, type[PartSettings]] = {part.name: part.settings for part in PARTS_OF_NETWORK}
KIND_NAMES = (*(kind.name for kind in KINDS), LEFT_OUT)


def to_toml(plan: Plan) -> str:
    """The plan as TOML, each decision with its reason as a comment; the same plan gives the same text."""
    document = tomlkit.document()
    document.add(tomlkit.comment("Every decision of this fit, with its reason. Edit it and give it back:"))
    document.add(tomlkit.comment("firstlight fit --plan plan.toml"))
    document.add(tomlkit.nl())
    for name, part in _parts_in(plan):
        document.add(name, _table(part.model_dump(exclude_none=True), plan.reasons, f"{name}."))
    columns = tomlkit.table(is_super_table=True)
    for column in plan.columns:
        settings = column.settings.model_dump() if column.settings else {}
        reason = {f"{column.name}.kind": plan.reasons.get(f"columns.{column.name}", "")}
        columns.add(column.name, _table({"kind": column.kind, **settings}, reason, f"{column.name}."))
    document.add("columns", columns)
    if plan.beware:
        document.add("beware", tomlkit.item([suspicion.model_dump() for suspicion in plan.beware]))
    return tomlkit.dumps(document)


def _parts_in(plan: Plan) -> list[tuple[str, BaseModel]]:
    """The parts of the plan that are there, by name: the network's stand together."""
    found: list[tuple[str, BaseModel | None]] = []
    for name in PARTS:
        found.append((name, getattr(plan, name)))
        if name == "network":
            found += plan.parts.items()
    return [(name, part) for name, part in found if part is not None]


def _table(values: Mapping[str, Any], reasons: Mapping[str, str], prefix: str) -> Table:
    table = tomlkit.table()
    for name, value in values.items():
        item = tomlkit.item(list(value) if isinstance(value, tuple) else value)
        if reason := reasons.get(prefix + name):
            item.comment(f"# {_one_line(reason)}")
        table.add(name, item)
    return table


def _one_line(text: str) -> str:
    """Control characters out of a comment: what strangers wrote stands in it."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def from_toml(text: str, source: str) -> Plan:
    """The plan that a TOML text holds, with the comments behind its keys as reasons; Refused names a wrong key."""
    try:
        values = tomllib.loads(text)
    except RecursionError as error:
        raise Refused(f"{source} is no plan: it is nested too deep.") from error
    except tomllib.TOMLDecodeError as error:
        raise Refused(f"{source} is not TOML: {str(error)[0].lower()}{str(error)[1:]}.") from error
    for name in values:
        _known(name, (*PARTS, *NETWORK_PARTS, "columns", "beware"), source, "part")
    columns = values.get("columns")
    if not isinstance(columns, dict) or not all(isinstance(column, dict) for column in columns.values()):
        raise Refused(f"{source} has no [columns] with a part for each column.")
    read = tuple(_column(name, dict(column), source) for name, column in columns.items())
    if not isinstance(values.get("beware", []), list):
        raise Refused(f"{source}: beware is a list of columns with why, [[beware]].")
    plan = Plan(
        source=_part("source", Source, values, source),
        test_source=_part("test_source", Source, values, source) if "test_source" in values else None,
        target=_part("target", Target, values, source),
        split=_part("split", Split, values, source),
        columns=read,
        network=_part("network", Network, values, source) if "network" in values else None,
        parts={name: _part(name, part, values, source) for name, part in NETWORK_PARTS.items() if name in values},
        fitting=_part("fitting", Fitting, values, source),
        reasons=_reasons(text),
        beware=tuple(_suspicion(each, source) for each in values.get("beware", [])),
    )
    _fits_together(plan, source)
    return plan


def _fits_together(plan: Plan, source: str) -> None:
    """Refuses parts that are sound on their own and do not go with one another."""
    if not plan.inputs:
        raise Refused(f"{source} leaves every column out; at least one is needed to predict from.")
    folds = plan.fitting.folds
    if plan.network and plan.network.members < folds:
        members = plan.network.members
        raise Refused(f"{source}: each of {folds} folds needs a member that holds it out, and there are {members}.")
    if (plan.network is not None) != bool(plan.cell_kinds):
        raise Refused(f"{source}: [network] is for columns that are read cell by cell, and goes with such columns.")
    for kind in plan.kinds:
        if kind.parts and not any(part.name in plan.parts for part in kind.parts):
            names = " or ".join(f"[{part.name}]" for part in kind.parts)
            raise Refused(f"{source}: columns of the kind {kind.name} need a part that reads them: {names}.")
    if plan.cell_parts and not plan.cell_kinds:
        name = plan.cell_parts[0].name
        raise Refused(f"{source}: no column is read cell by cell, which [{name}] does; take the part out.")
    for name in plan.parts:
        if not any(name == part.name for part in plan.other_parts):
            raise Refused(f"{source}: no column is of a kind that [{name}] reads; take the part out.")
    for kind, part in plan.kind_parts:
        if why := part.misfit(plan.of_kind(kind), plan.parts[part.name]):
            raise Refused(f"{source}, [{part.name}]: {why}.")
    if plan.target.column in plan.inputs:
        raise Refused(f"{source} predicts {plan.target.column!r} from itself; take it out of [columns].")
    if (plan.target.task == "regression") != bool(plan.target.read):
        raise Refused(f"{source}: [target] read is the function that reads a number, and goes with task regression.")
    if (plan.split.way in ("time", "group")) != bool(plan.split.column):
        raise Refused(f"{source}: [split] column goes with the ways time and group, and with no other.")


def _reasons(text: str) -> dict[str, str]:
    """The comment behind each key of a part, and behind the kind of each column."""
    document = tomlkit.parse(text)
    parts = [name for name in (*PARTS, *NETWORK_PARTS) if name in document]
    tables = {f"{name}.{key}": (document[name], key) for name in parts for key in document[name]}
    tables |= {f"columns.{name}": (table, "kind") for name, table in document["columns"].items()}
    items = {  # a part that stands in two places has lost its reasons
        place: table.item(key) for place, (table, key) in tables.items() if isinstance(table, Table | InlineTable)
    }
    comments = {
        place: item.trivia.comment.removeprefix("#").strip() for place, item in items.items() if isinstance(item, Item)
    }
    return {place: comment for place, comment in comments.items() if comment}


def _part(name: str, part: type[P], values: Mapping[str, Any], source: str) -> P:
    if not isinstance(values.get(name), dict):
        raise Refused(f"{source} has no [{name}].")
    for key in values[name]:
        _known(key, tuple(part.model_fields), source, f"key of [{name}]")
    return _validated(lambda: part.model_validate(values[name]), source, f"[{name}]")


def _column(name: str, values: dict[str, Any], source: str) -> Column:
    kind = str(values.pop("kind", ""))
    _known(kind, KIND_NAMES, source, f"kind of column {name!r}")
    return _validated(
        lambda: Column(name=name, kind=kind, settings=settings_of(kind, values)), source, f"column {name!r}"
    )


def _suspicion(values: object, source: str) -> Suspicion:
    return _validated(lambda: Suspicion.model_validate(values), source, "[[beware]]")


def _known(name: str, names: tuple[str, ...], source: str, what: str) -> None:
    if name not in names:
        near = nearest(name, names)
        hint = f"did you mean {near!r}?" if near else f"there are {', '.join(names)}."
        raise Refused(f"{source} has an unknown {what} {name!r}; {hint}")


def _validated(make: Callable[[], P], source: str, where: str) -> P:
    try:
        return make()
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "a value"
        raise Refused(f"{source}, {where}: {key} is wrong: {first['msg'][0].lower()}{first['msg'][1:]}.") from error
