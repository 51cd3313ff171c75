"""Trees ask the questions that explain most, learn from a member's own rows alone, and add up to what was fitted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import log_loss
from torch import Tensor
from torch.testing import assert_close

from firstlight.kinds.cells import Cells
from firstlight.kinds.forest import shrub_sizes, sizes
from firstlight.plain.forest import (
    Bins,
    Forest,
    best_questions,
    beyond_chance,
    binned,
    bins_of,
    edges_of,
    fit_forest,
    ranks_of,
)
from firstlight.plain.loop import learning, outputs_of
from firstlight.plain.targets import member_log_losses, member_squared_errors

EPOCHS, TREES = 4, 10


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def grown(
    inputs: dict[str, Tensor], targets: Tensor, outputs: int, *, members: int = 2, cautious: bool = False
) -> tuple[Forest, list[tuple[int, float, float]]]:
    losses = member_squared_errors if targets.is_floating_point() else member_log_losses
    torch.manual_seed(0)
    forest = Forest(bins_of(inputs, list(inputs), 32), members, EPOCHS * TREES, 4, outputs)
    learns = learning(torch.arange(len(targets)) % 4, members)
    return forest, list(fit_forest(forest, inputs, targets, learns, losses, EPOCHS, 0.2, 1.0, 3.0, cautious))


def test_a_number_falls_into_the_bin_that_begins_below_it_and_a_gap_into_bin_0() -> None:
    edges = torch.tensor([[0.0, 1.0, 2.0]], dtype=torch.float64)
    values = torch.tensor([[-5.0], [0.0], [0.5], [2.0], [1e40], [torch.nan]], dtype=torch.float64)
    found = binned(values, edges)
    assert found.tolist() == [[1, 2, 2, 4, 4, 0]]
    known = values[:5, 0].numpy()
    assert found[0, :5].tolist() == (np.digitize(known, edges[0].numpy()) + 1).tolist()


def test_codes_of_words_stay_beside_their_ranks_and_those_beyond_a_byte_count_as_unknown() -> None:
    ranks = torch.zeros(2, 300, dtype=torch.uint8)
    ranks[0, 254], ranks[1, 7], ranks[1, 255] = 3, 4, 5
    assert binned(torch.tensor([[0, 7], [254, 255]]), ranks).tolist() == [[0, 254], [7, 0], [0, 3], [4, 5]]


def test_a_word_that_was_not_among_the_ranked_counts_as_unknown() -> None:
    ranks = torch.tensor([[9, 1, 2]], dtype=torch.uint8)
    assert binned(torch.tensor([[2], [3]]), ranks).tolist() == [[2, 3], [2, 9]]


def test_words_are_ranked_by_the_mean_of_their_rows_and_rare_ones_as_the_mean_of_all() -> None:
    codes = torch.tensor([1] * 30 + [2] * 30 + [3] * 30 + [4] * 19).unsqueeze(1)
    goals = torch.tensor([5.0] * 30 + [1.0] * 30 + [3.0] * 30 + [100.0] * 19).double()
    unknown, high, low, middle, rare = ranks_of(codes, 5, goals)[0].tolist()
    assert (low, middle, high) == (1, 2, 3)
    assert rare == unknown == 4, "the mean of all is above that of the first"
    other_goals = torch.where(codes[:, 0] == 4, -goals + 2 * goals.mean(), goals)
    rare_again = ranks_of(codes, 5, other_goals)[0, 4].item()
    assert rare_again == 1 + (torch.tensor([5.0, 1.0, 3.0]) < other_goals.mean()).sum(), "its own goals say nothing"


def test_of_more_words_than_a_byte_holds_neighbours_share_a_rank() -> None:
    codes = torch.arange(1, 401).repeat_interleave(20).unsqueeze(1)
    ranks = ranks_of(codes, 401, codes[:, 0].double())[0]
    assert ranks[1] == 1
    assert ranks[400] == 254
    assert (ranks[1:].long().diff() >= 0).all()


def test_an_order_of_words_that_is_asked_at_once_takes_many_questions_word_by_word() -> None:
    codes = torch.randint(1, 33, (4_000, 1), generator=chance())
    goals = (codes[:, 0] * 7 % 33 > 16).float()  # half of the words, in no order of their codes
    forest, epochs = grown({"words": codes}, goals, 1)
    asked = forest.leaves.shape[1] // EPOCHS
    assert epochs[0][1] < 0.05, f"{asked} trees of 4 questions tell 16 words of 32 apart"


def test_few_values_have_a_bin_each_and_many_share_bins_evenly() -> None:
    few = torch.tensor([[3.0], [1.0], [3.0], [torch.nan], [7.0]], dtype=torch.float64)
    assert edges_of(few, 32).tolist() == [[2.0, 5.0]]
    many = torch.randn(10_000, 1, generator=chance(), dtype=torch.float64)
    counts = binned(many, edges_of(many, 16))[0].long().bincount()
    assert counts.sum() == 10_000
    assert len(counts) == 17
    assert counts[0] == 0
    assert 0.9 < counts[1:].min() / counts[1:].max()


def test_where_most_rows_share_a_value_the_rarer_ones_still_have_bins() -> None:
    values = torch.cat([torch.zeros(9_000, 1), torch.rand(1_000, 1, generator=chance()) + 1]).double()
    bins = binned(values, edges_of(values, 16))
    assert len(bins[:, 9_000:].unique()) >= 12


def test_a_column_of_gaps_alone_or_of_one_value_has_one_bin() -> None:
    values = torch.tensor([[torch.nan, 4.0], [torch.nan, 4.0]], dtype=torch.float64)
    assert binned(values, edges_of(values, 8)).tolist() == [[0, 0], [1, 1]]


def explained(bins: Tensor, errors: Tensor, column: int, low: int, high: int, decay: float) -> float:
    """By hand: what one question explains of the errors of all rows."""
    yes = (bins[column] >= low) & (bins[column] <= high)
    parts = [(errors[mask].sum() ** 2 / (mask.sum() + decay)).item() for mask in (yes, ~yes)]
    return sum(parts)


@pytest.mark.parametrize("ordered", [True, False])
def test_the_question_is_the_best_of_all(ordered: bool) -> None:
    bins = torch.randint(0, 6, (3, 200), generator=chance(1))
    errors = torch.randn(200, generator=chance(2)) + (bins[1] == 3)
    stats = torch.stack([torch.ones(200), errors]).unsqueeze(0)
    column, first, last, leaf = best_questions(bins, torch.full((3,), ordered), stats, 1, 2.0)
    size = int(bins.max()) + 1
    possible = {
        (each, low, high): explained(bins, errors, each, low, high, 2.0)
        for each in range(3)
        for low, high in ([(cut + 1, size - 1) for cut in range(size)] if ordered else [(k, k) for k in range(size)])
    }
    asked = (int(column), int(first), int(last))
    assert possible[asked] == pytest.approx(max(possible.values()), rel=1e-5)
    yes = (bins[asked[0]] >= asked[1]) & (bins[asked[0]] <= asked[2])
    assert leaf[0].tolist() == yes.long().tolist()


def test_where_no_question_helps_the_one_that_is_asked_can_be_answered() -> None:
    """With errors that are all the same it would be best to leave the rows together, which no question does."""
    bins = torch.randint(0, 6, (2, 50), generator=chance(1))
    stats = torch.ones(1, 2, 50)
    column, first, last, leaf = best_questions(bins, torch.tensor([True, True]), stats, 2, 2.0)
    seen = bins[column[0]]
    answers = ((seen >= first.mT) & (seen <= last.mT)).long()
    assert (first <= last).all()
    assert leaf[0].tolist() == (2 * answers[0] + answers[1]).tolist()


def test_a_forest_says_the_sum_of_the_leaves_that_the_answers_lead_to() -> None:
    members, trees, questions, outputs, rows = 2, 5, 8, 3, 40
    forest = Forest(Bins({"x": torch.zeros(4, 253, dtype=torch.float64)}), members, trees, questions, outputs)
    forest.column.random_(4, generator=chance(1))
    forest.first.random_(0, 150, generator=chance(2))
    forest.last.copy_(forest.first + torch.randint(0, 105, forest.first.shape, generator=chance(3)))
    leaves = torch.randn(forest.leaves.shape, generator=chance(4))
    forest.leaves = torch.nn.Parameter(leaves)
    bins = torch.randint(0, 255, (4, rows), generator=chance(5), dtype=torch.uint8)
    expected = torch.zeros(members, rows, outputs)
    for member in range(members):
        for row in range(rows):
            for tree in range(1, 4):
                asked = torch.stack([forest.column, forest.first, forest.last])[:, member, tree].T.tolist()
                digits = "".join(str(int(first <= bins[column, row] <= last)) for column, first, last in asked)
                expected[member, row] += leaves[member, tree, int(digits, 2)]
    with torch.no_grad():
        assert_close(forest.said(bins, slice(1, 4)), expected)


def test_of_a_large_table_each_epoch_grows_its_trees_from_other_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firstlight.plain.forest.MOST_GROWN", 100)
    inputs = {"numbers": torch.randn(2000, 3, generator=chance(), dtype=torch.float64)}
    targets = (inputs["numbers"][:, 0] > 0).float() + inputs["numbers"][:, 1].float()
    forest, epochs = grown(inputs, targets, 1)
    alone = {"numbers": inputs["numbers"][:100]}
    few, _ = grown(alone, targets[:100], 1)
    missed, missed_by_few = ((each(inputs).mean(0).flatten() - targets).square().mean() for each in (forest, few))
    assert epochs[-1][1] < 0.3 * epochs[0][1]
    assert missed < 0.7 * missed_by_few


def test_the_module_answers_as_it_was_fitted() -> None:
    inputs = {"numbers": torch.randn(300, 3, generator=chance(), dtype=torch.float64)}
    inputs["categories"] = torch.randint(0, 5, (300, 1), generator=chance())
    targets = (inputs["numbers"][:, 0] + (inputs["categories"][:, 0] == 2)).float()
    forest, epochs = grown(inputs, targets, 1)
    losses = member_squared_errors(outputs_of(forest, inputs, torch.arange(300)), targets)
    learns = learning(torch.arange(300) % 4, 2)
    assert epochs[-1][1] == pytest.approx(((losses * learns).sum() / learns.sum()).item(), rel=1e-4)
    assert epochs[-1][2] == pytest.approx(((losses * (1 - learns)).sum() / (1 - learns).sum()).item(), rel=1e-4)
    assert epochs[-1][1] < 0.2 * epochs[0][1]


def test_trees_that_say_nothing_are_left_out_and_the_answers_stay() -> None:
    inputs = {"numbers": torch.randn(300, 3, generator=chance(), dtype=torch.float64)}
    forest, _ = grown(inputs, inputs["numbers"].prod(dim=1).float(), 1)
    with torch.no_grad():
        forest.leaves[:, 7:] = 0
        forest.leaves[:, 3] = 0  # between others: it stays
        forest.leaves[0, 6] = 0  # of one member alone: it stays, too
    before = forest(inputs)
    forest.keep_grown()
    assert forest.leaves.shape[1] == forest.column.shape[1] == forest.first.shape[1] == forest.last.shape[1] == 7
    assert_close(forest(inputs), before)


def test_a_member_learns_nothing_from_the_rows_that_it_holds_out() -> None:
    inputs = {"numbers": torch.randn(200, 3, generator=chance(), dtype=torch.float64)}
    targets, folds = torch.randn(200, generator=chance(1)), torch.arange(200) % 4
    other = torch.where(folds == 1, targets + 100, targets)
    first, second = (grown(inputs, each, 1)[0] for each in (targets, other))
    assert_close(first(inputs)[1], second(inputs)[1], rtol=0, atol=0)
    assert not torch.equal(first(inputs)[0], second(inputs)[0])


def test_that_a_cell_is_missing_can_be_what_tells() -> None:
    values = torch.randn(400, 1, generator=chance(), dtype=torch.float64)
    gap = torch.arange(400) % 3 == 0
    values[gap] = torch.nan
    forest, _ = grown({"numbers": values}, gap.float(), 1)
    answers = forest({"numbers": values}).mean(dim=0).flatten()
    assert answers[gap].min() > 0.9
    assert answers[~gap].max() < 0.1


def test_an_unknown_word_is_answered_with_what_lies_between_the_known_ones() -> None:
    codes = torch.randint(1, 4, (200, 1), generator=chance())
    forest, _ = grown({"categories": codes}, (codes[:, 0] == 2).float(), 1)
    answers = forest({"categories": torch.tensor([[0], [1], [2]])}).mean(dim=0).flatten()
    assert answers[2] > 0.9
    assert 0.1 < answers[0] < 0.9
    assert answers[1] < 0.1


def test_of_what_leaves_explain_that_is_left_which_chance_would_not() -> None:
    """By hand: 3 leaves of 10, 20 and 0 rows whose errors have a mean square of 2 explain 40 + 5; chance, 2 x 2."""
    errors = torch.tensor([20.0, 10.0, 0.0]).view(1, 3, 1)
    rows = torch.tensor([10.0, 20.0, 0.0]).view(1, 3, 1)
    assert beyond_chance(errors, rows, torch.full((1, 1, 1), 2.0)).item() == pytest.approx(1 - 4 / 45)
    assert beyond_chance(errors, rows, torch.full((1, 1, 1), 100.0)).item() == 0
    assert beyond_chance(torch.zeros(1, 3, 1), rows, torch.zeros(1, 1, 1)).item() == 1


@pytest.mark.parametrize("classes", [True, False])
def test_cautious_trees_learn_less_by_heart_and_what_there_is_to_learn(classes: bool) -> None:
    inputs = {"numbers": torch.randn(600, 5, generator=chance(), dtype=torch.float64)}
    clear = inputs["numbers"][:, 0] > 0
    noise = torch.randint(0, 2, (600,), generator=chance(1)).bool()
    lost = {
        (told, cautious): grown(inputs, truth.long() if classes else truth.float(), 2 if classes else 1,
                                cautious=cautious)[1][-1][2]
        for told, truth in {"clear": clear, "noise": noise}.items()
        for cautious in (True, False)
    }  # fmt: skip
    guess = noise.float().mean()
    known = (-(guess.log() + (1 - guess).log()) / 2 if classes else guess * (1 - guess)).item()
    assert lost["noise", True] - known < 0.6 * (lost["noise", False] - known)
    assert lost["clear", True] < 0.1 * known


def half_and_half(rows: int) -> tuple[Tensor, Tensor]:
    order = torch.randperm(rows, generator=chance())
    return order[: rows // 2], order[rows // 2 :]


def test_as_good_as_scikit_learn_on_numbers() -> None:
    data, truth = load_diabetes(return_X_y=True)
    train, test = half_and_half(len(truth))
    cells, targets = torch.from_numpy(data), torch.from_numpy((truth - truth.mean()) / truth.std()).float()
    forest, _ = grown({"numbers": cells[train]}, targets[train], 1)
    answers = outputs_of(forest, {"numbers": cells[test]}, torch.arange(len(test))).mean(dim=0).flatten()
    reference = HistGradientBoostingRegressor(random_state=0).fit(data[train], targets[train].numpy())
    theirs = torch.from_numpy(reference.predict(data[test]))
    assert (answers - targets[test]).square().mean() < 1.02 * (theirs - targets[test]).square().mean()


@pytest.mark.parametrize(("load", "outputs"), [(load_breast_cancer, 2), (load_iris, 3)])
def test_as_good_as_scikit_learn_on_classes(load, outputs: int) -> None:  # type: ignore[no-untyped-def]
    data, truth = load(return_X_y=True)
    train, test = half_and_half(len(truth))
    cells, targets = torch.from_numpy(data), torch.from_numpy(truth)
    forest, _ = grown({"numbers": cells[train]}, targets[train], outputs)
    outputs_given = outputs_of(forest, {"numbers": cells[test]}, torch.arange(len(test)))
    assert outputs_given.shape == (2, len(test), outputs)
    reference = HistGradientBoostingClassifier(random_state=0).fit(data[train], truth[train])
    ours = log_loss(truth[test], outputs_given.double().softmax(dim=-1).mean(dim=0).numpy())
    assert ours < 1.1 * log_loss(truth[test], reference.predict_proba(data[test]))


def test_many_classes_are_told_apart_through_few_numbers() -> None:
    codes = torch.randint(1, 13, (1200, 1), generator=chance())
    forest, epochs = grown({"categories": codes}, codes[:, 0] - 1, 12)
    right = forest({"categories": codes}).mean(dim=0).argmax(dim=1) == codes[:, 0] - 1
    assert right.float().mean() > 0.95
    assert epochs[-1][2] < epochs[0][2]


def test_the_same_seed_grows_the_same_trees() -> None:
    inputs = {"numbers": torch.randn(200, 4, generator=chance(), dtype=torch.float64)}
    targets = torch.randint(0, 6, (200,), generator=chance())
    first, second = (grown(inputs, targets, 6)[0].state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_bins_are_known_again_by_their_edges() -> None:
    inputs = {
        "numbers": torch.randn(50, 2, generator=chance(), dtype=torch.float64),
        "categories": torch.ones(50, 1).long(),
    }
    first = bins_of(inputs, list(inputs), 8)
    second = Bins(dict(first.named_buffers()))
    assert torch.equal(first(inputs), second(inputs))


def test_sizes_follow_the_time() -> None:
    cells = Cells(rows=20_000, different=(20_000,) * 12, vocabularies=(), outputs=1)
    found = [sizes(cells, seconds) for seconds in (1.0, 10.0, 1000.0)]
    trees = [each.members * each.trees for each in found]
    assert trees == sorted(trees)
    assert trees[0] < trees[2]


@pytest.mark.parametrize("rows", [500, 5_000, 50_000])
def test_shrubs_ask_less_than_the_forest_and_leave_out_what_is_chance(rows: int) -> None:
    cells = Cells(rows=rows, different=(rows,) * 12, vocabularies=(9,), outputs=1)
    forest, shrubs = sizes(cells, None), shrub_sizes(cells, None)
    assert shrubs.questions < forest.questions
    assert (forest.cautious, shrubs.cautious) == (False, True)
