"""Step 5, save and load: one .safetensors file holds the plan, the encoders, the weights, the scores and a proof.

The proof is a few training rows with the answers that the model gave for them: a file whose model does not give
them again is refused. Nothing in the file is ever run; what modules there are is written in this program.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import torch
from pydantic import BaseModel, ValidationError
from safetensors.torch import save
from torch import Tensor, nn

from firstlight.data.pixel_cells import pixel_shape
from firstlight.evaluate.evaluation import Evaluation
from firstlight.evaluate.stored import as_json, from_json
from firstlight.files import write_whole
from firstlight.model.answers import Answers, ClassAnswers
from firstlight.model.building import features_of, outputs_for, parts_of
from firstlight.model.encoding import Encoders
from firstlight.model.predictor import CONSTANT, LINE, NETWORK, Predictor, Unit
from firstlight.plain.line import Line
from firstlight.plan.document import from_toml, to_toml
from firstlight.plan.plan import Plan
from firstlight.refusal import Refused
from firstlight.store.audit import LENGTH_BYTES, Entry, Header, audit, read_tensors

FORMAT = "firstlight 1"
EXAMPLES = 5
LONGEST_EXAMPLE = 10_000  # letters of a cell: a whole file may stand in one, and the head of a model file is limited
PIXELS = "examples."  # before the name of a column, the name of the tensor of its examples' pixels
# Answers are the same to the bit on the machine that fitted the model, and this close on others, counted in deviations
# of the target from its mean. Networks in half precision round coarsely, and on each kind of machine otherwise.
CLOSE, CLOSE_IN_HALF = 1e-4, 0.02
DTYPES = {"F32": torch.float32, "F64": torch.float64, "I32": torch.int32, "I64": torch.int64, "U8": torch.uint8}
FILE_NAME = "model.safetensors"


class State(BaseModel, frozen=True, extra="forbid"):
    """What a predictor holds besides its plan and its tensors."""

    learned: Mapping[str, Mapping[str, tuple[str, ...]]]
    labels: tuple[str, ...]
    mean: float
    deviation: float
    weights: tuple[float, ...]  # of the parts of the network
    bias: tuple[float, ...]  # of the classes
    halfwidths: Mapping[str, float | None]  # None: without end
    kept: str
    held_out_losses: Mapping[str, float | None]  # None: not a number


class Examples(BaseModel, frozen=True, extra="forbid"):
    """A few rows, column by column, and the answer to each.

    Of a picture or video stands here only whether there is one; its pixels are a tensor of the file.
    """

    rows: Mapping[str, tuple[str | bool | int | float | None, ...]]
    answers: Mapping[str, tuple[tuple[float, ...], ...]]  # of network, straight line and constant


@dataclass(frozen=True, eq=False)
class Stored:
    """What a model file holds; `evaluation` is None where the model was not tested."""

    predictor: Predictor
    evaluation: Evaluation | None


def save_model(path: Path, predictor: Predictor, evaluation: Evaluation | None, training_rows: pl.DataFrame) -> None:
    """Writes the file, whole or not at all; the first training rows become its examples."""
    rows = training_rows.head(EXAMPLES)
    pixels = {f"{PIXELS}{name}": _pixels(rows[name]) for name in predictor.plan.inputs if pixel_shape(rows[name].dtype)}
    examples = _examples(rows, predictor, pixels)
    state = State(
        learned={
            block: {name: tuple(known) for name, known in columns.items()}
            for block, columns in predictor.encoders.learned.items()
        },
        labels=predictor.encoders.labels, mean=predictor.unit.mean, deviation=predictor.unit.deviation,
        weights=tuple(predictor.weights.tolist()), bias=tuple(predictor.bias.tolist()),
        halfwidths=_finite(predictor.halfwidths), kept=predictor.kept,
        held_out_losses=_finite(predictor.held_out_losses),
    )  # fmt: skip
    metadata = {
        "format": FORMAT,
        "plan": to_toml(predictor.plan),
        "state": state.model_dump_json(),
        "examples": examples.model_dump_json(),
        "evaluation": json.dumps(as_json(evaluation) if evaluation else None),
    }
    tensors = {
        **{f"network.{name}": value.contiguous() for name, value in predictor.network.state_dict().items()},
        **{f"line.{name}": value.contiguous() for name, value in predictor.line.state_dict().items()},
        "constant": predictor.constant,
        **pixels,
    }
    write_whole(path, _with_sorted_header(save(tensors, metadata)))


def _with_sorted_header(content: bytes) -> bytes:
    """The same file with the names in its header in order: as `save` leaves them, no two files are alike."""
    begin = LENGTH_BYTES + int.from_bytes(content[:LENGTH_BYTES], "little")
    header = json.dumps(json.loads(content[LENGTH_BYTES:begin]), sort_keys=True).encode()
    header += b" " * (-len(header) % 8)  # so that the tensors begin at a multiple of 8
    return len(header).to_bytes(LENGTH_BYTES, "little") + header + content[begin:]


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """JSON has no infinity: None stands for it."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _with_infinities(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: math.inf if value is None else value for name, value in values.items()}


