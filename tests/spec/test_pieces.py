"""A weight for each piece of a text, at the lowest point of what is made low, each member from its own rows alone."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
import torch
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression, Ridge
from torch import Tensor
from torch.testing import assert_close

from firstlight.plain.pieces import (
    PieceSums,
    count_pieces,
    fit_pieces,
    learning_and_all,
    piece_sums,
    regression,
    telling,
)
from firstlight.plain.ragged import Ragged, TwoLevels
from firstlight.plain.targets import member_log_losses, member_squared_errors
from firstlight.plain.words import letter_pieces, word_pieces

ROWS, FOLDS, MEMBERS = 80, 4, 5
FOLD_OF = torch.arange(ROWS) % FOLDS
ENOUGH = 400  # epochs, after which nothing moves


def sentences(rows: int = ROWS, classes: int = 2) -> tuple[pl.DataFrame, Tensor]:
    """Sentences of some words by chance, of which one tells the class, mostly."""
    chance = random.Random(5)
    common = "the a film was is it very not so and".split()
    words = ["good", "bad", "odd", "long"][:classes]
    labels = [chance.randrange(classes) for _ in range(rows)]
    texts = [
        " ".join([*chance.choices(common, k=chance.randint(1, 6)), words[label if chance.random() < 0.8 else 0]])
        for label in labels
    ]
    return pl.DataFrame({"text": texts}), torch.tensor(labels)


def views(rows: pl.DataFrame) -> dict[str, Ragged | TwoLevels]:
    return {"words": word_pieces(rows, ["text"]), "letters": letter_pieces(rows, ["text"])}


def fitted(
    view: str, targets: Tensor, epochs: int, decay: float = 2.0, rows: pl.DataFrame | None = None
) -> tuple[PieceSums, list[tuple[int, float, float]]]:
    inputs = views(sentences()[0] if rows is None else rows)
    outputs = 1 if targets.is_floating_point() else int(targets.max()) + 1
    module = piece_sums(view, inputs[view], 2**20, MEMBERS, outputs)
    losses_of = member_squared_errors if targets.is_floating_point() else member_log_losses
    learns = learning_and_all(FOLD_OF, MEMBERS)
    epochs_done = list(fit_pieces(module, inputs, targets, learns, losses_of, epochs, decay, smoothing=0.5))
    return module, epochs_done


def dense(module: PieceSums, view: str) -> np.ndarray:
    """The features that a weight is a factor of: how often each known piece stands in a text, scaled."""
    seen = module.see(views(sentences()[0])[view])
    return seen.sums(torch.eye(len(module.known))).double().numpy()


def ratios(module: PieceSums, view: str, targets: Tensor) -> Tensor:
    """How telling each piece is for each member: (pieces, members, columns)."""
    inputs, learns = views(sentences()[0]), learning_and_all(FOLD_OF, MEMBERS)
    ratio = telling(regression(module, inputs, targets, learns), 0.5)
    return ratio.view(len(ratio), MEMBERS, -1).double()


@pytest.mark.parametrize("view", ["words", "letters"])
def test_two_classes_are_fitted_as_logistic_regression_over_what_each_member_learns_from(view: str) -> None:
    targets = sentences()[1]
    module, _ = fitted(view, targets, ENOUGH)
    ratio, features = ratios(module, view, targets), dense(module, view)
    learns = learning_and_all(FOLD_OF, MEMBERS).bool()
    for member in range(MEMBERS):
        rows, own = learns[member].numpy(), ratio[:, member, 0]
        reference = LogisticRegression(C=1 / 2.0, tol=1e-10, max_iter=10_000)
        reference.fit(features[rows] * own.numpy(), targets[rows].numpy())
        expected = torch.from_numpy(reference.coef_[0]) * own
        assert_close(module.weight[:, member].double(), expected, rtol=0, atol=2e-3)
        assert module.bias[member].item() == pytest.approx(reference.intercept_[0], abs=2e-3)


@pytest.mark.parametrize("view", ["words", "letters"])
def test_numbers_are_fitted_as_ridge_regression(view: str) -> None:
    targets = sentences()[1] * 1.5 + torch.randn(ROWS, generator=torch.Generator().manual_seed(1))
    module, _ = fitted(view, targets, ENOUGH)
    ratio, features = ratios(module, view, targets), dense(module, view)
    for member, rows in enumerate(learning_and_all(FOLD_OF, MEMBERS).bool().numpy()):
        own = ratio[:, member, 0]
        reference = Ridge(alpha=2.0).fit(features[rows] * own.numpy(), targets[rows].double().numpy())
        expected = torch.from_numpy(reference.coef_) * own
        assert_close(module.weight[:, member].double(), expected, rtol=0, atol=2e-3)
        assert module.bias[member].item() == pytest.approx(reference.intercept_, abs=2e-3)


def test_many_classes_are_fitted_to_the_lowest_point_of_the_loss_with_its_pull() -> None:
    rows, targets = sentences(classes=4)
    inputs, learns = views(rows), learning_and_all(FOLD_OF, MEMBERS)
    module, _ = fitted("words", targets, ENOUGH, rows=rows)
    known = regression(module, inputs, targets, learns)
    ratio = telling(known, 0.5).unflatten(1, (MEMBERS, -1)).double()
    features = module.see(inputs["words"]).sums(torch.eye(len(module.known))).double()
    for member in (0, MEMBERS - 1):
        own, mine = ratio[:, member], learns[member].bool()

        def loss_of(numbers: np.ndarray, own: Tensor = own, mine: Tensor = mine) -> tuple[float, np.ndarray]:
            wanted = torch.tensor(numbers, requires_grad=True)
            factors, bias = wanted[:-4].view_as(own), wanted[-4:]
            outputs = features[mine] @ (own * factors) + bias
            loss = torch.nn.functional.cross_entropy(outputs, targets[mine])
            loss = loss + 2.0 / mine.sum() * factors.square().sum() / 2
            loss.backward()
            assert wanted.grad is not None
            return loss.item(), wanted.grad.numpy()

        start = np.zeros(own.numel() + 4)
        found = minimize(loss_of, start, jac=True, method="L-BFGS-B", options={"maxiter": 5000, "ftol": 1e-14})
        mine_weight = module.weight.unflatten(1, (MEMBERS, -1))[:, member].detach().double()
        factors = torch.where(own == 0, 0.0, mine_weight / own)
        bias = module.bias.unflatten(0, (MEMBERS, -1))[member].detach().double()
        reached, _ = loss_of(torch.cat([factors.flatten(), bias]).numpy())
        assert reached == pytest.approx(found.fun, abs=1e-5)


def test_what_is_told_of_each_epoch_is_the_loss_on_rows_learned_from_and_on_rows_held_out() -> None:
    targets = sentences()[1]
    learns = learning_and_all(FOLD_OF, MEMBERS)
    _, whole = fitted("words", targets, epochs=6)
    assert [number for number, _, _ in whole] == [1, 2, 3, 4, 5, 6]
    for epochs in (1, 6):
        module, told = fitted("words", targets, epochs)
        losses = member_log_losses(module(views(sentences()[0])), targets)
        number, loss, held_out = told[-1]
        assert (number, loss, held_out) == whole[epochs - 1], "an epoch does not depend on how many follow"
        assert loss == pytest.approx(losses[learns == 1].mean().item(), rel=1e-4)
        assert held_out == pytest.approx(losses[learns == 0].mean().item(), rel=1e-4)
    assert whole[0][1] < math.log(2)
    assert whole[-1][1] < whole[0][1]


def test_a_member_is_not_influenced_by_the_targets_of_the_rows_that_it_holds_out() -> None:
    targets = sentences()[1]
    others = torch.where(FOLD_OF == 1, 1 - targets, targets)
    for first, second in [(targets, others), (targets.float(), others.float())]:
        before, after = fitted("words", first, 5)[0], fitted("words", second, 5)[0]
        same = (before.weight == after.weight).all(dim=0) & (before.bias == after.bias)
        assert same.tolist() == [False, True, False, False, False]


def test_counting_is_naive_bayes() -> None:
    """Each piece's weight: how many times likelier it is within a class than outside it, with each count a bit more."""
    texts, targets = ["good good film", "good story", "bad film", "bad", "good"], torch.tensor([0, 0, 1, 1, 1])
    seen = word_pieces(pl.DataFrame({"text": texts}), ["text"])
    inputs: dict[str, Ragged | TwoLevels] = {"words": seen}
    module = piece_sums("words", seen, 100, 1, 2)
    (epoch,) = count_pieces(module, inputs, targets, torch.ones(1, 5), member_log_losses, smoothing=0.5)
    bounds = seen.starts.tolist()
    held = [set(seen.values[start:end].tolist()) for start, end in pairwise(bounds)]  # a piece counts once in a text
    everywhere = Counter(piece for text in held for piece in text)
    known = sorted(piece for piece, count in everywhere.items() if count >= 2)
    assert module.known.tolist() == known
    within = {piece: 0.5 + sum(piece in held[row] for row in (2, 3, 4)) for piece in known}
    outside = {piece: 0.5 + sum(piece in held[row] for row in (0, 1)) for piece in known}
    expected = [
        math.log(within[piece] / sum(within.values())) - math.log(outside[piece] / sum(outside.values()))
        for piece in known
    ]
    assert module.weight[:, 0].tolist() == pytest.approx(expected, abs=1e-5)
    losses = member_log_losses(module(inputs), targets)
    assert epoch[0] == 1
    assert epoch[1] == pytest.approx(losses.mean().item())


