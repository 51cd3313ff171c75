"""An evaluation as JSON and back: what metrics.json and the model file hold.

The way back trusts nothing: a file may have been edited, or made by a stranger. What does not fit is
refused with the place where it stands.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import TypeVar, get_args

from firstlight.evaluate.evaluation import (
    Contender,
    Difference,
    Evaluation,
    Measure,
    Mistake,
    ReliabilityBin,
    Score,
    ScoreName,
    Task,
)
from firstlight.refusal import Refused

Item = TypeVar("Item")
Read = Callable[[object, str], Item]  # a stored value and the place where it stands

TASKS: tuple[Task, ...] = get_args(Task)
SCORE_NAMES: tuple[ScoreName, ...] = get_args(ScoreName)
MEASURES: tuple[Measure, ...] = get_args(Measure)


def as_json(evaluation: Evaluation) -> dict[str, object]:
    """Dicts, lists, strings, finite numbers, booleans and null only."""
    return {name: _without_tuples(value) for name, value in asdict(evaluation).items()}


def from_json(stored: object) -> Evaluation:
    """The evaluation that `as_json` wrote. Refused where a part is missing, unknown or of the wrong kind."""
    try:
        return _evaluation(stored)
    except ValueError as error:  # the fields are sound, but do not fit together
        raise Refused(f"The stored evaluation is damaged: {error}.") from error


def _without_tuples(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_tuples(inner) for name, inner in value.items()}
    return [_without_tuples(inner) for inner in value] if isinstance(value, tuple | list) else value


def _evaluation(stored: object) -> Evaluation:
    found = _fields(stored, "evaluation", Evaluation)
    confusion = found["confusion"]
    return Evaluation(
        task=_one_of(TASKS)(found["task"], "task"),
        rows=_whole(found["rows"], "rows"),
        groups=_or_none(_whole)(found["groups"], "groups"),
        labels=_many(_text)(found["labels"], "labels"),
        rows_of_class=_many(_whole)(found["rows_of_class"], "rows_of_class"),
        always=_or_none(_text_or_number)(found["always"], "always"),
        contenders=_many(_contender)(found["contenders"], "contenders"),
        differences=_many(_difference)(found["differences"], "differences"),
        confusion=_or_none(_many(_many(_whole)))(confusion, "confusion"),
        reliability=_many(_reliability_bin)(found["reliability"], "reliability"),
        calibration_error=_or_none(_number)(found["calibration_error"], "calibration_error"),
        worst=_many(_mistake)(found["worst"], "worst"),
    )


def _contender(stored: object, place: str) -> Contender:
    found = _fields(stored, place, Contender)
    return Contender(
        name=_text(found["name"], f"{place}.name"),
        kept=_truth(found["kept"], f"{place}.kept"),
        scores=_many(_score)(found["scores"], f"{place}.scores"),
    )


def _score(stored: object, place: str) -> Score:
    found = _fields(stored, place, Score)
    number = _or_none(_number)
    return Score(
        name=_one_of(SCORE_NAMES)(found["name"], f"{place}.name"),
        value=number(found["value"], f"{place}.value"),
        low=number(found["low"], f"{place}.low"),
        high=number(found["high"], f"{place}.high"),
    )


def _difference(stored: object, place: str) -> Difference:
    found = _fields(stored, place, Difference)
    number = _or_none(_number)
    return Difference(
        against=_text(found["against"], f"{place}.against"),
        measure=_one_of(MEASURES)(found["measure"], f"{place}.measure"),
        value=number(found["value"], f"{place}.value"),
        low=number(found["low"], f"{place}.low"),
        high=number(found["high"], f"{place}.high"),
    )


def _reliability_bin(stored: object, place: str) -> ReliabilityBin:
    found = _fields(stored, place, ReliabilityBin)
    return ReliabilityBin(
        confidence=_number(found["confidence"], f"{place}.confidence"),
        right=_number(found["right"], f"{place}.right"),
        low=_number(found["low"], f"{place}.low"),
        high=_number(found["high"], f"{place}.high"),
        rows=_whole(found["rows"], f"{place}.rows"),
    )


def _mistake(stored: object, place: str) -> Mistake:
    found = _fields(stored, place, Mistake)
    return Mistake(
        row=_whole(found["row"], f"{place}.row"),
        truth=_number(found["truth"], f"{place}.truth"),
        answer=_number(found["answer"], f"{place}.answer"),
        probability=_or_none(_number)(found["probability"], f"{place}.probability"),
    )


Stored = Contender | Difference | Evaluation | Mistake | ReliabilityBin | Score


def _fields(stored: object, place: str, kind: type[Stored]) -> dict[str, object]:
    """The named fields of an object: all that the kind has, and no other."""
    if not isinstance(stored, dict):
        raise _damaged(place, "an object", stored)
    wanted = set(kind.__dataclass_fields__)
    for name in sorted(wanted ^ set(map(str, stored))):
        fault = "lacks" if name in wanted else "has an unknown"
        raise Refused(f"The stored evaluation is damaged: {place} {fault} {name!r}.")
    return stored


def _text(stored: object, place: str) -> str:
    if not isinstance(stored, str):
        raise _damaged(place, "text", stored)
    return stored


def _truth(stored: object, place: str) -> bool:
    if not isinstance(stored, bool):
        raise _damaged(place, "true or false", stored)
    return stored


def _whole(stored: object, place: str) -> int:
    if isinstance(stored, bool) or not isinstance(stored, int) or stored < 0:
        raise _damaged(place, "a whole number from 0 on", stored)
    return stored


def _number(stored: object, place: str) -> float:
    if isinstance(stored, bool) or not isinstance(stored, int | float):
        raise _damaged(place, "a finite number", stored)
    if not -sys.float_info.max <= stored <= sys.float_info.max:  # nan is outside too
        raise _damaged(place, "a finite number", stored)
    return float(stored)


def _text_or_number(stored: object, place: str) -> str | float:
    return stored if isinstance(stored, str) else _number(stored, place)


def _or_none(read: Read[Item]) -> Read[Item | None]:
    return lambda stored, place: None if stored is None else read(stored, place)


def _many(read: Read[Item]) -> Read[tuple[Item, ...]]:
    def read_all(stored: object, place: str) -> tuple[Item, ...]:
        if not isinstance(stored, list):
            raise _damaged(place, "a list", stored)
        return tuple(read(item, f"{place}[{number}]") for number, item in enumerate(stored))

    return read_all


def _one_of(names: tuple[Item, ...]) -> Read[Item]:
    def read(stored: object, place: str) -> Item:
        for name in names:
            if stored == name:
                return name
        raise _damaged(place, f"one of {', '.join(map(str, names))}", stored)

    return read


def _damaged(place: str, wanted: str, stored: object) -> Refused:
    shown = repr(stored)
    short = shown if len(shown) <= 40 else f"{shown[:39]}…"
    return Refused(f"The stored evaluation is damaged: {place} must be {wanted}; it is {short}.")
