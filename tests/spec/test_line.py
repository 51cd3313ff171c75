"""The straight line agrees with scikit-learn, which solves the same problems in other ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.linear_model import LogisticRegression, RidgeCV
from torch import Tensor, nn
from torch.testing import assert_close

from firstlight.model import fitting
from firstlight.plain.categories import OneHot
from firstlight.plain.line import COLUMNS_AT_ONCE, PENALTIES, Line, least_squares, logistic
from firstlight.plain.numbers import scaled
from firstlight.workflow import Choices

if TYPE_CHECKING:
    from tests.conftest import Fit

SHAPES = [(200, 5), (40, 60), (1000, 20)]  # rows, width; more columns than rows too


def problem(rows: int, width: int) -> tuple[Tensor, Tensor]:
    chance = torch.Generator().manual_seed(rows)
    design = torch.randn(rows, width, generator=chance, dtype=torch.float64)
    noise = torch.randn(rows, 3, generator=chance, dtype=torch.float64)
    return design, design @ torch.randn(width, 3, generator=chance, dtype=torch.float64) + noise


@pytest.mark.parametrize("noise", [1.0, 30.0])
@pytest.mark.parametrize(("rows", "width"), SHAPES)
def test_least_squares_agree_with_ridge_regression_of_scikit_learn(rows: int, width: int, noise: float) -> None:
    """Its RidgeCV chooses the penalty by leaving each row out, too."""
    design, sums = problem(rows, width)
    targets = sums[:, 0] + noise * torch.randn(rows, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    weight, bias = least_squares(design, targets)
    reference = RidgeCV(alphas=PENALTIES.numpy()).fit(design.numpy(), targets.numpy())
    np.testing.assert_allclose(weight[0].numpy(), reference.coef_, atol=1e-8)
    np.testing.assert_allclose(bias.item(), reference.intercept_, atol=1e-8)


@pytest.mark.parametrize("apart", [1.0, 1e-3, 0.0])
def test_many_columns_are_weighed_as_exactly_as_few_however_alike_they_are(apart: float) -> None:
    """Of many columns products are reckoned in strips."""
    design, sums = problem(3000, 2 * COLUMNS_AT_ONCE)
    half = COLUMNS_AT_ONCE
    design[:, half:] = design[:, :half] + apart * design[:, half:]
    targets = sums[:, 0] + 5 * (design[:, 0] - design[:, half])
    weight, bias = least_squares(design, targets)
    reference = RidgeCV(alphas=PENALTIES.numpy()).fit(design.numpy(), targets.numpy())
    np.testing.assert_allclose(weight[0].numpy(), reference.coef_, atol=1e-8)
    np.testing.assert_allclose(bias.item(), reference.intercept_, atol=1e-8)


def test_what_columns_of_noise_say_is_held_small() -> None:
    design = torch.randn(100, 80, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    targets = torch.randn(100, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    weight, bias = least_squares(design, targets)
    new = torch.randn(1000, 80, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    truth = torch.randn(1000, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    missed = (new @ weight[0] + bias - truth).square().mean()
    assert missed < 1.05 * (truth - targets.mean()).square().mean()


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(("rows", "width"), SHAPES)
def test_logistic_agrees_with_logistic_regression_of_scikit_learn(rows: int, width: int, classes: int) -> None:
    """The probabilities are compared: adding the same to all of a row's sums does not change them."""
    design, sums = problem(rows, width)
    labels = sums[:, :classes].argmax(dim=1)
    weight, bias = logistic(design, labels, outputs=classes)
    ours = (design @ weight.T + bias).softmax(dim=1)
    # Of two classes it knows one weight, the difference of our two: its square is twice the sum of theirs.
    strength = 2.0 if classes == 2 else 1.0
    reference = LogisticRegression(C=strength, tol=1e-13, max_iter=100_000).fit(design.numpy(), labels.numpy())
    np.testing.assert_allclose(ours.numpy(), reference.predict_proba(design.numpy()), atol=5e-6)


def hard(name: str) -> tuple[Tensor, Tensor]:
    """A design, and classes that noise makes hard to tell apart."""
    chance = torch.Generator().manual_seed(5)
    classes = 50 if name == "50 classes" else 4
    design = torch.randn(1200, 12, generator=chance, dtype=torch.float64)
    sums = design @ torch.randn(12, classes, generator=chance, dtype=torch.float64)
    labels = (sums + torch.randn(sums.shape, generator=chance, dtype=torch.float64)).argmax(dim=1)
    if name == "constant columns":
        design = torch.cat([design, torch.zeros(1200, 1), torch.full((1200, 1), 7.0)], dim=1)
    if name == "copies":
        design = torch.cat([design, design, 2 * design], dim=1)
    if name == "most rows of one class":
        labels[torch.rand(1200, generator=chance) < 0.95] = 0
    if name == "rare cells":
        design = design * (torch.rand(design.shape, generator=chance) < 0.02)
    if name == "parted without fail":
        labels = sums.argmax(dim=1)
    return design, labels


