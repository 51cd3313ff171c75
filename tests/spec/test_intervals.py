"""Interval arithmetic agrees with references, and 95 % means 95 %."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.strategies import integers
from scipy.stats import bootstrap
from statsmodels.stats.proportion import proportion_confint
from torch import Tensor

from firstlight.evaluate import sums
from firstlight.evaluate.intervals import MOST_UNITS, RESAMPLES, Interval, draw, wilson
from firstlight.plain.scores import auc, macro_f1, r_squared, root_mean_squared_error


def brute_force(score: Callable[[Tensor], float], rows: int) -> tuple[float, float]:
    """Percentiles of the score over 2000 resamples, each scored anew: score gets the drawn row numbers."""
    chance = torch.Generator().manual_seed(77)
    found = [score(torch.randint(rows, (rows,), generator=chance)) for _ in range(2000)]
    low, high = torch.tensor(found, dtype=torch.float64).quantile(torch.tensor([0.025, 0.975]).double()).tolist()
    return low, high


def share_covered(interval_of: Callable[[int], Interval], true: float, simulations: int) -> float:
    covered = 0
    for number in range(simulations):
        interval = interval_of(number)
        covered += interval.low <= true <= interval.high
    return covered / simulations


@given(rows=integers(1, 5000), seed=integers(0, 2**31))
def test_wilson_agrees_with_statsmodels(rows: int, seed: int) -> None:
    right = seed % (rows + 1)
    low, high = proportion_confint(right, rows, alpha=0.05, method="wilson")
    interval = wilson(right, rows)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-9)


@pytest.mark.parametrize(
    ("right", "rows", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_agrees_with_the_table_of_newcombe_1998(right: int, rows: int, low: float, high: float) -> None:
    interval = wilson(right, rows)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


def test_wilson_reaches_none_and_all_exactly_and_says_something_about_one_row() -> None:
    assert wilson(0, 9).low == 0.0
    assert wilson(9, 9).high == 1.0
    assert wilson(1, 1).low == pytest.approx(0.2065, abs=1e-4)


@pytest.mark.parametrize(("right", "rows"), [(0, 0), (3, 2), (-1, 2)])
def test_a_share_of_no_rows_or_of_too_many_is_an_error(right: int, rows: int) -> None:
    with pytest.raises(ValueError, match=rf"got {right} of {rows}$"):
        wilson(right, rows)


@pytest.mark.parametrize("rows", [1, 7, 300, MOST_UNITS + 1])
def test_every_resample_draws_as_many_units_as_there_are(rows: int) -> None:
    resamples = draw(rows, None, seed=0)
    assert resamples.counts.shape == (RESAMPLES, min(rows, MOST_UNITS))
    assert (resamples.counts.sum(dim=1) == resamples.units).all()


def test_the_same_seed_draws_the_same_and_another_seed_does_not() -> None:
    first, again, other = draw(50, None, seed=3), draw(50, None, seed=3), draw(50, None, seed=4)
    assert torch.equal(first.counts, again.counts)
    assert not torch.equal(first.counts, other.counts)


def test_rows_of_a_group_are_drawn_together() -> None:
    resamples = draw(6, torch.tensor([40, 7, 40, 7, 7, 3]), seed=0)
    assert resamples.units == 3
    assert resamples.unit_of[0] == resamples.unit_of[2]
    assert resamples.unit_of[1] == resamples.unit_of[3] == resamples.unit_of[4]


def test_more_rows_than_units_are_drawn_in_blocks_of_equal_size() -> None:
    sizes = torch.bincount(draw(3 * MOST_UNITS + 5, None, seed=0).unit_of)
    assert set(sizes.tolist()) == {3, 4}


def test_blocks_give_the_same_interval_as_rows() -> None:
    values = torch.randn(30_000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    interval = sums.of_mean(values, draw(len(values), None, seed=0))
    exact = 1.96 * values.std().item() / math.sqrt(len(values))
    assert (interval.high - interval.low) / 2 == pytest.approx(exact, rel=0.06)


@pytest.mark.parametrize(("rows", "tail"), [(30, "short"), (60, "long"), (60, "short"), (400, "long")])
def test_nominal_95_percent_of_a_mean_covers_92_to_97_percent(rows: int, tail: str) -> None:
    def interval_of(number: int) -> Interval:
        values = torch.randn(rows, generator=torch.Generator().manual_seed(number), dtype=torch.float64)
        return sums.of_mean(values.square() if tail == "long" else values, draw(rows, None, seed=number))

    assert 0.92 <= share_covered(interval_of, true=1.0 if tail == "long" else 0.0, simulations=500) <= 0.97


def test_nominal_95_percent_of_an_auc_covers_92_to_97_percent() -> None:
    true = 0.5 * (1 + math.erf(1.2 / math.sqrt(2) / math.sqrt(2)))  # of two bells of width 1 that stand 1.2 apart

    def interval_of(number: int) -> Interval:
        chance = torch.Generator().manual_seed(number)
        labels = (torch.rand(120, generator=chance) < 0.3).long()
        scores = torch.randn(120, generator=chance, dtype=torch.float64) + 1.2 * labels
        return sums.of_auc(torch.stack([-scores, scores], dim=1), labels, draw(120, None, seed=number))

    assert 0.92 <= share_covered(interval_of, true, simulations=400) <= 0.97


def test_groups_are_what_makes_95_percent_of_grouped_rows_honest() -> None:
    groups = torch.arange(40).repeat_interleave(5)

    def right_of(number: int) -> Tensor:
        chance = torch.Generator().manual_seed(number)
        ease = torch.rand(40, generator=chance)[groups]  # rows of a group are alike hard
        return (torch.rand(200, generator=chance) < ease).double() * 2 > 1

    def by_groups(number: int) -> Interval:
        return sums.of_share(right_of(number), draw(200, groups, seed=number), grouped=True)

    def by_rows(number: int) -> Interval:
        return wilson(int(right_of(number).sum()), 200)

    assert 0.92 <= share_covered(by_groups, true=0.5, simulations=400) <= 0.97
    assert share_covered(by_rows, true=0.5, simulations=400) < 0.88


def test_the_bootstrap_of_sums_agrees_with_scoring_every_resample_anew() -> None:
    rows = 250
    chance = torch.Generator().manual_seed(8)
    labels = torch.randint(2, (rows,), generator=chance)
    logits = torch.randn(rows, 2, generator=chance, dtype=torch.float64)
    logits[:, 1] += 1.5 * labels
    probabilities = logits.softmax(dim=1)
    truth = torch.randn(rows, generator=chance, dtype=torch.float64) * 3 + 100
    predictions = truth + torch.randn(rows, generator=chance, dtype=torch.float64)
    resamples = draw(rows, None, seed=0)
    pairs: list[tuple[Interval, Callable[[Tensor], float]]] = [
        (sums.of_auc(probabilities, labels, resamples), lambda at: auc(probabilities[at], labels[at])),
        (
            sums.of_macro_f1(probabilities, labels, resamples),
            lambda at: macro_f1(probabilities[at], labels[at]),
        ),
        (sums.of_r_squared(predictions, truth, resamples), lambda at: r_squared(predictions[at], truth[at])),
        (
            sums.of_root_mean((predictions - truth).square(), resamples),
            lambda at: root_mean_squared_error(predictions[at], truth[at]),
        ),
    ]
    for interval, score in pairs:
        low, high = brute_force(score, rows)
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=0.12 * (high - low))


def test_five_units_are_too_few_for_a_bootstrap_and_six_are_not() -> None:
    values = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert math.isnan(sums.of_mean(values[:5], draw(5, None, seed=0)).low)
    assert not math.isnan(sums.of_mean(values, draw(6, None, seed=0)).low)


def test_a_perfect_score_is_not_called_certain() -> None:
    labels = torch.tensor([0] * 30 + [1] * 10)
    probabilities = torch.eye(2)[labels]
    resamples = draw(40, None, seed=0)
    assert sums.of_macro_f1(probabilities, labels, resamples) == wilson(10, 10)
    assert sums.of_auc(probabilities, labels, resamples) == wilson(10, 10)
    groups = torch.arange(40) // 4
    all_right = torch.ones(40, dtype=torch.bool)
    assert sums.of_share(all_right, draw(40, groups, seed=0), grouped=True) == wilson(10, 10)


def test_a_score_that_resamples_often_lack_has_no_interval() -> None:
    labels = torch.tensor([1] + [0] * 30)  # a third of the resamples hold no row of the second class
    probabilities = torch.rand(31, 2, generator=torch.Generator().manual_seed(0))
    assert math.isnan(sums.of_auc(probabilities, labels, draw(31, None, seed=0)).low)


@settings(deadline=None, max_examples=40)
@given(seed=integers(0, 2**31), rows=integers(6, 60))
def test_the_interval_of_a_paired_difference_turns_round_with_its_sign(seed: int, rows: int) -> None:
    gains = torch.randn(rows, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    resamples = draw(rows, None, seed=0)
    there, back = sums.of_mean(gains, resamples), sums.of_mean(-gains, resamples)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-9)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_long_tail_moves_the_interval_as_far_as_scipys_bias_corrected_bootstrap(seed: int) -> None:
    values = torch.randn(60, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).exp()
    interval = sums.of_mean(values, draw(60, None, seed=0))
    chance = np.random.default_rng(0)
    theirs = bootstrap((values.numpy(),), np.mean, n_resamples=9999, method="BCa", rng=chance).confidence_interval
    width = theirs.high - theirs.low
    assert interval.low == pytest.approx(theirs.low, abs=0.08 * width)
    assert interval.high == pytest.approx(theirs.high, abs=0.08 * width)


def test_a_score_as_a_function_of_sums_is_the_plain_score() -> None:
    chance = torch.Generator().manual_seed(0)
    truth = 5 + torch.randn(9, generator=chance, dtype=torch.float64)  # not centred: the mean must be taken off
    predictions = truth + torch.randn(9, generator=chance, dtype=torch.float64)
    columns = torch.stack([torch.ones_like(truth), truth, truth**2, (predictions - truth) ** 2], dim=1)
    score = sums.score_r_squared(columns.sum(dim=0, keepdim=True)).item()
    assert score == pytest.approx(r_squared(predictions, truth))