def _examples(rows: pl.DataFrame, predictor: Predictor, pixels: Mapping[str, Tensor]) -> Examples:
    cells = {name: _plain_cells(rows[name]) for name in predictor.plan.inputs}
    return Examples(rows=cells, answers=_answers_to(_table_of(cells, pixels), predictor))


def _answers_to(rows: pl.DataFrame, predictor: Predictor) -> dict[str, tuple[tuple[float, ...], ...]]:
    return {name: _numbers_of(answers) for name, answers in predictor.answers(rows).items()}


def _plain_cells(cells: pl.Series) -> tuple[str | bool | int | float | None, ...]:
    if cells.dtype.is_float():
        cells = cells.cast(pl.Float64)
        return tuple(cells.set(cells.is_infinite() | cells.is_nan(), None))
    if cells.dtype.is_integer() or cells.dtype == pl.Boolean:
        return tuple(cells)
    if pixel_shape(cells.dtype):
        return tuple(cells.is_not_null())
    return tuple(cells.cast(pl.String).str.slice(0, LONGEST_EXAMPLE))


def _pixels(cells: pl.Series) -> Tensor:
    """The pixels of those cells that hold any: (cells, ...) uint8."""
    return torch.from_numpy(cells.drop_nulls().to_numpy(writable=True))


def _table_of(cells: Mapping[str, tuple[Any, ...]], pixels: Mapping[str, Tensor]) -> pl.DataFrame:
    table = pl.DataFrame({name: list(values) for name, values in cells.items()}, strict=False)
    return table.cast({pl.Null: pl.String}).with_columns(
        _pixel_cells(table[name], pixels[f"{PIXELS}{name}"]) for name in cells if f"{PIXELS}{name}" in pixels
    )


def _pixel_cells(known: pl.Series, pixels: Tensor) -> pl.Series:
    """The pictures or videos where there are any, gaps elsewhere. Raises ValueError where their numbers differ."""
    if int(known.sum()) != len(pixels) or pixels.dtype != torch.uint8:
        raise ValueError(f"the examples of {known.name} are not as many as there are pixels for")
    cells = pl.Series(known.name, pixels.numpy())
    return cells.gather(pl.select(pl.when(known).then(known.cum_sum().cast(pl.Int64) - 1)).to_series())


def _numbers_of(answers: Answers) -> tuple[tuple[float, ...], ...]:
    values = answers.probabilities if isinstance(answers, ClassAnswers) else answers.predictions.unsqueeze(1)
    return tuple(tuple(row) for row in values.tolist())


def example_rows(path: Path) -> pl.DataFrame:
    """The training rows that a model file carries, by which it is checked at load: its inputs alone."""
    header = audit(path)
    examples = _read(Examples, header.metadata.get("examples", ""), path, "examples")
    return _table_of(examples.rows, read_tensors(path, header))


def load_model(path: Path) -> Stored:
    """The model in a file, after an audit of all that the file claims; raises Refused where it is not sound."""
    header = audit(path)
    if header.metadata.get("format") != FORMAT:
        raise Refused(f"{path} holds no model of firstlight's; it says nothing of a format {FORMAT!r}.")
    plan = from_toml(header.metadata.get("plan", ""), f"the plan in {path}")
    state = _read(State, header.metadata.get("state", ""), path, "state")
    examples = _read(Examples, header.metadata.get("examples", ""), path, "examples")
    tensors = read_tensors(path, header)
    try:
        predictor = _predictor(plan, state, header, tensors)
        answers = _answers_to(_table_of(examples.rows, tensors), predictor)
        evaluation = json.loads(header.metadata.get("evaluation", "null"))
    except (KeyError, IndexError, ValueError, RuntimeError, TypeError, pl.exceptions.PolarsError) as error:
        raise Refused(f"{path} is damaged: its parts do not fit together ({_first_line(error)}).") from error
    if not _same_answers(answers, examples.answers, predictor):
        raise Refused(f"{path} is damaged: the model does not give the answers again that were saved with it.")
    return Stored(predictor, from_json(evaluation) if evaluation is not None else None)