HARD = ["50 classes", "constant columns", "copies", "most rows of one class", "rare cells", "parted without fail"]


@pytest.mark.parametrize("name", HARD)
def test_logistic_stands_at_the_lowest_point_of_its_bowl(name: str) -> None:
    """There the gradient is zero: sum over rows of (probability - truth) x feature, plus the weight itself."""
    design, labels = hard(name)
    weight, bias = logistic(design, labels, outputs=int(labels.max()) + 1)
    surplus = (design @ weight.T + bias).softmax(dim=1) - nn.functional.one_hot(labels)
    assert (surplus.T @ design + weight).abs().max() < 1e-4
    assert surplus.sum(dim=0).abs().max() < 1e-4


@pytest.mark.parametrize("name", HARD)
def test_it_does_not_matter_from_which_line_logistic_sets_out(name: str) -> None:
    design, labels = hard(name)
    outputs = int(labels.max()) + 1
    weight, bias = logistic(design, labels, outputs)
    chance = torch.Generator().manual_seed(6)
    far = 3 * torch.randn(outputs, design.shape[1], generator=chance, dtype=torch.float64)
    for start in [logistic(design[300:], labels[300:], outputs), (far, far[:, 0])]:
        other, other_bias = logistic(design, labels, outputs, start)
        assert_close(
            (design @ other.T + other_bias).softmax(1), (design @ weight.T + bias).softmax(1), atol=1e-5, rtol=0
        )


def test_features_that_tell_nothing_get_no_weight() -> None:
    weight, bias = logistic(torch.ones(10, 2, dtype=torch.float64), torch.arange(10) % 2, outputs=2)
    assert weight.tolist() == [[0, 0], [0, 0]]
    assert bias.tolist() == [0, 0]


def test_classes_that_a_line_parts_without_fail_keep_finite_weights() -> None:
    design = torch.linspace(-1, 1, 50, dtype=torch.float64).unsqueeze(1)
    weight, bias = logistic(design, (design[:, 0] > 0).long(), outputs=2)
    assert weight.isfinite().all()
    assert bias.isfinite().all()
    assert ((design @ weight.T + bias).argmax(dim=1) == (design[:, 0] > 0)).double().mean() == 1


def test_a_class_without_a_row_is_given_next_to_no_probability() -> None:
    design, sums = problem(200, 5)
    weight, bias = logistic(design, sums[:, :2].argmax(dim=1), outputs=3)
    assert (design @ weight.T + bias).softmax(dim=1)[:, 2].max() < 1e-3


def test_columns_that_are_copies_of_each_other_do_no_harm() -> None:
    design, sums = problem(200, 5)
    twice = torch.cat([design, design], dim=1)
    weight, bias = least_squares(twice, sums[:, 0])
    assert_close(weight[0, :5], weight[0, 5:])
    assert bias.isfinite().all()


def test_the_line_weighs_the_features_of_all_kinds_of_columns_side_by_side() -> None:
    numbers = torch.tensor([[0.0], [2.0]], dtype=torch.float64)
    codes = torch.tensor([[1], [2]])
    line = Line(nn.ModuleDict({"numbers": scaled(numbers), "words": OneHot(torch.tensor([2]))}), outputs=1)
    inputs = {"words": codes, "numbers": numbers}
    assert line.design(inputs).tolist() == [[-1, 1, 0], [1, 0, 1]]
    line.load_state_dict({**line.state_dict(), "sums.weight": torch.tensor([[1, 10, 100]]), "sums.bias": torch.ones(1)})
    assert line(inputs).tolist() == [[10], [102]]
    assert line(inputs).dtype == torch.float64


def test_of_a_large_table_the_line_is_compared_by_two_folds_alone(monkeypatch: pytest.MonkeyPatch, fit: Fit) -> None:
    table = pl.DataFrame({"x": [float(row % 17) for row in range(200)], "y": [2.0 * (row % 17) for row in range(200)]})
    table = table.with_columns(y=pl.col("y") + pl.Series([(row * 7 % 11) / 10 for row in range(200)]))
    small = fit(table, Choices(target="y")).predictor
    monkeypatch.setattr(fitting, "MANY_CELLS", 10)
    large = fit(table, Choices(target="y")).predictor
    assert torch.equal(small.line.sums.weight, large.line.sums.weight), "the line itself learns from all rows"
    assert large.held_out_losses["straight line"] != small.held_out_losses["straight line"]
    assert large.held_out_losses["straight line"] == pytest.approx(small.held_out_losses["straight line"], rel=0.3)
    assert large.halfwidths["straight line"] == pytest.approx(small.halfwidths["straight line"], rel=0.3)
