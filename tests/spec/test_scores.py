"""Scores agree with scikit-learn, and keep their laws where the rows are few or one-sided."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis.strategies import integers
from sklearn import metrics
from torch import Tensor

from firstlight.plain.scores import (
    accuracy,
    auc,
    calibration_error,
    log_loss,
    log_losses,
    macro_f1,
    mean_absolute_error,
    r_squared,
    root_mean_squared_error,
    share_below,
)

SEEDS = integers(0, 2**31)


def classified(seed: int, rows: int, classes: int) -> tuple[Tensor, Tensor]:
    """Probabilities in steps, so that ties are common, and labels among which classes are often absent."""
    chance = torch.Generator().manual_seed(seed)
    logits = torch.randint(-2, 3, (rows, classes), generator=chance).double()
    return logits.softmax(dim=1), torch.randint(classes, (rows,), generator=chance)


def predicted(seed: int, rows: int) -> tuple[Tensor, Tensor]:
    chance = torch.Generator().manual_seed(seed)
    truth = 1000 + 50 * torch.randn(rows, generator=chance, dtype=torch.float64)
    return truth + 30 * torch.randn(rows, generator=chance, dtype=torch.float64), truth


@settings(deadline=None)
@given(seed=SEEDS, rows=integers(1, 40), classes=integers(2, 5))
def test_scores_of_classes_agree_with_scikit_learn_also_for_absent_classes_and_ties(
    seed: int, rows: int, classes: int
) -> None:
    probabilities, labels = classified(seed, rows, classes)
    guesses = probabilities.argmax(dim=1)
    assert accuracy(probabilities, labels) == pytest.approx(metrics.accuracy_score(labels, guesses), abs=1e-6)
    expected_loss = metrics.log_loss(labels, probabilities.numpy(), labels=list(range(classes)))
    assert log_loss(probabilities, labels) == pytest.approx(expected_loss, abs=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of the classes that are absent
        expected_f1 = metrics.f1_score(labels, guesses, average="macro")
    assert macro_f1(probabilities, labels) == pytest.approx(expected_f1, abs=1e-6)


@settings(deadline=None)
@given(seed=SEEDS, rows=integers(1, 40))
def test_auc_agrees_with_scikit_learn_and_is_nan_without_rows_of_both_classes(seed: int, rows: int) -> None:
    probabilities, labels = classified(seed, rows, classes=2)
    if len(labels.bincount().nonzero()) < 2:
        assert math.isnan(auc(probabilities, labels))
    else:
        expected = metrics.roc_auc_score(labels, probabilities[:, 1].numpy())
        assert auc(probabilities, labels) == pytest.approx(expected, abs=1e-6)


@settings(deadline=None)
@given(seed=SEEDS, rows=integers(2, 40))
def test_scores_of_numbers_agree_with_scikit_learn(seed: int, rows: int) -> None:
    predictions, truth = predicted(seed, rows)
    mean_error = metrics.mean_absolute_error(truth, predictions)
    root_error = metrics.root_mean_squared_error(truth, predictions)
    assert mean_absolute_error(predictions, truth) == pytest.approx(mean_error, abs=1e-6)
    assert root_mean_squared_error(predictions, truth) == pytest.approx(root_error, abs=1e-6)
    assert r_squared(predictions, truth) == pytest.approx(metrics.r2_score(truth, predictions), abs=1e-6)


@settings(deadline=None)
@given(seed=SEEDS, rows=integers(1, 60))
def test_no_score_of_classes_depends_on_the_order_of_rows(seed: int, rows: int) -> None:
    probabilities, labels = classified(seed, rows, classes=3)
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(seed))
    for score in (accuracy, log_loss, macro_f1):
        assert score(probabilities[order], labels[order]) == pytest.approx(score(probabilities, labels))
    shuffled = calibration_error(probabilities[order], labels[order], bins=10)
    assert shuffled == pytest.approx(calibration_error(probabilities, labels, bins=10))


@settings(deadline=None)
@given(seed=SEEDS, rows=integers(2, 60))
def test_swapping_the_two_classes_leaves_the_auc_as_it_is(seed: int, rows: int) -> None:
    probabilities, labels = classified(seed, rows, classes=2)
    assert auc(probabilities.flip(1), 1 - labels) == pytest.approx(auc(probabilities, labels), nan_ok=True)


def test_scores_of_single_precision_answers_are_computed_in_double_precision() -> None:
    probabilities, labels = classified(seed=1, rows=4000, classes=3)
    exact = torch.tensor([math.log(p[c]) for p, c in zip(probabilities.float().tolist(), labels.tolist(), strict=True)])
    assert log_losses(probabilities.float(), labels).dtype == torch.float64
    assert log_loss(probabilities.float(), labels) == pytest.approx(-exact.double().mean().item(), abs=1e-7)
    far = torch.tensor([16_777_216.0, 16_777_218.0])
    assert mean_absolute_error(far, torch.tensor([16_777_217, 16_777_217], dtype=torch.float64)) == 1.0


def test_a_truth_that_was_called_impossible_costs_much_but_not_all() -> None:
    assert log_loss(torch.tensor([[1.0, 0.0]]), torch.tensor([1])) == pytest.approx(36.04, abs=0.01)


def test_a_class_in_neither_truth_nor_answers_does_not_lower_the_macro_f1() -> None:
    probabilities = torch.eye(3)[[0, 0, 1]]
    assert macro_f1(probabilities, torch.tensor([0, 0, 1])) == 1.0


def test_an_answered_class_that_is_never_true_counts_as_zero_in_the_macro_f1() -> None:
    probabilities = torch.eye(3)[[0, 0, 2]]
    assert macro_f1(probabilities, torch.tensor([0, 0, 0])) == pytest.approx(0.8 / 2)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e9 + 0.1])
def test_r_squared_of_a_truth_that_does_not_vary_is_nan(constant: float) -> None:
    truth = torch.full((7,), constant, dtype=torch.float64)
    assert math.isnan(r_squared(truth + 1, truth))
    assert math.isnan(r_squared(truth[:1] + 1, truth[:1]))


def test_equal_values_count_as_half_below() -> None:
    below = share_below(torch.tensor([0.0, 1.0, 2.0, 3.0]), torch.tensor([1.0, 1.0, 2.0, 0.5]))
    assert below.tolist() == [0.0, 0.5, 0.875, 1.0]


def test_a_model_that_is_sure_by_ninety_and_right_by_half_is_off_by_forty_points() -> None:
    probabilities = torch.tensor([[0.9, 0.1]] * 4)
    assert calibration_error(probabilities, torch.tensor([0, 0, 1, 1]), bins=10) == pytest.approx(0.4)


def test_a_model_that_keeps_its_word_in_each_bin_has_no_calibration_error() -> None:
    probabilities = torch.tensor([[0.75, 0.25]] * 4 + [[0.0, 1.0]] * 2, dtype=torch.float64)
    assert calibration_error(probabilities, torch.tensor([0, 0, 0, 1, 1, 1]), bins=10) == pytest.approx(0)
