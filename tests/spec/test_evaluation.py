"""An evaluation holds every score with its interval, says only what the rows show, and survives a file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from firstlight.evaluate.evaluation import CONSTANT, LINE, NETWORK, Evaluation, evaluate
from firstlight.evaluate.intervals import wilson
from firstlight.evaluate.stored import as_json, from_json
from firstlight.model.answers import ClassAnswers, NumberAnswers
from firstlight.plain import scores
from firstlight.refusal import Refused

SPECIES = ("Adelie", "Chinstrap", "Gentoo")


def class_answers(truth: Tensor, classes: int, skill: float, seed: int) -> ClassAnswers:
    chance = torch.Generator().manual_seed(seed)
    logits = torch.randn(len(truth), classes, generator=chance, dtype=torch.float64)
    logits[torch.arange(len(truth)), truth] += skill
    return ClassAnswers(logits.softmax(dim=1))


def of_species(rows: int, skill: float = 4.0, groups: Tensor | None = None) -> Evaluation:
    truth = torch.randint(3, (rows,), generator=torch.Generator().manual_seed(1))
    answers = {
        NETWORK: class_answers(truth, 3, skill, seed=2),
        LINE: class_answers(truth, 3, 2.0, seed=3),
        CONSTANT: ClassAnswers(torch.tensor([[0.4, 0.2, 0.4]]).expand(rows, 3)),
    }
    return evaluate(truth, answers, NETWORK, labels=SPECIES, groups=groups, seed=0)


def number_answers(truth: Tensor, noise: float, seed: int) -> NumberAnswers:
    chance = torch.Generator().manual_seed(seed)
    predictions = truth + noise * torch.randn(len(truth), generator=chance, dtype=torch.float64)
    return NumberAnswers(predictions, predictions - 1.96 * noise, predictions + 1.96 * noise)


def of_prices(rows: int) -> tuple[Evaluation, Tensor, Mapping[str, NumberAnswers]]:
    truth = 200 + 50 * torch.randn(rows, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    mean = torch.full((rows,), 200.0, dtype=torch.float64)
    answers = {
        NETWORK: number_answers(truth, 10, seed=2),
        LINE: number_answers(truth, 20, seed=3),
        CONSTANT: NumberAnswers(mean, mean - 98, mean + 98),
    }
    return evaluate(truth, answers, NETWORK, labels=None, groups=None, seed=0), truth, answers


def test_the_contenders_stand_in_the_order_given_and_one_is_marked_as_kept() -> None:
    found = of_species(60)
    assert [(c.name, c.kept) for c in found.contenders] == [(NETWORK, True), (LINE, False), (CONSTANT, False)]
    assert found.kept.name == NETWORK
    assert found.always == "Adelie"


def test_every_score_of_classes_lies_in_its_interval() -> None:
    for contender in of_species(80, skill=1.5).contenders:
        for score in contender.scores:
            assert score.value is not None and score.low is not None and score.high is not None
            assert score.low <= score.value <= score.high


def test_two_classes_have_an_auc_and_three_have_none() -> None:
    truth = torch.arange(40) % 2
    found = evaluate(
        truth,
        {NETWORK: class_answers(truth, 2, 1.0, seed=0)},
        NETWORK,
        labels=("no", "yes"),
        groups=None,
        seed=0,
    )
    assert found.kept.score("auc").value is not None
    with pytest.raises(KeyError):
        of_species(20).kept.score("auc")


def test_scores_of_numbers_are_those_of_the_plain_functions() -> None:
    found, truth, answers = of_prices(200)
    for name, given in answers.items():
        contender = found.contender(name)
        assert contender is not None
        assert contender.score("root_mean_squared_error").value == scores.root_mean_squared_error(
            given.predictions, truth
        )
        assert contender.score("mean_absolute_error").value == scores.mean_absolute_error(given.predictions, truth)
        assert contender.score("r_squared").value == scores.r_squared(given.predictions, truth)
    assert found.always == 200.0


def test_the_share_of_rows_in_range_has_wilsons_interval() -> None:
    found, truth, answers = of_prices(200)
    held = int(((answers[NETWORK].low <= truth) & (truth <= answers[NETWORK].high)).sum())
    coverage = found.kept.score("range_coverage")
    assert coverage.value == held / 200
    assert (coverage.low, coverage.high) == (wilson(held, 200).low, wilson(held, 200).high)


def test_a_better_model_is_shown_to_be_better_in_both_measures() -> None:
    found, _, _ = of_prices(200)
    assert {(d.against, d.measure) for d in found.differences if d.better} == {
        (LINE, "squared_error"),
        (LINE, "absolute_error"),
        (CONSTANT, "squared_error"),
        (CONSTANT, "absolute_error"),
    }


def test_a_worse_model_is_shown_to_be_worse() -> None:
    _, truth, answers = of_prices(200)
    found = evaluate(truth, answers, LINE, labels=None, groups=None, seed=0)
    difference = found.difference(NETWORK, "squared_error")
    assert difference is not None and difference.worse and not difference.better


def test_the_same_answers_are_neither_better_nor_worse() -> None:
    truth = torch.randint(3, (50,), generator=torch.Generator().manual_seed(1))
    same = class_answers(truth, 3, 1.0, seed=2)
    found = evaluate(truth, {NETWORK: same, LINE: same}, NETWORK, labels=SPECIES, groups=None, seed=0)
    assert [(d.value, d.better, d.worse) for d in found.differences] == [(0.0, False, False)] * 2


def test_differences_are_paired_and_so_see_what_intervals_of_each_score_do_not() -> None:
    truth = 1000 * torch.randn(100, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    hard = 100 * torch.randn(100, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    near, far = truth + 0.9 * hard, truth + hard
    answers = {NETWORK: NumberAnswers(near, near, near), LINE: NumberAnswers(far, far, far)}
    found = evaluate(truth, answers, NETWORK, labels=None, groups=None, seed=0)
    difference, line = found.difference(LINE, "squared_error"), found.contender(LINE)
    assert difference is not None and difference.better
    assert line is not None
    kept, other = (c.score("root_mean_squared_error") for c in (found.kept, line))
    assert kept.high is not None and other.low is not None and kept.high > other.low


@pytest.mark.parametrize("rows", [8, 30, 100])
def test_shuffled_answers_are_hardly_ever_called_better_than_the_constant_guess(rows: int) -> None:
    called_better = 0
    for seed in range(200):
        chance = torch.Generator().manual_seed(seed)
        truth = torch.randint(2, (rows,), generator=chance)
        guessing = ClassAnswers((0.5 * torch.randn(rows, 2, generator=chance)).softmax(dim=1))
        half = ClassAnswers(torch.full((rows, 2), 0.5))
        found = evaluate(
            truth, {NETWORK: guessing, CONSTANT: half}, NETWORK, labels=("no", "yes"), groups=None, seed=seed
        )
        difference = found.difference(CONSTANT, "log_loss")
        called_better += difference is not None and difference.better
    assert called_better <= 200 * 0.025 + 3 * math.sqrt(200 * 0.025)


def test_the_confusion_matrix_counts_truth_down_and_answers_across() -> None:
    truth = torch.tensor([0, 0, 1, 2])
    answers = {NETWORK: ClassAnswers(torch.eye(3)[[0, 1, 1, 0]])}
    found = evaluate(truth, answers, NETWORK, labels=SPECIES, groups=None, seed=0)
    assert found.confusion == ((1, 1, 0), (0, 1, 0), (1, 0, 0))
    assert found.rows_of_class == (2, 1, 1)


def test_many_classes_have_no_confusion_matrix() -> None:
    truth = torch.arange(101)
    answers = {NETWORK: ClassAnswers(torch.eye(101))}
    found = evaluate(truth, answers, NETWORK, labels=[str(label) for label in range(101)], groups=None, seed=0)
    assert found.confusion is None


def test_reliability_bins_hold_every_row_once_and_add_up_to_the_calibration_error() -> None:
    found = of_species(300, skill=1.0)
    assert sum(part.rows for part in found.reliability) == 300
    assert [part.confidence for part in found.reliability] == sorted(part.confidence for part in found.reliability)
    weighed = sum(part.rows * abs(part.right - part.confidence) for part in found.reliability) / 300
    assert found.calibration_error == pytest.approx(weighed)


def test_the_worst_rows_are_the_surest_of_the_wrong_ones() -> None:
    truth = torch.tensor([0, 0, 1, 1])
    sure = torch.tensor([[0.9, 0.1], [0.3, 0.7], [0.8, 0.2], [0.6, 0.4]], dtype=torch.float64)
    found = evaluate(truth, {NETWORK: ClassAnswers(sure)}, NETWORK, labels=("no", "yes"), groups=None, seed=0)
    assert [(worst.row, worst.truth, worst.answer, worst.probability) for worst in found.worst] == [
        (2, 1.0, 0.0, 0.8),
        (1, 0.0, 1.0, 0.7),
        (3, 1.0, 0.0, 0.6),
    ]


def test_the_worst_rows_of_numbers_are_the_largest_errors_on_either_side() -> None:
    truth = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    answer = torch.tensor([1.0, 9.0, -20.0], dtype=torch.float64)
    found = evaluate(truth, {NETWORK: NumberAnswers(answer, answer, answer)}, NETWORK, labels=None, groups=None, seed=0)
    assert [(worst.row, worst.answer) for worst in found.worst] == [(2, -20.0), (1, 9.0)]


def test_one_test_row_is_scored_and_has_the_intervals_that_one_row_allows() -> None:
    found = of_species(1)
    assert found.kept.score("accuracy").low is not None
    assert found.kept.score("log_loss").value is not None
    assert found.kept.score("log_loss").low is None
    assert not any(d.better or d.worse for d in found.differences)
    numbers, _, _ = of_prices(1)
    assert numbers.kept.score("r_squared").value is None
    assert numbers.kept.score("mean_absolute_error").low is None


def test_a_truth_of_one_class_only_is_scored_without_an_auc() -> None:
    truth = torch.ones(30, dtype=torch.int64)
    found = evaluate(
        truth,
        {NETWORK: class_answers(truth, 2, 1.0, seed=0)},
        NETWORK,
        labels=("no", "yes"),
        groups=None,
        seed=0,
    )
    assert found.kept.score("auc").value is None and found.kept.score("auc").low is None
    assert found.rows_of_class == (0, 30)


def test_a_constant_truth_is_scored_without_r_squared() -> None:
    truth = torch.full((30,), 0.1, dtype=torch.float64)
    answers = {NETWORK: number_answers(truth, 1.0, seed=0)}
    found = evaluate(truth, answers, NETWORK, labels=None, groups=None, seed=0)
    assert found.kept.score("r_squared").value is None and found.kept.score("r_squared").high is None
    assert found.kept.score("root_mean_squared_error").low is not None


def test_groups_are_counted_and_widen_the_interval_of_the_share() -> None:
    alone, grouped = of_species(90, skill=1.0), of_species(90, skill=1.0, groups=torch.arange(90) // 10)
    assert (alone.groups, grouped.groups) == (None, 9)
    assert grouped.kept.score("accuracy").value == alone.kept.score("accuracy").value
    assert grouped.kept.score("accuracy").low != alone.kept.score("accuracy").low


def test_infinite_ranges_hold_everything() -> None:
    truth = torch.zeros(5, dtype=torch.float64)
    far = torch.full((5,), math.inf, dtype=torch.float64)
    answers = {NETWORK: NumberAnswers(truth + 1, -far, far)}
    assert evaluate(truth, answers, NETWORK, labels=None, groups=None, seed=0).kept.score("range_coverage").value == 1


@pytest.mark.parametrize(
    "found",
    [
        of_species(60),
        of_species(1),
        of_species(60, groups=torch.arange(60) // 3),
        of_prices(60)[0],
        of_prices(1)[0],
    ],
    ids=["classes", "one row", "groups", "numbers", "one number"],
)
def test_an_evaluation_comes_back_from_strict_json_as_it_was(found: Evaluation) -> None:
    text = json.dumps(as_json(found), allow_nan=False)
    assert from_json(json.loads(text)) == found


def test_the_same_rows_and_seed_give_the_same_bytes() -> None:
    assert json.dumps(as_json(of_species(70))) == json.dumps(as_json(of_species(70)))


def replaced(path: str, value: object) -> object:
    """A stored evaluation, one value of which was replaced; the path's parts are keys and positions."""
    stored = json.loads(json.dumps(as_json(of_species(20, skill=0.0))))
    at = stored
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in way:
        at = at[part]
    at[last] = value
    return stored


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("rows", -1, "rows must be a whole number from 0 on; it is -1"),
        ("rows", True, "rows must be a whole number from 0 on; it is True"),
        ("task", "poems", "task must be one of classes, numbers; it is 'poems'"),
        ("labels", "Adelie", "labels must be a list; it is 'Adelie'"),
        ("contenders.0.kept", 1, "contenders[0].kept must be true or false; it is 1"),
        (
            "contenders.1.scores.0.low",
            math.nan,
            "contenders[1].scores[0].low must be a finite number; it is nan",
        ),
        (
            "contenders.1.scores.0.name",
            "luck",
            "contenders[1].scores[0].name must be one of accuracy, log_loss, ",
        ),
        ("differences.0.note", "x", "differences[0] has an unknown 'note'"),
        ("worst", [3], "worst[0] must be an object; it is 3"),
        ("contenders.0.kept", False, "need different names, one of them kept; got "),
        ("rows", 0, "need rows, and a count a class; got "),
        (
            "contenders.0.scores.0.value",
            10**400,
            "contenders[0].scores[0].value must be a finite number; it is 1000",
        ),
        ("contenders.0.scores", [], "network needs the scores accuracy, log_loss, macro_f1"),
        ("confusion.1", [1], "the confusion matrix needs 3 rows and columns"),
        ("worst.0.answer", 3.0, "row "),
    ],
)
def test_a_damaged_file_is_refused_with_the_place(path: str, value: object, message: str) -> None:
    stored = replaced(path, value)
    with pytest.raises(Refused) as refusal:
        from_json(stored)
    assert str(refusal.value).startswith(f"The stored evaluation is damaged: {message}")