@pytest.mark.parametrize("targets", [torch.tensor([1, 1, 0, 0]), torch.tensor([0.0, 1.0, 2.0, 4.0])], ids=str)
def test_a_piece_that_one_row_alone_of_a_member_holds_tells_that_member_nothing(targets: Tensor) -> None:
    inputs: dict[str, Ragged | TwoLevels] = {"words": ragged([[1, 2], [1, 2], [1], [1, 3]])}
    module = piece_sums("words", inputs["words"], 10, 2, 2 if targets.dtype == torch.int64 else 1)
    learns = torch.tensor([[0.0, 1, 1, 1], [1, 1, 1, 1]])
    ratio = telling(regression(module, inputs, targets, learns), 0.5)
    assert module.known.tolist() == [1, 2]
    assert (ratio[1] == 0).tolist() == [True, False], "the first member learns from one of the rows that hold piece 2"


def test_counting_is_done_by_each_member_from_its_own_rows() -> None:
    rows, targets = sentences()
    inputs, learns = views(rows), learning_and_all(FOLD_OF, MEMBERS)
    together = piece_sums("words", inputs["words"], 2**20, MEMBERS, 2)
    list(count_pieces(together, inputs, targets, learns, member_log_losses, smoothing=0.3))
    for member in range(MEMBERS):
        alone = piece_sums("words", inputs["words"], 2**20, 1, 2)
        list(count_pieces(alone, inputs, targets, learns[member : member + 1], member_log_losses, smoothing=0.3))
        assert_close(together.weight[:, member], alone.weight[:, 0])


