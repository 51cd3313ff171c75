"""The model file: what is loaded is what was saved, and a file whose parts do not belong together is refused."""

from __future__ import annotations

import json
import math
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor

import firstlight
from firstlight.evaluate.stored import as_json
from firstlight.model.answers import ClassAnswers, NumberAnswers
from firstlight.model.predictor import CONSTANT, LINE, NETWORK
from firstlight.plain.lookup import MembersInHalf
from firstlight.refusal import Refused
from firstlight.store.audit import audit
from firstlight.store.model_file import EXAMPLES, FILE_NAME, LONGEST_EXAMPLE, load_model, save_model
from firstlight.store.run import Run
from firstlight.using import evaluate
from firstlight.workflow import Choices

if TYPE_CHECKING:
    from tests.conftest import Fit

ROWS = pl.DataFrame(
    {
        "size": [1.5, None, 3.25, math.inf, -2.0] * 12,
        "count": [1, 2, None, 4, 5, 6] * 10,
        "place": ["here", "there", None, "away"] * 15,
        "open": [True, False, None] * 20,
        "day": pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 2, 29), "1d", eager=True),
        "label": ["a", "b", "a", "c", "a", "b"] * 10,
        "price": [float(number % 17 + 9 * (number % 6)) for number in range(60)],  # more for more of `count`
    }
)


@pytest.fixture(scope="module")
def classes(fit: Fit) -> Run:
    return fit(ROWS, Choices("label"), keep=NETWORK)


@pytest.fixture(scope="module")
def numbers(fit: Fit) -> Run:
    return fit(ROWS, Choices("price"), keep=LINE)


@pytest.fixture(params=["classes", "numbers"])
def run(request: pytest.FixtureRequest) -> Run:
    fitted: Run = request.getfixturevalue(request.param)
    return fitted


def path_of(run: Run) -> Path:
    assert run.folder is not None
    return run.folder / FILE_NAME


def parts(answers: ClassAnswers | NumberAnswers) -> list[Tensor]:
    if isinstance(answers, ClassAnswers):
        return [answers.probabilities]
    return [answers.predictions, answers.low, answers.high]


def test_a_loaded_model_is_the_saved_one(run: Run) -> None:
    stored = load_model(path_of(run))
    assert stored.predictor.plan == run.predictor.plan
    assert stored.predictor.encoders == run.predictor.encoders
    assert stored.evaluation is not None
    assert run.evaluation is not None
    assert as_json(stored.evaluation) == as_json(run.evaluation)
    ours, theirs = run.predictor.answers(ROWS), stored.predictor.answers(ROWS)
    assert list(ours) == [NETWORK, LINE, CONSTANT]
    for name in ours:
        assert all(map(torch.equal, parts(ours[name]), parts(theirs[name])))


def test_saved_again_it_gives_the_same_weights_and_plan(run: Run, tmp_path: Path) -> None:
    stored = load_model(path_of(run))
    save_model(tmp_path / "again", stored.predictor, stored.evaluation, ROWS)
    first, second = load(path_of(run).read_bytes()), load((tmp_path / "again").read_bytes())
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    ours, theirs = audit(path_of(run)).metadata, audit(tmp_path / "again").metadata
    assert [name for name in ours if ours[name] != theirs[name]] in ([], ["examples"])


def test_a_few_training_rows_and_nothing_of_the_test_rows_stand_in_it(run: Run) -> None:
    examples = json.loads(audit(path_of(run)).metadata["examples"])
    assert {len(cells) for cells in examples["rows"].values()} == {EXAMPLES}
    assert set(examples["rows"]) == set(run.predictor.plan.inputs)
    assert [len(answers) for answers in examples["answers"].values()] == [EXAMPLES] * 3


def test_of_a_cell_as_long_as_a_file_the_beginning_is_an_example(fit: Fit) -> None:
    texts = ["endless words " * 20_000, *(f"some words of row {row} and more" for row in range(59))]
    run = fit(pl.DataFrame({"text": texts, "label": ["yes", "no"] * 30}), Choices("label", test=0.0, seconds=0.01))
    shown = json.loads(audit(path_of(run)).metadata["examples"])["rows"]["text"]
    assert len(shown[0]) == LONGEST_EXAMPLE < len(texts[0])
    assert load_model(path_of(run)).predictor.plan == run.predictor.plan