def test_a_stored_evaluation_that_lacks_a_part_or_is_none_at_all_is_refused() -> None:
    stored = as_json(of_species(20))
    del stored["rows"]
    with pytest.raises(Refused, match=r"^The stored evaluation is damaged: evaluation lacks 'rows'\.$"):
        from_json(stored)
    with pytest.raises(
        Refused, match=r"^The stored evaluation is damaged: evaluation must be an object; it is \[\]\.$"
    ):
        from_json([])


def test_answers_that_are_no_probabilities_are_our_bug_and_named_by_row() -> None:
    with pytest.raises(ValueError, match=r"^row 1 does not hold probabilities: "):
        ClassAnswers(torch.tensor([[0.5, 0.5], [math.nan, 0.5]]))
    with pytest.raises(ValueError, match=r"^row 0 does not hold probabilities: "):
        ClassAnswers(torch.tensor([[0.5, 0.6]]))
    with pytest.raises(ValueError, match=r"^row 0 does not hold a number and its range: 1.0, 2.0 to 0.0$"):
        NumberAnswers(torch.tensor([1.0]), torch.tensor([2.0]), torch.tensor([0.0]))


def test_rows_and_answers_that_do_not_fit_together_are_our_bug() -> None:
    truth = torch.tensor([0, 1])
    good = ClassAnswers(torch.full((2, 2), 0.5))
    with pytest.raises(ValueError, match=r"^need rows, and an answer for each; network: 2 for 1$"):
        evaluate(truth[:1], {NETWORK: good}, NETWORK, labels=("no", "yes"), groups=None, seed=0)
    with pytest.raises(ValueError, match=r"^need 3 probabilities a row; network: 2$"):
        evaluate(truth, {NETWORK: good}, NETWORK, labels=SPECIES, groups=None, seed=0)
    with pytest.raises(ValueError, match=r"^true classes must be int64 in 0 \.\. 1$"):
        evaluate(truth + 1, {NETWORK: good}, NETWORK, labels=("no", "yes"), groups=None, seed=0)
    with pytest.raises(ValueError, match=r"^the kept one, 'forest', is not among those who answered"):
        evaluate(truth, {NETWORK: good}, "forest", labels=("no", "yes"), groups=None, seed=0)
    with pytest.raises(ValueError, match=r"^need labels and class answers from all"):
        evaluate(truth, {NETWORK: good}, NETWORK, labels=None, groups=None, seed=0)