def test_each_member_holds_a_fold_out_and_the_last_learns_from_all_rows() -> None:
    learns = learning_and_all(FOLD_OF, MEMBERS)
    assert learns[-1].tolist() == [1.0] * ROWS
    for member in range(FOLDS):
        assert learns[member].tolist() == [float(fold != member) for fold in FOLD_OF.tolist()]


def test_with_fewer_folds_than_members_the_others_learn_from_all_rows() -> None:
    learns = learning_and_all(torch.tensor([0, 1, 1, 0]), MEMBERS)
    assert learns.tolist() == [[0, 1, 1, 0], [1, 0, 0, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]]


def test_with_more_folds_than_members_no_member_holds_the_others_out_and_the_last_learns_from_all_rows() -> None:
    learns = learning_and_all(torch.arange(8), MEMBERS)
    assert learns.tolist() == [[float(fold != member) for fold in range(8)] for member in range(4)] + [[1.0] * 8]


@pytest.mark.parametrize("classes", [2, 4])
def test_after_the_fit_the_last_member_answers_alone_and_as_it_did_before(classes: int) -> None:
    rows, targets = sentences(classes=classes)
    module, _ = fitted("letters", targets, 4, rows=rows)
    before = module(views(rows))
    module.keep_last()
    assert torch.equal(module(views(rows)), before[-1:])
    again = PieceSums("letters", module.known, module.size, 1, classes)
    again.load_state_dict(module.state_dict())
    assert torch.equal(again(views(rows)), before[-1:])


def ragged(rows: Sequence[Sequence[int]]) -> Ragged:
    pairs = [(row, number) for row, numbers in enumerate(rows) for number in numbers]
    owners, values = torch.tensor(pairs, dtype=torch.int32).view(-1, 2).T
    return Ragged.of_pairs(owners, values, len(rows))


TEXTS = [[1, 2, 3, 9], [2, 3, 4], [3, 5, 6], [4, 7]]


def test_the_pieces_that_two_texts_share_are_known_and_no_others() -> None:
    assert piece_sums("words", ragged(TEXTS), 10, MEMBERS, 2).known.tolist() == [2, 3, 4]


def test_of_too_many_pieces_the_most_common_are_known_and_of_like_ones_the_first() -> None:
    assert piece_sums("words", ragged(TEXTS), 2, MEMBERS, 2).known.tolist() == [2, 3]
    assert piece_sums("words", ragged(TEXTS), 1, MEMBERS, 2).known.tolist() == [3]
    assert piece_sums("words", ragged([[1, 2, 3]] * 4), 2, MEMBERS, 2).known.tolist() == [1, 2]


