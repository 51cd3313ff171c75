"""Ranges hold what they promise, and probabilities are brought to keep their word."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis.strategies import floats, integers, sampled_from
from scipy.optimize import minimize, nnls
from torch import Tensor

from firstlight.plain.calibration import conformal_halfwidth, fit_temperature, fit_weights, least_squares_weights
from firstlight.plain.scores import calibration_error, log_loss
from firstlight.plain.targets import blended


def overconfident(rows: int, temperature: float, seed: int) -> tuple[Tensor, Tensor]:
    """Logits that must be divided by `temperature` to keep their word, and labels drawn as they then say."""
    chance = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(rows, 4, generator=chance, dtype=torch.float64)
    labels = torch.multinomial(logits.softmax(dim=1), 1, generator=chance).squeeze(1)
    return temperature * logits, labels


def smoothed_loss(logits: Tensor, labels: Tensor, temperature: float) -> float:
    """Platt's loss by its definition: one row in rows + 2 counts as if any class were true."""
    by_chance = 1 / (len(labels) + 2)
    logs = (logits / temperature).log_softmax(dim=1)
    of_truth = logs[torch.arange(len(labels)), labels].mean()
    return (-(1 - by_chance) * of_truth - by_chance * logs.mean()).item()


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
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.04)


def test_the_fitted_temperature_lowers_the_loss_and_the_calibration_error_on_other_rows() -> None:
    logits, labels = overconfident(rows=4000, temperature=3.0, seed=1)
    others, their_labels = overconfident(rows=4000, temperature=3.0, seed=2)
    raw, calibrated = others.softmax(dim=1), (others / fit_temperature(logits, labels)).softmax(dim=1)
    assert log_loss(calibrated, their_labels) < log_loss(raw, their_labels) - 0.1
    assert calibration_error(calibrated, their_labels, bins=10) < 0.03
    assert calibration_error(raw, their_labels, bins=10) > 0.15


@settings(deadline=None, max_examples=30)
@given(seed=integers(0, 2**31), rows=integers(1, 80), temperature=floats(0.2, 5))
def test_no_temperature_on_a_fine_grid_is_better(seed: int, rows: int, temperature: float) -> None:
    logits, labels = overconfident(rows, temperature, seed)
    found = smoothed_loss(logits, labels, fit_temperature(logits, labels))
    grid = torch.logspace(math.log10(0.05), math.log10(20), 200, dtype=torch.float64).tolist()
    best = min(smoothed_loss(logits, labels, at) for at in grid)
    assert found <= best * 1.001 + 1e-6  # it looks at steps of 1 %


def test_a_model_that_is_right_in_every_row_is_not_called_certain() -> None:
    labels = torch.arange(60) % 3
    logits = torch.eye(3, dtype=torch.float64)[labels] * 2
    calibrated = (logits / fit_temperature(logits, labels)).softmax(dim=1)
    assert 0.95 < calibrated.max(dim=1).values.mean().item() < 0.995  # as if one row in 62 were a toss-up


def test_the_temperature_is_the_same_each_time() -> None:
    logits, labels = overconfident(rows=300, temperature=2.0, seed=5)
    assert fit_temperature(logits.float(), labels) == fit_temperature(logits.float(), labels)


def parts_that_know_something(seed: int, parts: int, rows: int, classes: int) -> tuple[Tensor, Tensor]:
    """What parts say, (parts, rows, classes), each sure in its own way and some of the same, and the truth."""
    chance = torch.Generator().manual_seed(seed)
    shared, sure, kept = torch.randn(rows, classes, generator=chance), *torch.rand(2, parts, 1, 1, generator=chance)
    own = torch.randn(parts, rows, classes, generator=chance)
    leaning = torch.randn(parts, 1, classes, generator=chance)
    said = (6 * sure * (kept * shared + (1 - kept) * own) + leaning).double().softmax(dim=2)
    return said, torch.multinomial((2 * shared).softmax(dim=1), 1, generator=chance).squeeze(1)


