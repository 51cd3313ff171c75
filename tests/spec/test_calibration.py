"""Ranges hold what they promise, and probabilities are brought to keep their word."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis.strategies import floats, integers
from scipy.optimize import nnls
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from firstlight.plain.calibration import conformal_halfwidth, fit_weights, least_squares_weights
from firstlight.plain.scores import calibration_error, log_loss


def overconfident(rows: int, temperature: float, seed: int) -> tuple[Tensor, Tensor]:
    """Logits that must be divided by `temperature` to keep their word, and labels drawn as they then say."""
    chance = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(rows, 4, generator=chance, dtype=torch.float64)
    labels = torch.multinomial(logits.softmax(dim=1), 1, generator=chance).squeeze(1)
    return temperature * logits, labels


def temperature_of(logits: Tensor, labels: Tensor) -> float:
    """What the logits of a part that stands alone are divided by."""
    return 1 / fit_weights(logits.softmax(dim=1).unsqueeze(0), labels).item()


def smoothed_loss(logits: Tensor, labels: Tensor, temperature: float) -> float:
    """Platt's loss by its definition: one row in rows + 2 counts as if any class were true; and the pull towards 1."""
    by_chance = 1 / (len(labels) + 2)
    given = logits.softmax(dim=1).clamp_min(1e-12).log()  # a probability of nothing would weigh endlessly
    logs = (given / temperature).log_softmax(dim=1)
    of_truth = logs[torch.arange(len(labels)), labels].mean()
    pull = math.log(temperature) ** 2 / (2 * len(labels))
    return (-(1 - by_chance) * of_truth - by_chance * logs.mean()).item() + pull


@pytest.mark.parametrize(("rows", "rank"), [(19, 19), (39, 38), (59, 57), (99, 95), (100, 96), (1999, 1900)])
def test_the_halfwidth_is_the_residual_of_the_rank_that_theory_names(rows: int, rank: int) -> None:
    residuals = torch.arange(1, rows + 1) * torch.tensor([1, -1]).repeat(rows)[:rows]
    assert conformal_halfwidth(residuals.double(), share=0.95) == rank


def test_fewer_than_nineteen_residuals_promise_nothing() -> None:
    assert conformal_halfwidth(torch.ones(18), share=0.95) == math.inf
    assert conformal_halfwidth(torch.ones(19), share=0.95) == 1.0
    assert conformal_halfwidth(torch.ones(0), share=0.95) == math.inf


@pytest.mark.parametrize("rows", [19, 39, 200])
def test_ranges_hold_the_truth_of_a_new_row_as_often_as_promised(rows: int) -> None:
    chance = torch.Generator().manual_seed(0)
    held = 0
    for _ in range(4000):
        residuals = torch.randn(rows + 1, generator=chance).exp()  # one long tail; the last is the new row's
        held += bool(residuals[-1] <= conformal_halfwidth(residuals[:-1], share=0.95))
    expected = math.ceil((rows + 1) * 0.95 - 1e-9) / (rows + 1)  # exactly, for exchangeable rows
    assert held / 4000 == pytest.approx(expected, abs=3 * math.sqrt(0.05 * 0.95 / 4000))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_known_temperature_is_recovered(temperature: float) -> None:
    logits, labels = overconfident(rows=20_000, temperature=temperature, seed=0)
    assert temperature_of(logits, labels) == pytest.approx(temperature, rel=0.04)


def test_the_fitted_temperature_lowers_the_loss_and_the_calibration_error_on_other_rows() -> None:
    logits, labels = overconfident(rows=4000, temperature=3.0, seed=1)
    others, their_labels = overconfident(rows=4000, temperature=3.0, seed=2)
    raw, calibrated = others.softmax(dim=1), (others / temperature_of(logits, labels)).softmax(dim=1)
    assert log_loss(calibrated, their_labels) < log_loss(raw, their_labels) - 0.1
    assert calibration_error(calibrated, their_labels, bins=10) < 0.03
    assert calibration_error(raw, their_labels, bins=10) > 0.15


@settings(deadline=None, max_examples=30)
@given(seed=integers(0, 2**31), rows=integers(1, 80), temperature=floats(0.2, 5))
def test_no_temperature_on_a_fine_grid_is_better(seed: int, rows: int, temperature: float) -> None:
    logits, labels = overconfident(rows, temperature, seed)
    found = smoothed_loss(logits, labels, temperature_of(logits, labels))
    grid = torch.logspace(math.log10(0.05), math.log10(20), 200, dtype=torch.float64).tolist()
    best = min(smoothed_loss(logits, labels, at) for at in grid)
    assert found <= best + 1e-6


def test_a_model_that_is_right_in_every_row_is_not_called_certain() -> None:
    labels = torch.arange(60) % 3
    logits = torch.eye(3, dtype=torch.float64)[labels] * 2
    calibrated = (logits / temperature_of(logits, labels)).softmax(dim=1)
    assert 0.95 < calibrated.max(dim=1).values.mean().item() < 0.995  # as if one row in 62 were a toss-up


def test_the_temperature_is_the_same_each_time() -> None:
    logits, labels = overconfident(rows=300, temperature=2.0, seed=5)
    assert temperature_of(logits.float(), labels) == temperature_of(logits.float(), labels)


def test_a_part_that_knows_more_is_believed_more_and_one_that_knows_nothing_hardly_at_all() -> None:
    logits, labels = overconfident(rows=4000, temperature=1.0, seed=6)
    noise = torch.randn(4000, 4, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    good, nothing = fit_weights(torch.stack([logits, noise]).softmax(dim=2), labels).tolist()
    assert good == pytest.approx(1, abs=0.1)
    assert nothing < 0.05


def test_the_weights_of_parts_that_know_different_things_are_those_of_logistic_regression() -> None:
    parts = torch.randn(2, 5000, 2, generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    chances = (parts * torch.tensor([1.5, 0.5]).view(2, 1, 1)).sum(dim=0).softmax(dim=1)
    labels = torch.multinomial(chances, 1, generator=torch.Generator().manual_seed(9)).squeeze(1)
    design = (parts[:, :, 1] - parts[:, :, 0]).T.numpy()
    reference = LogisticRegression(C=1e6, fit_intercept=False).fit(design, labels.numpy()).coef_[0]
    assert fit_weights(parts.softmax(dim=2), labels).tolist() == pytest.approx(reference.tolist(), rel=0.02)


def test_the_weights_of_numbers_are_those_of_least_squares_and_never_below_zero() -> None:
    chance = torch.Generator().manual_seed(3)
    truth = torch.randn(500, generator=chance, dtype=torch.float64)
    noise = torch.randn(3, 500, generator=chance, dtype=torch.float64)
    guesses = torch.stack([truth + noise[0], truth + 2 * noise[1], -truth + noise[2]])
    found = least_squares_weights(guesses, truth)
    expected, _ = nnls(guesses.T.numpy(), truth.numpy())
    assert found.tolist() == pytest.approx(expected.tolist(), abs=1e-9)
    assert found[2] == 0


def test_where_every_part_points_the_wrong_way_none_is_believed() -> None:
    truth = torch.linspace(-1, 1, 50, dtype=torch.float64)
    assert least_squares_weights(torch.stack([-truth, -2 * truth]), truth).tolist() == [0, 0]
