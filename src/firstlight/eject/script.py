"""Writes the script: a `main` of six steps with the plan's constants, above it what it uses of `plain/`."""

from __future__ import annotations

import ast
import os
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from firstlight.eject.definitions import Definition, import_lines, names_in, needed_by
from firstlight.eject.explaining import why_of_first_row
from firstlight.eject.modelling import (
    answers_of_line,
    answers_of_network,
    build_line,
    build_network,
    fit_line,
    fit_network,
    mapping,
)
from firstlight.evaluate.evaluation import Evaluation
from firstlight.kinds.kind import SCRIPT_WIDTH, Kind, in_brackets
from firstlight.model.predictor import NETWORK, Predictor
from firstlight.plain.proof import digest
from firstlight.plan.plan import Plan, Source, Split


def script_of(predictor: Predictor, evaluation: Evaluation | None, folder: Path) -> str:
    """The script that fits the kept model anew; folder: where it will lie, for its way to the data."""
    plan = predictor.plan
    constants = _constants(plan, with_kin=_needs_kin(predictor))
    body = _body(predictor, evaluation, folder)
    main = "def main() -> None:\n" + textwrap.indent("\n".join(body), "    ")
    needed = needed_by("\n".join([*constants, main]))
    own = f"HERE = Path(__file__).resolve().parent\n{main}"
    names = names_in(ast.parse("\n".join([*constants, own]))).union(*(definition.names for definition in needed))
    sections = [
        f'"""{_head(predictor, evaluation)}"""\n\n'
        + "\n".join(import_lines({*names, "Path"}))
        + "\n\n"
        + "\n".join(["HERE = Path(__file__).resolve().parent  # where this script lies", *_constants_of(needed)]),
        "\n\n".join(definition.source for definition in needed if not definition.is_constant),
        "# What was decided before the fit\n" + "\n".join(constants),
        main,
        'if __name__ == "__main__":\n    main()\n',
    ]
    return "\n\n".join(sections)


def _constants_of(needed: Iterable[Definition]) -> list[str]:
    return [definition.source for definition in needed if definition.is_constant]


def _head(predictor: Predictor, evaluation: Evaluation | None) -> str:
    plan = predictor.plan
    what = "a network of several members" if predictor.kept == NETWORK else "a straight line"
    if predictor.kept == NETWORK and plan.cell_parts:
        what = "a network of several parts"
    tested = "then tests it on rows that it has not seen, " if evaluation else ""
    text = (
        f"Predicts {_safe(plan.target.column)!r} from the other columns of {_safe(plan.source.name)}, in plain PyTorch."
        + "\n\n"
        + textwrap.fill(
            f"It fits {what}, {tested}saves it, and proves that it is the very model that firstlight fitted when it "
            "wrote this script: to the last bit, on a like machine and libraries.",
            SCRIPT_WIDTH,
        )
        + "\n"
    )
    return text.replace("\\", "\\\\").replace('"""', "'''")


