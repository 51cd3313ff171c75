"""The network's members live side by side and know nothing of one another."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from firstlight.plain.categories import OneHot
from firstlight.plain.lookup import MembersInHalf
from firstlight.plain.loop import fit_members, learning
from firstlight.plain.network import MemberLinear, Members
from firstlight.plain.numbers import piecewise_linear
from firstlight.plain.targets import blended, member_log_losses, member_squared_errors

MEMBERS, ROWS = 4, 40


def inputs() -> dict[str, Tensor]:
    chance = torch.Generator().manual_seed(0)
    numbers = torch.randn(ROWS, 2, generator=chance, dtype=torch.float64)
    return {"numbers": numbers, "words": torch.randint(0, 4, (ROWS, 1), generator=chance)}


def network(outputs: int = 3, half: bool = False) -> Members:
    torch.manual_seed(0)
    features = {"numbers": piecewise_linear(inputs()["numbers"], bins=4), "words": OneHot(torch.tensor([3]))}
    made = MembersInHalf if half else Members
    return made(nn.ModuleDict(features), MEMBERS, width=8, layers=2, outputs=outputs)


def test_every_member_answers_every_row() -> None:
    assert network()(inputs()).shape == (MEMBERS, ROWS, 3)
    assert network()(inputs()).dtype == torch.float32


def test_half_the_precision_gives_nearly_the_same_answers_and_slopes() -> None:
    slopes = []
    for half in (False, True):
        model = network(half=half)
        assert model(inputs()).dtype == torch.float32
        model(inputs()).square().sum().backward()
        slopes.append({name: parameter.grad for name, parameter in model.named_parameters()})
    torch.testing.assert_close(network(half=True)(inputs()), network()(inputs()), rtol=0.02, atol=0.02)
    assert (network(half=True)(inputs()) != network()(inputs())).any()
    torch.testing.assert_close(slopes[1], slopes[0], rtol=0.05, atol=0.05)


def test_the_last_layer_keeps_its_precision() -> None:
    model, seen = network(half=True), list[torch.dtype]()
    for layer in (model.hidden[1], model.output):
        layer.register_forward_pre_hook(lambda _, given: seen.append(given[0].dtype))
    model(inputs())
    assert seen == [torch.bfloat16, torch.float32]


def test_a_member_alone_is_a_multilayer_perceptron() -> None:
    model = network()
    features = torch.cat([module(inputs()[name]).float() for name, module in model.features.items()], dim=1)
    for member in range(MEMBERS):
        signal = features
        for layer in model.hidden:
            assert isinstance(layer, MemberLinear)
            signal = (signal @ layer.weight[member] + layer.bias[member]).relu()
        signal = signal @ model.output.weight[member] + model.output.bias[member]
        torch.testing.assert_close(model(inputs())[member], signal)


@pytest.mark.parametrize("layer", ["hidden.0", "hidden.1", "output"])
def test_other_weights_in_one_member_change_its_own_answers_alone(layer: str) -> None:
    model = network()
    before = model(inputs())
    with torch.no_grad():
        model.get_submodule(layer).weight[2] += 1  # type: ignore[index, operator]
    changed = (model(inputs()) != before).flatten(1).any(dim=1)
    assert changed.tolist() == [False, False, True, False]


def test_members_are_born_different_and_within_reach() -> None:
    model = network()
    for layer in (*model.hidden, model.output):
        assert isinstance(layer, MemberLinear)
        assert layer.weight.abs().max() <= layer.weight.shape[1] ** -0.5
        assert len(layer.weight.flatten(1).unique(dim=0)) == MEMBERS


def fitted(targets: Tensor, folds: Tensor, model: Members) -> Members:
    losses = member_log_losses if targets.dtype == torch.int64 else member_squared_errors
    learns = learning(folds, MEMBERS)
    torch.manual_seed(1)
    list(fit_members(model, inputs(), targets, learns, losses, epochs=3, batch=8, rate=0.01, decay=0.01))
    return model


@pytest.mark.parametrize("task", ["classes", "numbers"])
def test_a_member_is_not_influenced_by_the_targets_of_the_rows_that_it_holds_out(task: str) -> None:
    """Targets of one fold are changed: the member that holds it out has the same weights, to the last bit."""
    folds = torch.arange(ROWS) % 4
    targets = torch.arange(ROWS) % 3 if task == "classes" else torch.arange(ROWS) / 10
    others = torch.where(folds == 1, (targets + 1) % 3, targets)
    outputs = 3 if task == "classes" else 1
    first = fitted(targets, folds, network(outputs)).state_dict()
    second = fitted(others, folds, network(outputs)).state_dict()
    for name in ("hidden.0.weight", "hidden.1.bias", "output.weight"):
        same = (first[name] == second[name]).flatten(1).all(dim=1)
        assert same.tolist() == [False, True, False, False]


def test_each_row_is_held_out_by_some_member_and_each_member_holds_out_one_fold() -> None:
    folds = torch.arange(ROWS) % 4
    learns = learning(folds, 6)
    assert ((1 - learns).sum(dim=0) >= 1).all()
    for member in range(6):
        assert (folds[learns[member] == 0] == member % 4).all()
        assert (folds[learns[member] == 1] != member % 4).all()


def test_member_losses_are_those_of_torch_member_by_member() -> None:
    outputs = network()(inputs())
    classes = torch.arange(ROWS) % 3
    expected = torch.stack([nn.functional.cross_entropy(each, classes, reduction="none") for each in outputs])
    torch.testing.assert_close(member_log_losses(outputs, classes), expected)
    numbers, truth = outputs[..., :1], torch.arange(ROWS) / 10
    expected = torch.stack([nn.functional.mse_loss(each[:, 0], truth, reduction="none") for each in numbers])
    torch.testing.assert_close(member_squared_errors(numbers, truth), expected)


def test_a_temperature_makes_probabilities_surer_or_less_sure_and_keeps_their_order() -> None:
    given = torch.tensor([[0.6, 0.3, 0.1]], dtype=torch.float64)

    def at(temperature: float) -> torch.Tensor:
        return blended(given.unsqueeze(0), torch.tensor([1 / temperature]), torch.zeros(3))[0]

    torch.testing.assert_close(at(1.0), given[0])
    assert at(0.5)[0] > 0.6 > at(2.0)[0] > 1 / 3
    assert at(0.5).argsort().equal(at(2.0).argsort())


def test_parts_are_blended_by_their_weights_and_the_bias_of_each_class() -> None:
    given = torch.tensor([[[0.9, 0.1]], [[0.2, 0.8]]], dtype=torch.float64)
    none = torch.zeros(2)
    torch.testing.assert_close(blended(given, torch.tensor([1.0, 0.0]), none), given[0])
    odds = (0.9 / 0.1) ** 0.5 * (0.2 / 0.8) ** 0.25
    expected = torch.tensor([[odds / (1 + odds), 1 / (1 + odds)]], dtype=torch.float64)
    torch.testing.assert_close(blended(given, torch.tensor([0.5, 0.25]), none), expected)
    odds *= math.exp(-0.7)
    expected = torch.tensor([[odds / (1 + odds), 1 / (1 + odds)]], dtype=torch.float64)
    torch.testing.assert_close(blended(given, torch.tensor([0.5, 0.25]), torch.tensor([0.0, 0.7])), expected)
    assert blended(torch.tensor([[[1.0, 0.0]]]), torch.tensor([20.0]), none).isfinite().all()