def _same_answers(
    now: Mapping[str, tuple[tuple[float, ...], ...]], then: Mapping[str, tuple[tuple[float, ...], ...]],
    predictor: Predictor,
) -> bool:  # fmt: skip
    """Whether all models give the same answers, to what differs between machines; without any, nothing is proven."""
    if now.keys() != then.keys() or not all(then.values()):
        return False
    mean, deviation, same = predictor.unit.mean, predictor.unit.deviation, []
    for name in now:
        new, old = ((torch.tensor(said[name], dtype=torch.float64) - mean) / deviation for said in (now, then))
        close = CLOSE_IN_HALF if name == NETWORK and predictor.plan.in_half else CLOSE
        same.append(new.shape == old.shape and torch.allclose(new, old, rtol=close, atol=close))
    return all(same)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


def _read(kind: type[State] | type[Examples], text: str, path: Path, what: str) -> Any:
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        raise Refused(f"{path} is damaged: its {what} cannot be read ({first['msg'].lower()}).") from error


def _predictor(plan: Plan, state: State, header: Header, tensors: Mapping[str, Tensor]) -> Predictor:
    learned = {kind.block: state.learned[kind.block] for kind in plan.kinds}
    for kind in plan.kinds:
        if learned[kind.block] and set(learned[kind.block]) != set(plan.of_kind(kind)):
            raise ValueError(f"the words of {kind.block} are not those of the plan's columns")
    encoders = Encoders(learned, state.labels)
    if state.kept not in (NETWORK, LINE) or set(state.halfwidths) != {NETWORK, LINE, CONSTANT}:
        raise ValueError(f"{state.kept!r} is no model of it")
    if (plan.target.task == "classification") != (len(state.labels) > 1):
        raise ValueError("its labels do not fit its task")
    if not (math.isfinite(state.mean) and 0 < state.deviation < math.inf):
        raise ValueError("the unit of its target is none")
    if state.labels and (state.mean, state.deviation) != (0, 1):
        raise ValueError("it has classes, and a unit as if they were numbers")
    outputs = outputs_for(encoders)
    parts = parts_of(plan, encoders)
    if len(state.weights) != len(parts) or not all(0 <= weight < math.inf for weight in state.weights):
        raise ValueError("the weights of its parts are not those of the plan's network")
    if len(state.bias) != outputs or not all(map(math.isfinite, state.bias)):
        raise ValueError("the biases of its classes are not those of its labels")
    with torch.device("meta"):  # shapes alone: no memory is set aside before they are known to be the file's
        made = {part.name: part.rebuild(_under(f"network.{part.name}.", tensors)) for part in parts}
        network = nn.ModuleDict(made)
        line = Line(features_of(plan.kinds, _under("line.", tensors), 1), outputs)
    _load(network, "network.", header.tensors, tensors)
    _load(line, "line.", header.tensors, tensors)
    if tensors["constant"].shape != (outputs,):
        raise ValueError("the constant guess has another shape")
    return Predictor(
        plan=plan, encoders=encoders, network=network.eval(), weights=torch.tensor(state.weights, dtype=torch.float64),
        bias=torch.tensor(state.bias, dtype=torch.float64), line=line.eval(), constant=tensors["constant"],
        unit=Unit(state.mean, state.deviation), kept=state.kept, halfwidths=_with_infinities(state.halfwidths),
        held_out_losses=_with_infinities(state.held_out_losses),
    )  # fmt: skip


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _load(module: nn.Module, prefix: str, entries: Mapping[str, Entry], tensors: Mapping[str, Tensor]) -> None:
    expected = module.state_dict()
    found = {name.removeprefix(prefix): entry for name, entry in entries.items() if name.startswith(prefix)}
    if set(found) != set(expected):
        raise ValueError(f"its tensors are not those of the plan's {prefix.rstrip('.')}")
    for name, value in expected.items():
        if found[name].shape != tuple(value.shape) or DTYPES.get(found[name].dtype) != value.dtype:
            raise ValueError(f"tensor {prefix}{name} has another shape or type than the plan gives it")
    module.load_state_dict({name: tensors[prefix + name] for name in expected}, assign=True)
