"""What is looked up is what would have come out of the products."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from firstlight.model.building import members_of
from firstlight.plain.categories import OneHot
from firstlight.plain.lookup import (
    LOOKED_UP_FROM,
    MembersByLookup,
    MembersInHalf,
    lookups_of_bins,
    lookups_of_words,
)
from firstlight.plain.loop import outputs_of
from firstlight.plain.network import Members
from firstlight.plain.numbers import piecewise_linear
from firstlight.plan.plan import Network

ROWS = 400


def numbers(seed: int = 0) -> Tensor:
    """Columns of many values, few values, one value, gaps, and huge numbers."""
    chance = torch.Generator().manual_seed(seed)
    values = torch.randn(ROWS, 6, generator=chance, dtype=torch.float64)
    values[:, 1] = values[:, 1].round()
    values[:, 2] = 7.0
    values[::3, 3] = torch.nan
    values[:, 4] = (20 * values[:, 4]).exp()
    values[:, 5] = 1.0  # the last column has no bins, either
    return values


def chosen_features(values: Tensor) -> nn.ModuleDict:
    return nn.ModuleDict({"numbers": piecewise_linear(values, 64), "words": OneHot(torch.tensor([3, 5]))})


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [2, 5, 0, 1, 3, 4], [0, 2, 5, 1, 3, 4]])
def test_of_bins_the_features_times_the_weights_are_found(order: list[int]) -> None:
    feature = piecewise_linear(numbers()[:, order], 64)
    bins = len(feature.left)
    weight = torch.randn(3, bins, 8, generator=torch.Generator().manual_seed(1))
    some = order.index(0)
    edges = feature.left[feature.column == some].double() * feature.spread[some] + feature.centre[some]
    exact = numbers()[: len(edges), order].clone()
    exact[:, some] = edges  # where bins begin
    gaps = torch.full((4, 6), torch.nan, dtype=torch.float64)
    none = exact[:0]
    for values in (numbers()[:, order], numbers(2)[:, order], exact, gaps, none, 1e12 * numbers(3)[:, order]):
        lookups, features = lookups_of_bins(feature, values, weight), feature(values)[:, :bins]
        for member in range(3):
            assert_close(lookups.sums(member), features @ weight[member], rtol=1e-4, atol=1e-4)


def test_of_words_the_features_times_the_weights_are_found() -> None:
    feature = OneHot(torch.tensor([3, 5]))
    weight = torch.randn(2, feature.width, 8, generator=torch.Generator().manual_seed(1))
    codes = torch.tensor([[1, 1], [3, 5], [0, 4], [4, 0], [2, 6]])  # 0 and those beyond a column: unknown
    lookups = lookups_of_words(feature, codes, weight)
    for member in range(2):
        assert_close(lookups.sums(member), feature(codes) @ weight[member])


@pytest.mark.parametrize("kinds", [("numbers", "words"), ("numbers",), ("words",)])
@pytest.mark.parametrize(("made", "close"), [(MembersByLookup, 1e-4), (MembersInHalf, 0.03)])
def test_rows_are_answered_as_they_are_while_the_networks_learn(
    made: type[Members], close: float, kinds: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MembersByLookup, "at_once", ROWS // 4 + 1)
    torch.manual_seed(0)
    features = chosen_features(numbers())
    model = made(nn.ModuleDict({kind: features[kind] for kind in kinds}), 4, 16, 2, 3)
    inputs = {"numbers": numbers(4), "words": torch.randint(0, 7, (ROWS, 2))}
    assert_close(outputs_of(model, inputs, torch.arange(ROWS)), model(inputs).detach(), rtol=close, atol=close)


def test_in_half_layers_multiply_in_half_while_rows_are_answered() -> None:
    answers = []
    for made in (MembersByLookup, MembersInHalf):
        torch.manual_seed(0)
        model = made(chosen_features(numbers()), 4, 16, 2, 3)
        inputs = {"numbers": numbers(4), "words": torch.ones(ROWS, 2, dtype=torch.int64)}
        answers.append(outputs_of(model, inputs, torch.arange(ROWS)))
    assert 1e-4 < (answers[0] - answers[1]).abs().max() < 0.03


def test_weights_that_changed_are_looked_up_anew() -> None:
    model = MembersByLookup(chosen_features(numbers()), 4, 16, 2, 3)
    inputs = {"numbers": numbers(4), "words": torch.ones(ROWS, 2, dtype=torch.int64)}
    outputs_of(model, inputs, torch.arange(ROWS))
    with torch.no_grad():
        model.hidden[0].weight.mul_(2)  # type: ignore[operator]
        assert_close(model(inputs), Members.forward(model, inputs), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("bins", "half", "made"),
    [(4, False, Members), (LOOKED_UP_FROM, False, MembersByLookup), (4, True, MembersInHalf)],
)
def test_tables_of_few_rows_are_read_by_the_plainest_networks(bins: int, half: bool, made: type[Members]) -> None:
    sizes = Network(members=8, width=128, layers=2, bins=bins, epochs=1, batch=256, rate=0.01, decay=0.1, half=half)
    assert members_of(sizes) is made