def test_in_two_levels_a_piece_is_known_that_two_texts_share_by_the_same_stretch_or_by_different_ones() -> None:
    parts = ragged([[1, 2], [2, 3], [4]])
    assert piece_sums("letters", TwoLevels(ragged([[0], [1], [2]]), parts), 9, MEMBERS, 2).known.tolist() == [2]
    assert piece_sums("letters", TwoLevels(ragged([[0], [0], [2]]), parts), 9, MEMBERS, 2).known.tolist() == [1, 2]


def test_short_texts_count_as_much_as_long_ones() -> None:
    """The sum is multiplied by the root of how many times fewer pieces the text has than one has on average."""
    module = piece_sums("words", ragged(TEXTS), 10, 1, 1)
    assert module.size.item() == pytest.approx((2 + 3 + 1 + 1) / 4)  # of those that are known
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[10.0], [100.0], [1000.0]]))
    parts = ragged([[1, 2], [2, 3], [4]])
    in_two_levels = piece_sums("letters", TwoLevels(ragged([[0, 1], [0], [2]]), parts), 9, 1, 1)
    assert in_two_levels.known.tolist() == [1, 2]
    assert in_two_levels.size.item() == pytest.approx((3 + 2 + 1) / 3)  # the third has none: it counts as one
    sums = module({"words": ragged([*TEXTS, [8], []])})[0, :, 0].tolist()
    scaled = [110 * math.sqrt(1.75 / 2), 1110 * math.sqrt(1.75 / 3), 100 * math.sqrt(1.75), 1000 * math.sqrt(1.75)]
    assert sums == pytest.approx([*scaled, 0, 0], rel=1e-6)


def test_of_two_classes_the_second_alone_has_weights() -> None:
    assert piece_sums("words", ragged(TEXTS), 10, MEMBERS, 2).weight.shape == (3, MEMBERS)
    assert piece_sums("words", ragged(TEXTS), 10, MEMBERS, 3).weight.shape == (3, MEMBERS * 3)
    assert (piece_sums("words", ragged(TEXTS), 10, MEMBERS, 2)({"words": ragged(TEXTS)})[..., 0] == 0).all()


def test_which_pieces_are_known_and_how_they_are_fitted_does_not_depend_on_the_order_of_rows() -> None:
    rows, targets = sentences()
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(3))
    learns = learning_and_all(FOLD_OF, MEMBERS)
    for view in ("words", "letters"):
        first, second = views(rows), views(rows[order.numpy()])
        modules = [piece_sums(view, inputs[view], 100, MEMBERS, 2) for inputs in (first, second)]
        list(fit_pieces(modules[0], first, targets, learns, member_log_losses, 5, 2.0, 0.5))
        list(fit_pieces(modules[1], second, targets[order], learns[:, order], member_log_losses, 5, 2.0, 0.5))
        assert torch.equal(modules[0].known, modules[1].known)
        assert_close(modules[0].weight, modules[1].weight, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "texts",
    [["", "", "", ""], ["one", "two", "three", "four"], ["猫", "犬", "鳥", "魚"], ["a", "a", "a", "a"]],
    ids=["empty", "nothing shared", "nothing shared, no blanks", "all the same"],
)
@pytest.mark.parametrize("targets", [torch.tensor([0, 1, 0, 1]), torch.tensor([0, 1, 2, 1]), torch.zeros(4)], ids=str)
def test_texts_that_teach_nothing_give_an_answer_all_the_same(texts: list[str], targets: Tensor) -> None:
    inputs = views(pl.DataFrame({"text": texts}))
    outputs = 1 if targets.is_floating_point() else int(targets.max()) + 1
    losses_of = member_squared_errors if targets.is_floating_point() else member_log_losses
    learns = learning_and_all(torch.tensor([0, 1, 2, 3]), MEMBERS)
    for view in inputs:
        module = piece_sums(view, inputs[view], 100, MEMBERS, outputs)
        told = list(fit_pieces(module, inputs, targets, learns, losses_of, 5, 2.0, 0.5))
        assert all(math.isfinite(number) for epoch in told for number in epoch)
        assert module(inputs).isfinite().all()
        assert module(views(pl.DataFrame({"text": ["something new", None]}))).isfinite().all()


def test_a_class_of_one_row_and_hundreds_of_classes_are_learned() -> None:
    rows, _ = sentences(rows=ROWS)
    for targets in (torch.tensor([1, *[0] * (ROWS - 1)]), torch.arange(ROWS)):
        inputs = views(rows)
        module = piece_sums("words", inputs["words"], 500, MEMBERS, int(targets.max()) + 1)
        learns = learning_and_all(FOLD_OF, MEMBERS)
        told = list(fit_pieces(module, inputs, targets, learns, member_log_losses, 20, 0.5, 0.5))
        assert module(inputs).isfinite().all()
        assert told[-1][1] < told[0][1]