def test_a_model_in_half_precision_loads_and_is_tested_on_a_machine_that_rounds_otherwise(
    fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = pl.DataFrame({"x": range(600), "y": [row * 37 % 101 / 7 for row in range(600)]})
    table = tmp_path / "table.csv"
    rows.with_columns(answer=1e6 * (pl.col("x") / 100).sin() + 5e4 * pl.col("y") - 5e5).write_csv(table)
    plan = fit(table, Choices("answer")).predictor.plan
    assert plan.network is not None
    network = plan.network.model_copy(update={"half": True, "epochs": 8})
    halved = plan.model_copy(update={"network": network, "parts": {}})
    run = fit(table, Choices(), plan=halved, keep=NETWORK)
    before = run.predict(rows)["answer"]
    monkeypatch.setattr(MembersInHalf, "kind", torch.float32)
    again = firstlight.load(path_of(run).parent)
    assert not again.predict(rows)["answer"].equals(before)
    assert evaluate(again).looks == 2
    for weight, more in (("network.columns.output.bias", 0.1), ("line.sums.bias", 1e3)):
        content = changed(run, lambda tensors, weight=weight, more=more: tensors[weight].add_(more), nothing)  # type: ignore[misc]
        assert "does not give the answers again" in refusal(content, tmp_path)


def test_a_model_that_was_not_tested_is_saved_too(fit: Fit) -> None:
    assert load_model(path_of(fit(ROWS, Choices("label", test=0.0)))).evaluation is None


def changed(
    run: Run, tensors: Callable[[dict[str, Tensor]], object], metadata: Callable[[dict[str, Any]], object]
) -> bytes:
    """The file with its tensors, and with its metadata, changed by the two functions."""
    held = load(path_of(run).read_bytes())
    told: dict[str, Any] = dict(audit(path_of(run)).metadata)
    for name in ("state", "examples", "evaluation"):
        told[name] = json.loads(told[name])
    tensors(held)
    metadata(told)
    written = {name: value if isinstance(value, str) else json.dumps(value) for name, value in told.items()}
    return save({name: value.contiguous() for name, value in held.items()}, written)


def refusal(content: bytes, folder: Path) -> str:
    path = folder / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(Refused) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith((".", "?"))
    return str(caught.value).replace(str(path), "FILE")


def nothing(_: object) -> None:
    """Changes nothing."""


def test_the_tool_of_these_tests_changes_nothing_by_itself(run: Run, tmp_path: Path) -> None:
    (tmp_path / "same").write_bytes(changed(run, nothing, nothing))
    load_model(tmp_path / "same")


@pytest.mark.parametrize(
    ("kept", "name"),
    [
        ("classes", "network.columns.output.weight"),
        ("classes", "network.columns.output.bias"),
        ("classes", "network.columns.hidden.0.weight"),
        ("classes", "network.columns.hidden.1.bias"),
        ("classes", "network.columns.features.numbers.centre"),
        ("numbers", "line.sums.weight"),
        ("numbers", "line.sums.bias"),
        ("numbers", "line.features.numbers.deviation"),
    ],
)
def test_a_weight_that_was_tampered_with_is_found_out_by_the_examples(
    kept: str, name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    content = changed(request.getfixturevalue(kept), lambda held: held[name].mul_(-1.5), nothing)
    assert refusal(content, tmp_path).startswith("FILE is damaged: the model does not give the answers again")


def test_other_answers_words_or_units_are_found_out_by_the_examples(run: Run, tmp_path: Path) -> None:
    def other_answers(model: str) -> Callable[[dict[str, Any]], None]:
        def change(told: dict[str, Any]) -> None:
            told["examples"]["answers"][model][0][0] += 0.01

        return change

    def other_words(told: dict[str, Any]) -> None:
        told["state"]["learned"]["categories"]["place"].reverse()

    for change in (*map(other_answers, ("network", "straight line", "constant")), other_words):
        assert "does not give the answers again" in refusal(changed(run, nothing, change), tmp_path)


def test_a_file_without_examples_proves_nothing_and_is_refused(run: Run, tmp_path: Path) -> None:
    def none_left(told: dict[str, Any]) -> None:
        told["examples"] = {
            "rows": {name: [] for name in told["examples"]["rows"]},
            "answers": {key: [] for key in ("network", "straight line", "constant")},
        }

    assert refusal(changed(run, nothing, none_left), tmp_path).startswith("FILE is damaged")


@pytest.mark.parametrize(
    "change",
    [
        lambda held: held.pop("network.columns.output.weight"),
        lambda held: held.pop("line.sums.bias"),
        lambda held: held.pop("constant"),
        lambda held: held.pop("network.columns.features.numbers.centre"),
        lambda held: held.update({"network.columns.extra": torch.ones(1)}),
        lambda held: held.update({"network.columns.features.numbers.code": torch.ones(1)}),
        lambda held: held.update({"network.columns.output.weight": held["network.columns.output.weight"][:, :1]}),
        lambda held: held.update({"network.columns.hidden.0.weight": held["network.columns.hidden.0.weight"].double()}),
        lambda held: held.update({"line.features.numbers.mean": held["line.features.numbers.mean"][:1]}),
        lambda held: held.update({"network.columns.features.categories.sizes": torch.tensor([10**12])}),
        lambda held: held.update({"network.columns.features.categories.sizes": torch.tensor([-3])}),
        lambda held: held.update({"network.columns.features.categories.sizes": torch.tensor([0.5])}),
        lambda held: held["network.columns.features.numbers.column"].fill_(99),
        lambda held: held["network.columns.features.numbers.column"].fill_(-1),
        lambda held: held["network.columns.features.numbers.gappy"].fill_(99),
        lambda held: held.update({"constant": torch.ones(7, dtype=torch.float64)}),
    ],
)
def test_tensors_that_are_not_those_of_the_plan_are_refused(
    change: Callable[[dict[str, Tensor]], object], run: Run, tmp_path: Path
) -> None:
    assert refusal(changed(run, change, nothing), tmp_path).startswith("FILE is damaged: ")


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_weights_that_are_no_numbers_are_refused_by_name(bad: float, run: Run, tmp_path: Path) -> None:
    content = changed(run, lambda held: held["network.columns.output.bias"].fill_(bad), nothing)
    assert "tensor 'network.columns.output.bias' holds numbers that are not finite" in refusal(content, tmp_path)


def edit(old: str, new: str) -> Callable[[dict[str, Any]], None]:
    """Changes the plan in a file."""

    def edited(told: dict[str, Any]) -> None:
        told["plan"], times = re.subn(old, new, told["plan"])
        assert times

    return edited


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"members = \d+", "members = 9"),
        (r"width = \d+", "width = 64"),
        (r"layers = \d+", "layers = 3"),
        (r"width = \d+", "width = 8192"),
        (r"width = \d+", "width = 99999999999"),
        (r"layers = \d+", "layers = 16"),
        (r"\[columns.place\]", "[columns.plaice]"),
        (r'kind = "boolean"', 'kind = "left out"'),
        (r'kind = "category"', 'kind = "categroy"'),
        (r"\[network\]", "[netwrok]"),
    ],
)
def test_a_plan_of_other_sizes_than_the_tensors_is_refused_before_memory_is_taken(
    old: str, new: str, run: Run, tmp_path: Path
) -> None:
    content = changed(run, nothing, edit(old, new))
    tracemalloc.start()
    refusal(content, tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * len(content) + 5_000_000


def put(part: str, name: str, value: object) -> Callable[[dict[str, Any]], None]:
    def placed(told: dict[str, Any]) -> None:
        told[part][name] = value

    return placed


@pytest.mark.parametrize("deviation", [-1.0, 0.0, 1e9])
def test_a_unit_that_would_make_all_answers_alike_is_refused(deviation: float, run: Run, tmp_path: Path) -> None:
    refusal(changed(run, nothing, put("state", "deviation", deviation)), tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        put("state", "kept", "forest"),
        put("state", "kept", CONSTANT),
        put("state", "extra", 1),
        put("state", "labels", []),
        put("state", "labels", ["a", "b", "c", "d", "e"]),
        put("state", "learned", {}),
        put("state", "learned", {"categories": {"other": ["x"]}, "booleans": {}, "numbers": {}, "dates": {}}),
        put("state", "halfwidths", {}),
        put("state", "mean", "high"),
        put("state", "weights", [-1.0]),
        put("state", "weights", [1.0, 1.0]),
        put("examples", "rows", {}),
        put("examples", "rows", {"size": [{"a": 1}]}),
        put("evaluation", "task", "poetry"),
        lambda told: told.update(evaluation=3),
        lambda told: told.update(evaluation="{"),
        lambda told: told.update(state="{"),
        lambda told: told.pop("state"),
        lambda told: told.pop("plan"),
        lambda told: told.pop("examples"),
        lambda told: told.update(format="firstlight 99"),
        lambda told: told.pop("format"),
    ],
)
def test_metadata_that_does_not_fit_is_refused(
    change: Callable[[dict[str, Any]], object], classes: Run, numbers: Run, tmp_path: Path
) -> None:
    refused = 0
    for run in (classes, numbers):
        path = tmp_path / "model.safetensors"
        path.write_bytes(changed(run, nothing, change))
        try:
            load_model(path)
        except Refused as sentence:
            assert "\n" not in str(sentence)
            refused += 1
    assert refused, "neither a model of classes nor one of numbers was found out"


def test_a_file_of_another_program_is_no_model(tmp_path: Path) -> None:
    content = save({"weight": torch.ones(2)}, {"format": "pt"})
    assert (
        refusal(content, tmp_path) == "FILE holds no model of firstlight's; it says nothing of a format 'firstlight 1'."
    )


def test_any_byte_changed_is_found_out_or_harmless(run: Run, tmp_path: Path) -> None:
    """Bits flip on old disks: the file is refused, or gives the same answers."""
    content = path_of(run).read_bytes()
    chance = torch.Generator().manual_seed(0)
    header = int.from_bytes(content[:8], "little")
    path = tmp_path / "model.safetensors"
    for place in torch.randint(header + 8, (60,), generator=chance).tolist():
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        try:
            load_model(path)
        except Refused as sentence:
            assert "\n" not in str(sentence)