def _safe(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _needs_kin(predictor: Predictor) -> bool:
    """Whether it matters which rows stay together: where they are parted by chance, and where they go to folds."""
    return predictor.plan.split.way in ("chance", "group") or predictor.kept == NETWORK


def _constants(plan: Plan, *, with_kin: bool) -> list[str]:
    lines = [f"TARGET = {plan.target.column!r}"]
    if with_kin and plan.split.way != "group":
        lines += _compared(plan.split)
    for kind in plan.kinds:
        lines += kind.snippets.constants(plan.of_kind(kind)).splitlines()
    return lines


def _compared(split: Split) -> list[str]:
    """The columns in which rows are compared, so that like ones stay together."""
    compared = {
        "ALIKE": (split.alike, "rows equal in all of these stay together"),
        "ALIKE_TEXTS": (split.near_texts, "rows with nearly the same text stay together"),
        "ALIKE_SEQUENCES": (split.near_sequences, "and with nearly the same sequence, or its reverse complement"),
        "ALIKE_PICTURES": (split.near_pictures, "rows that look nearly the same stay together"),
        "ALIKE_VIDEOS": (split.near_videos, "rows that look nearly the same stay together"),
        "ALIKE_NAMES": (split.near_names, "clips of one source stay together"),
    }
    return [
        in_brackets(f"{name} = [", list(map(repr, columns)), "]", why)
        for name, (columns, why) in compared.items()
        if columns
    ]


def _body(predictor: Predictor, evaluation: Evaluation | None, folder: Path) -> list[str]:
    plan = predictor.plan
    classes = plan.target.task == "classification"
    kept_network = predictor.kept == NETWORK
    return [
        f"torch.set_num_threads({plan.fitting.threads})  # with another number the last bits differ",
        "",
        "# 1 Prepare: read the table, set the test rows aside, turn cells into numbers",
        *_reading(plan, folder),
        *_splitting(plan, with_kin=_needs_kin(predictor)),
        *(kind.snippets.learn for kind in _read_as_blocks(predictor) if kind.snippets.learn),
        *_targets(plan),
        *_taught(plan),
        *mapping("encoded = ", _encoded(predictor), ""),
        "inputs = rows_of(encoded, train)",
        "",
        *(build_network(predictor) if kept_network else build_line(predictor)),
        "",
        *(fit_network(plan, calibrated=evaluation is not None) if kept_network else fit_line(predictor)),
        "",
        *(_evaluating(predictor) if evaluation else []),
        *(why_of_first_row(plan, _encoded(predictor)) if evaluation and kept_network else []),
        "# 5 Save and load: the parameters by name, into a new file and out of it again",
        'np.savez(HERE / "weights.npz", **{name: value.numpy() for name, value in model.state_dict().items()})',
        'with np.load(HERE / "weights.npz") as saved:',
        "    model.load_state_dict({name: torch.from_numpy(saved[name]) for name in saved})",
        "",
        "# 6 Prove: the same weights"
        + (" and the same score" if evaluation else "")
        + " as the model of which this script tells",
        f'assert digest(model) == "{digest(predictor.model)}", (',
        '    "it came out with other weights: is it another machine, version, number of threads, or table?"',
        ")",
        *(_proving_score(classes, evaluation) if evaluation else []),
        'print("the same model, to the last bit")',
    ]


def _read_as_blocks(predictor: Predictor) -> tuple[Kind[Any], ...]:
    """The kinds whose columns the kept model reads as one tensor a kind."""
    return predictor.plan.cell_kinds if predictor.kept == NETWORK else predictor.plan.kinds


def _encoded(predictor: Predictor) -> list[str]:
    """What the kept model reads, each under its name."""
    plan = predictor.plan
    blocks = [f'"{kind.block}": {kind.snippets.encode}' for kind in _read_as_blocks(predictor)]
    if predictor.kept != NETWORK:
        return blocks
    return blocks + [
        f'"{block}": {part.snippets.encode(plan.parts[part.name])}' for block, (_, part) in plan.part_blocks.items()
    ]


def _reading(plan: Plan, folder: Path) -> list[str]:
    lines = [f"rows = {_read(plan.source, folder, 'rows.parquet')}", "rows = rows.filter(rows[TARGET].is_not_null())"]
    if plan.test_source:
        lines += [
            f"test_rows = {_read(plan.test_source, folder, 'test_rows.parquet')}",
            "test_rows = pl.DataFrame({name: test_rows[name].cast(kind) for name, kind in rows.schema.items()})",
            "test_rows = test_rows.filter(test_rows[TARGET].is_not_null())",
            "train, test = torch.arange(len(rows)), torch.arange(len(rows), len(rows) + len(test_rows))",
            "rows = pl.concat([rows, test_rows])",
        ]
    return lines


def _read(source: Source, folder: Path, copy: str) -> str:
    if source.copied:
        return f'read_parquet([HERE / "{copy}"])'
    paths = [os.path.relpath(Path(path).resolve(), folder.resolve()).replace(os.sep, "/") for path in source.paths]
    shown = ", ".join(f"HERE / {path!r}" for path in paths)
    options: dict[str, object] = dict(source.options)
    for form in (source.forms or {}).values():  # of the one column of pixels that such a reader makes
        options |= {"shape": form.shape, **({"step": form.step} if form.step else {})}
    told = "".join(f", {name}={value!r}" for name, value in options.items())
    return f"read_{source.reader}([{shown}]{told})"


def _splitting(plan: Plan, *, with_kin: bool) -> list[str]:
    split = plan.split
    strata = (
        "codes(rows[TARGET], labels_of(rows[TARGET])) - 1"
        if split.even
        else "torch.zeros(len(rows), dtype=torch.int64)"
    )
    kin = _kin(split) if with_kin else []
    if split.way in ("chance", "group"):
        return [
            *kin,
            f"train, test = split_at_random({strata}, kin, share={split.share!r}, seed={split.seed})",
        ]
    if split.way == "time":
        when = f"moments(rows[{split.column!r}], {list(split.forms)!r})"
        return [
            f"when = days_since_1970({when})" if split.forms else f"when = typed_numbers(rows[{split.column!r}])",
            f"train, test = split_by_time(torch.from_numpy(when.to_numpy(writable=True)), share={split.share!r})",
            *kin,
        ]
    if split.way == "none":
        return ["train, test = torch.arange(len(rows)), torch.arange(0)", *kin]
    return kin


def _kin(split: Split) -> list[str]:
    """Kin, as `plan.splitting` finds them: where the test rows are given, among the training rows alone."""
    why = "equal for rows that must stay together"
    if split.way == "group":
        return [f"kin = kin_by_equality(rows, [{split.column!r}])  # {why}"]
    rows = "taught" if split.way in ("time", "file") else "rows"
    ways = [f"kin_by_equality({rows}, ALIKE)"] if split.alike else []
    likenesses = {
        "texts": split.near_texts, "sequences": split.near_sequences, "pictures": split.near_pictures,
        "videos": split.near_videos, "names": split.near_names,
    }  # fmt: skip
    ways += [f"*map(like_{what}, {rows}[ALIKE_{what.upper()}])" for what, columns in likenesses.items() if columns]
    if not ways:
        return [f"kin = torch.arange(len(rows))  # {why}"]
    if rows == "taught":
        return [
            "taught = rows[train.numpy()]",
            f"kin = torch.arange(len(rows))  # {why}",
            *in_brackets("kin[train] = train[kin_in_any([", ways, "])]", "no test row links two of them").splitlines(),
        ]
    if ways == ["kin_by_equality(rows, ALIKE)"]:
        return [f"kin = {ways[0]}  # {why}"]
    return in_brackets("kin = kin_in_any([", ways, "])", why).splitlines()


def _targets(plan: Plan) -> list[str]:
    if plan.target.task == "classification":
        return [
            "labels = labels_of(rows[TARGET].gather(train))",
            "targets = codes(rows[TARGET], labels) - 1",
            "test = test[targets[test] >= 0]  # a label that no training row has cannot be named",
        ]
    return [
        f"targets = number_values(rows, {{TARGET: {plan.target.read}}}).flatten()",
        "train, test = train[targets[train].isfinite()], test[targets[test].isfinite()]",
    ]


def _taught(plan: Plan) -> list[str]:
    rows, seed = plan.fitting.rows, plan.fitting.seed
    return [] if rows is None else [f"train = some_of(train, {rows}, seed={seed})  # more would not fit into memory"]


def _evaluating(predictor: Predictor) -> list[str]:
    classes = predictor.plan.target.task == "classification"
    lines = ["# 4 Evaluate: on rows that none of the above has seen", "unseen = rows_of(encoded, test)"]
    lines += answers_of_network(predictor.plan) if predictor.kept == NETWORK else answers_of_line(predictor.plan)
    if classes:
        return [
            *lines,
            "right = (answers.argmax(dim=1) == targets[test]).double().mean().item()",
            "loss = log_losses(answers, targets[test]).mean().item()",
            'print(f"{right:.1%} of {len(test)} test rows right, log loss {loss:.3f}")',
            "",
        ]
    return [
        *lines,
        "error = root_mean_squared_error(answers, targets[test])",
        'print(f"on {len(test)} test rows it is off by {error:.6g} (root of the mean squared error)")',
        "",
    ]


def _proving_score(classes: bool, evaluation: Evaluation) -> list[str]:
    kept = evaluation.kept
    if classes:
        return [
            f"assert right == {kept.score('accuracy').value!r} and abs(loss - {kept.score('log_loss').value!r}) < 1e-9"
        ]
    value = kept.score("root_mean_squared_error").value
    return [f"assert abs(error - {value!r}) <= 1e-9 * {value!r}"]
