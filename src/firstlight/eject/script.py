"""Writes the script: a `main` of six steps with the plan's constants, above it what it uses of `plain/`."""

from __future__ import annotations

import ast
import os
import textwrap
from collections.abc import Iterable
from pathlib import Path

from firstlight.eject.definitions import Definition, import_lines, names_in, needed_by
from firstlight.evaluate.evaluation import Evaluation
from firstlight.kinds.kind import SCRIPT_WIDTH, in_brackets
from firstlight.model.building import outputs_for
from firstlight.model.fitting import dealt_by_class
from firstlight.model.predictor import NETWORK, Predictor
from firstlight.plain.proof import digest
from firstlight.plan.plan import Plan, Source


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
    tested = "then tests it on rows that it has not seen, " if evaluation else ""
    text = (
        f"Predicts {_safe(plan.target.column)!r} from the other columns of {_safe(plan.source.name)}, in plain PyTorch."
        + "\n\n"
        + textwrap.fill(
            f"It fits {what}, {tested}saves it, and proves that it is the very model that firstlight fitted when it "
            "wrote this script: to the last bit, on a like machine with the same torch, numpy and polars.",
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
    if plan.split.alike and with_kin:
        lines.append(
            in_brackets("ALIKE = [", list(map(repr, plan.split.alike)), "]", "rows equal in all of these stay together")
        )
    for kind in plan.kinds:
        lines += kind.snippets.constants(plan.of_kind(kind)).splitlines()
    return lines


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
        *(kind.snippets.learn for kind in plan.kinds if kind.snippets.learn),
        *_targets(plan),
        *_mapping("encoded = ", [f'"{kind.block}": {kind.snippets.encode}' for kind in plan.kinds], ""),
        "inputs = rows_of(encoded, train)",
        "",
        *(_build_network(plan, predictor) if kept_network else _build_line(plan, predictor)),
        "",
        *(_fit_network(plan, calibrated=evaluation is not None) if kept_network else _fit_line(predictor)),
        "",
        *(_evaluating(predictor, evaluation) if evaluation else []),
        "# 5 Save and load: the parameters by name, into a new file and out of it again",
        'np.savez(HERE / "weights.npz", **{name: value.numpy() for name, value in model.state_dict().items()})',
        'with np.load(HERE / "weights.npz") as weights:',
        "    model.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights})",
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
    options = "".join(f", {name}={value!r}" for name, value in source.options.items())
    return f"read_{source.reader}([{shown}]{options})"


def _splitting(plan: Plan, *, with_kin: bool) -> list[str]:
    split = plan.split
    kin = "kin_by_equality(rows, ALIKE)" if split.alike else "torch.arange(len(rows))"
    if split.way == "group":
        kin = f"kin_by_equality(rows, [{split.column!r}])"
    strata = (
        "codes(rows[TARGET], labels_of(rows[TARGET])) - 1"
        if split.even
        else "torch.zeros(len(rows), dtype=torch.int64)"
    )
    lines = [f"kin = {kin}  # equal for rows that must stay together"] if with_kin else []
    if split.way in ("chance", "group"):
        lines += [
            f"strata = {strata}",
            f"train, test = split_at_random(strata, kin, share={split.share!r}, seed={split.seed})",
        ]
    elif split.way == "time":
        when = f"moments(rows[{split.column!r}], {list(split.forms)!r})"
        lines += [
            f"when = days_since_1970({when})" if split.forms else f"when = typed_numbers(rows[{split.column!r}])",
            f"train, test = split_by_time(torch.from_numpy(when.to_numpy(writable=True)), share={split.share!r})",
        ]
    elif split.way == "none":
        lines.append("train, test = torch.arange(len(rows)), torch.arange(0)")
    return lines


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


def _mapping(before: str, items: list[str], after: str) -> list[str]:
    """A dict on one line where it fits, else an item a line."""
    line = f"{before}{{{', '.join(items)}}}{after}"
    return [line] if len(line) <= SCRIPT_WIDTH else [f"{before}{{", *(f"    {item}," for item in items), f"}}{after}"]


def _build_network(plan: Plan, predictor: Predictor) -> list[str]:
    sizes = plan.network
    features = [f'"{kind.block}": {kind.snippets.network_features(sizes.bins)}' for kind in plan.kinds]
    return [
        "# 2 Build: several small networks side by side; their parameters are random until step 3",
        *_mapping("features = nn.ModuleDict(", features, ")"),
        f"torch.manual_seed({plan.fitting.seed})",
        f"model = Members(features, {sizes.members}, width={sizes.width}, layers={sizes.layers}, "
        f"outputs={outputs_for(predictor.encoders)})",
    ]


def _build_line(plan: Plan, predictor: Predictor) -> list[str]:
    features = [f'"{kind.block}": {kind.snippets.line_features}' for kind in plan.kinds]
    return [
        "# 2 Build: a weighted sum of the features; its weights are random until step 3",
        *_mapping("features = nn.ModuleDict(", features, ")"),
        f"model = Line(features, outputs={outputs_for(predictor.encoders)})",
    ]


def _fit_network(plan: Plan, *, calibrated: bool) -> list[str]:
    classes = plan.target.task == "classification"
    fitting, stopped = plan.fitting, plan.fitting.interrupted_after
    strata = "targets[train]" if dealt_by_class(plan) else "torch.zeros_like(train)"
    lines = [
        "# 3 Fit: forward, loss, backward, step; each member holds out one fold of the training rows",
        f"folds = folds_of({strata}, kin[train].unique(return_inverse=True)[1], {fitting.folds}, seed={fitting.seed})",
        f"learns = learning(folds, {plan.network.members})",
    ]
    if not classes:
        lines += [
            "mean, deviation = targets[train].mean().item(), targets[train].std(correction=0).item() or 1.0",
            "unit_targets = ((targets[train] - mean) / deviation).float()  # in deviations from the mean",
        ]
    loss, learned = ("member_log_losses", "targets[train]") if classes else ("member_squared_errors", "unit_targets")
    lines += [
        f"torch.manual_seed({fitting.seed})  # of the order of the rows",
        "epochs = fit_members(",
        f"    model, inputs, {learned}, learns, {loss}, epochs={fitting.epochs}, batch={fitting.batch}, "
        f"rate={fitting.rate!r}, decay={fitting.decay!r},",
        ")",
        *([f"epochs = up_to(epochs, {stopped})  # there it was interrupted"] if stopped is not None else []),
        "for epoch, loss, held_out_loss in keeping_best(model, epochs):",
        '    print(f"epoch {epoch:3d}  loss {loss:.4f}  on held-out rows {held_out_loss:.4f}")',
    ]
    if classes and calibrated:
        lines += [
            "held_out = held_out_mean(outputs_of(model, inputs, len(train)).double().softmax(dim=-1), learns)",
            "temperature = fit_temperature(held_out.clamp_min(1e-12).log(), targets[train])  # how sure it may be",
        ]
    return lines


def _fit_line(predictor: Predictor) -> list[str]:
    fit = "least_squares(model.design(inputs), targets[train])"
    if predictor.plan.target.task == "classification":
        fit = f"logistic(model.design(inputs), targets[train], outputs={outputs_for(predictor.encoders)})"
    return [
        "# 3 Fit: the weights with the least error",
        "with torch.no_grad():",
        "    design = model.design(inputs)",
        f"weight, bias = {fit.replace('model.design(inputs)', 'design')}",
        'model.load_state_dict({**model.state_dict(), "sums.weight": weight, "sums.bias": bias})',
    ]


def _evaluating(predictor: Predictor, evaluation: Evaluation) -> list[str]:
    classes = predictor.plan.target.task == "classification"
    lines = ["# 4 Evaluate: on rows that none of the above has seen", "test_inputs = rows_of(encoded, test)"]
    if predictor.kept == NETWORK:
        lines.append("outputs = outputs_of(model, test_inputs, len(test))")
        answer = (
            "answers = sharpen(outputs.double().softmax(dim=-1).mean(dim=0), temperature)"
            if classes
            else "answers = outputs.double().mean(dim=0).flatten() * deviation + mean"
        )
    else:
        lines += ["with torch.inference_mode():", "    outputs = model(test_inputs)"]
        answer = "answers = outputs.softmax(dim=-1)" if classes else "answers = outputs.flatten()"
    lines.append(answer)
    if classes:
        lines += [
            "right = (answers.argmax(dim=1) == targets[test]).double().mean().item()",
            "loss = log_losses(answers, targets[test]).mean().item()",
            'print(f"{right:.1%} of {len(test)} test rows right, log loss {loss:.3f}")',
        ]
    else:
        lines += [
            "error = root_mean_squared_error(answers, targets[test])",
            'print(f"on {len(test)} test rows it is off by {error:.6g} (root of the mean squared error)")',
        ]
    return [*lines, ""]


def _proving_score(classes: bool, evaluation: Evaluation) -> list[str]:
    kept = evaluation.kept
    if classes:
        return [
            f"assert right == {kept.score('accuracy').value!r} and abs(loss - {kept.score('log_loss').value!r}) < 1e-9"
        ]
    value = kept.score("root_mean_squared_error").value
    return [f"assert abs(error - {value!r}) <= 1e-9 * {value!r}"]
