"""Similar rows answer, the nearer the more; none answers for itself, nor for a member that holds it out."""

from __future__ import annotations

import math

import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from torch import Tensor
from torch.testing import assert_close

from firstlight.kinds.cells import Cells
from firstlight.kinds.neighbours import sizes
from firstlight.plain.loop import learning, outputs_of
from firstlight.plain.neighbours import FAINTEST, Neighbours, features_of_cells, fit_neighbours, mean_by_distance
from firstlight.plain.targets import member_log_losses, member_squared_errors


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def fitted(
    inputs: dict[str, Tensor], targets: Tensor, outputs: int, epochs: int = 12, kept: int | None = None
) -> tuple[Neighbours, list[tuple[int, float, float]]]:
    classes = not targets.is_floating_point()
    torch.manual_seed(0)
    features = features_of_cells(inputs, list(inputs), bins=8)
    model = Neighbours(features, 2, 8, 16, kept or len(targets), outputs, classes=classes)
    learns = learning(torch.arange(len(targets)) % 4, 2)
    losses = member_log_losses if classes else member_squared_errors
    fit = fit_neighbours(model, inputs, targets, learns, losses, epochs, batch=32, others=400, rate=0.01, decay=0.1)
    return model, list(fit)


def test_the_mean_is_weighed_by_squared_distance() -> None:
    places, keys = torch.randn(2, 5, 3, generator=chance(1)), torch.randn(2, 7, 3, generator=chance(2))
    known = torch.randn(7, 2, generator=chance(3))
    seen = torch.ones(2, 7)
    seen[1, 3:] = 0
    found = mean_by_distance(places, keys, known, seen)
    for member, rows in ((0, slice(0, 7)), (1, slice(0, 3))):
        weights = (-(torch.cdist(places[member], keys[member, rows]) ** 2)).exp()
        assert_close(found[member], weights @ known[rows] / weights.sum(dim=1, keepdim=True), rtol=1e-4, atol=1e-5)


def test_a_row_far_from_all_is_answered_by_the_nearest_and_no_number_is_too_small() -> None:
    keys = torch.tensor([[[0.0], [100.0]]], requires_grad=True)
    found = mean_by_distance(torch.tensor([[[1000.0]]]), keys, torch.tensor([[1.0], [2.0]]), torch.ones(1, 2))
    assert found.item() == pytest.approx(2.0)
    assert math.exp(-FAINTEST) > 100 * torch.finfo(torch.float32).tiny


def test_rows_of_one_number_find_each_other_however_many_numbers_lie_in_a_bin() -> None:
    """As where several rows are of one person: 600 persons, of whom nothing is known but their number."""
    person = torch.arange(600, dtype=torch.float64).repeat_interleave(5)  # in other folds, too
    truth = torch.randn(600, generator=chance(4))[person.long()]
    _, history = fitted({"numbers": person.unsqueeze(1)}, truth, 1)
    assert history[-1][2] < 0.3 * truth.var()


def test_probabilities_add_up_to_1_and_none_is_0() -> None:
    inputs = {"numbers": torch.randn(80, 2, generator=chance(), dtype=torch.float64)}
    model, _ = fitted(inputs, torch.arange(80) % 2, 3, epochs=1)
    outputs = model(inputs)
    assert outputs.shape == (2, 80, 3)
    assert_close(outputs.exp().sum(dim=2), torch.ones(2, 80))
    assert outputs.exp().min() > 0


def test_a_row_is_not_its_own_neighbour_in_the_fit() -> None:
    """Of targets that are chance nothing can be learned but from the row itself."""
    inputs = {"numbers": torch.randn(300, 4, generator=chance(), dtype=torch.float64)}
    targets = torch.randn(300, generator=chance(1))
    _, epochs = fitted(inputs, targets, 1, epochs=2)
    assert epochs[0][1] > 0.9 * targets.var()


def test_a_member_learns_nothing_from_the_rows_that_it_holds_out() -> None:
    inputs = {"numbers": torch.randn(200, 3, generator=chance(), dtype=torch.float64)}
    targets, folds = torch.randn(200, generator=chance(1)), torch.arange(200) % 4
    other = torch.where(folds == 1, targets + 100, targets)
    first, second = (fitted(inputs, each, 1, epochs=2)[0](inputs) for each in (targets, other))
    assert_close(first[1], second[1], rtol=1e-4, atol=1e-4)
    assert (first[0] - second[0]).abs().max() > 1


def test_once_a_member_has_learned_it_sees_the_rows_that_it_held_out() -> None:
    """The answers of all rows but those of fold 1 are one number, so that a member without that fold knows only it."""
    inputs = {"numbers": torch.randn(200, 3, generator=chance(), dtype=torch.float64)}
    targets = (torch.arange(200) % 4 == 1).float()
    model, _ = fitted(inputs, targets, 1, epochs=2)
    assert_close(model(inputs)[1], torch.zeros(200, 1))
    model.see_all()
    assert model(inputs)[1].mean() > 0.1