def pulled_loss(said: Tensor, labels: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    """What the weights and the bias are to make low: the log loss, and a thousandth of their squares, halved."""
    sums = (weights.view(-1, 1, 1) * said.clamp_min(1e-12).log()).sum(dim=0) + bias
    held = weights.square().sum() + bias.square().sum()
    return -sums.log_softmax(dim=1)[torch.arange(len(labels)), labels].mean() + 1e-3 * held / 2


def lowest_loss(said: Tensor, labels: Tensor) -> float:
    """The lowest point where no weight is below 0, as another program finds it."""
    parts, classes = len(said), said.shape[2]

    def loss_of(numbers: np.ndarray) -> tuple[float, np.ndarray]:
        wanted = torch.tensor(numbers, requires_grad=True)
        loss = pulled_loss(said, labels, wanted[:parts], wanted[parts:])
        loss.backward()
        assert wanted.grad is not None
        return loss.item(), wanted.grad.numpy()

    bounds = [(0, None)] * parts + [(None, None)] * classes
    start = np.concatenate([np.full(parts, 0.5), np.zeros(classes)])
    options = {"maxiter": 2000, "ftol": 1e-14, "gtol": 1e-9}
    return float(minimize(loss_of, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).fun)


@settings(max_examples=40)
@given(seed=integers(0, 2**31), parts=integers(1, 4), rows=sampled_from([5, 40, 400]), classes=integers(2, 6))
@example(seed=54, parts=3, rows=400, classes=6)
def test_parts_are_believed_as_is_best_on_held_out_rows_and_none_less_than_not_at_all(
    seed: int, parts: int, rows: int, classes: int
) -> None:
    said, labels = parts_that_know_something(seed, parts, rows, classes)
    weights, bias = fit_weights(said, labels)
    assert (weights >= 0).all()
    assert (weights.shape, bias.shape) == ((parts,), (classes,))
    assert pulled_loss(said, labels, weights, bias).item() <= lowest_loss(said, labels) + 1e-6


@pytest.mark.parametrize("seed", range(6))
def test_parts_are_believed_the_same_in_whatever_order_they_stand(seed: int) -> None:
    said, labels = parts_that_know_something(seed, 4, 300, 3)
    order = torch.tensor([2, 0, 3, 1])
    weights, bias = fit_weights(said, labels)
    moved, same_bias = fit_weights(said[order], labels)
    assert moved.tolist() == pytest.approx(weights[order].tolist(), abs=1e-4)
    assert same_bias.tolist() == pytest.approx(bias.tolist(), abs=1e-4)


def test_a_part_that_knows_more_is_believed_more_and_one_that_knows_nothing_hardly_at_all() -> None:
    logits, labels = overconfident(rows=4000, temperature=1.0, seed=6)
    noise = torch.randn(4000, 4, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    good, nothing = fit_weights(torch.stack([logits, noise]).softmax(dim=2), labels)[0].tolist()
    assert good == pytest.approx(1, abs=0.1)
    assert nothing < 0.05


def test_the_bias_makes_a_class_likelier_that_every_part_says_too_rarely() -> None:
    said = torch.full((2, 1000, 2), 0.5, dtype=torch.float64)
    labels = (torch.arange(1000) % 10 == 0).long()  # a tenth of the rows
    weights, bias = fit_weights(said, labels)
    assert bias.softmax(dim=0).tolist() == pytest.approx([0.9, 0.1], abs=0.01)
    assert blended(said, weights, bias)[0].tolist() == pytest.approx([0.9, 0.1], abs=0.01)


def test_a_part_that_is_certain_and_wrong_once_is_borne() -> None:
    said = torch.eye(2, dtype=torch.float64)[torch.arange(40) % 2].unsqueeze(0)
    weights, bias = fit_weights(said, torch.cat([torch.arange(39) % 2, torch.tensor([0])]))
    assert 0 < weights.item() < 1
    assert blended(said, weights, bias).isfinite().all()


def test_a_thousand_classes_take_little_more_memory_than_what_the_parts_say() -> None:
    """In a process of its own, whose memory is no other test's."""
    said = """
import resource, torch
from firstlight.plain.calibration import fit_weights
said = torch.rand(2, 6000, 1000, generator=torch.Generator().manual_seed(0), dtype=torch.float64).softmax(dim=2)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
fit_weights(said, torch.arange(6000) % 1000)
more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # in thousands of bytes
print(more * 1024 / (said.numel() * 8))
"""
    done = subprocess.run([sys.executable, "-c", said], check=True, capture_output=True, text=True)
    assert float(done.stdout) < 2.5


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


def test_rows_to_which_an_answer_is_missing_say_nothing() -> None:
    chance = torch.Generator().manual_seed(5)
    truth = torch.randint(3, (300,), generator=chance)
    said = torch.rand(2, 300, 3, generator=chance, dtype=torch.float64).softmax(dim=2)
    torn = said.clone()
    torn[1, 200:] = torch.nan
    for found, expected in zip(fit_weights(torn, truth), fit_weights(said[:, :200], truth[:200]), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert fit_temperature(torn[1].log(), truth) == fit_temperature(said[1, :200].log(), truth[:200])
    found, expected = (
        least_squares_weights(*each) for each in ((torn[:, :, 0], truth), (said[:, :200, 0], truth[:200]))
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