def test_it_learns_which_columns_tell_where_plain_distance_does_not() -> None:
    numbers = torch.randn(800, 10, generator=chance(), dtype=torch.float64)
    targets = (2 * numbers[:, 0]).sin().float()
    model, epochs = fitted({"numbers": numbers[:600]}, targets[:600], 1)
    answers = outputs_of(model, {"numbers": numbers[600:]}, torch.arange(200)).mean(dim=0).flatten()
    plain = KNeighborsRegressor(10, weights="distance").fit(numbers[:600].numpy(), targets[:600].numpy())
    theirs = torch.from_numpy(plain.predict(numbers[600:].numpy()))
    assert (answers - targets[600:]).square().mean() < 0.3 * (theirs - targets[600:]).square().mean()
    assert epochs[-1][2] < 0.5 * epochs[0][2]


@pytest.mark.parametrize(("load", "outputs"), [(load_breast_cancer, 2), (load_iris, 3)])
def test_as_good_as_scikit_learn_on_classes(load, outputs: int) -> None:  # type: ignore[no-untyped-def]
    data, truth = load(return_X_y=True)
    order = torch.randperm(len(truth), generator=chance())
    train, test = order[::2], order[1::2]
    cells, targets = torch.from_numpy(data), torch.from_numpy(truth)
    model, _ = fitted({"numbers": cells[train]}, targets[train], outputs)
    answers = outputs_of(model, {"numbers": cells[test]}, torch.arange(len(test))).exp().mean(dim=0)
    reference = KNeighborsClassifier(5).fit(data[train], truth[train])
    right = (answers.argmax(dim=1) == targets[test]).double().mean().item()
    assert right >= reference.score(data[test], truth[test]) - 0.01


def test_only_some_rows_are_remembered() -> None:
    inputs = {"categories": torch.randint(0, 5, (300, 2), generator=chance())}
    targets = inputs["categories"][:, 0].float()
    model, _ = fitted(inputs, targets, 1, kept=50)
    assert model.keys.shape == (2, 50, 8)
    assert (model(inputs).mean(dim=0).flatten() - targets).abs().mean() < 0.3


def test_an_unknown_word_is_answered() -> None:
    inputs = {"categories": torch.randint(1, 5, (300, 1), generator=chance())}
    model, _ = fitted(inputs, inputs["categories"][:, 0].float(), 1)
    assert model({"categories": torch.tensor([[0]])}).isfinite().all()


def test_sizes_follow_the_time() -> None:
    cells = Cells(rows=20_000, different=(20_000,) * 12, vocabularies=(), outputs=1)
    found = [sizes(cells, 2.0**power) for power in range(-20, 20)]  # on any machine, however slow
    epochs = [each.epochs if each else 0 for each in found]
    assert epochs == sorted(epochs)
    assert epochs[0] == 0
    assert epochs[-1] > min(filter(None, epochs)) >= 6, "with fewer the time is better spent on the small networks"


def test_every_word_has_a_place_of_its_own_in_each_column_and_an_unknown_one_has_none() -> None:
    """As where rows are of one person: 400 names, and nothing else is known; beside them a column of two words."""
    names = torch.arange(1, 401).repeat_interleave(5)
    beside = torch.randint(1, 3, (2000,), generator=chance(5))
    truth = torch.randn(400, generator=chance(6))[names - 1] + beside
    model, history = fitted({"categories": torch.stack([names, beside], dim=1)}, truth.float(), 1)
    assert history[-1][2] < 0.3 * truth.var()
    _, words = model.described({"categories": torch.tensor([[400, 1], [401, 2], [0, 3]])})
    assert words[:, 1:].tolist() == [[400, 401], [0, 402], [0, 0]]


@pytest.mark.parametrize(("rows", "kept"), [(600, 600), (15_000, 15_000), (20_000, 20_000), (300_000, 10_000)])
def test_all_rows_of_a_table_that_is_not_large_are_remembered(rows: int, kept: int) -> None:
    found = sizes(Cells(rows=rows, different=(40,) * 5, vocabularies=(), outputs=1), 1e6)
    assert found
    assert min(found.kept, rows) == kept


def test_where_time_is_short_it_goes_to_epochs_before_more_rows_are_remembered() -> None:
    cells = Cells(rows=20_000, different=(20_000,) * 12, vocabularies=(), outputs=1)
    found = [sizes(cells, 2**power) for power in range(20)]
    assert {each.kept for each in found if each} == {10_000, 20_000}
    assert all(each.epochs >= 10 for each in found if each and each.kept == 20_000)
