"""The loop: gradient descent that tells what happened, and leaves the best model behind."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from firstlight.model.fitting import Epoch
from firstlight.plain.loop import (
    descent,
    fit_members,
    held_out_mean,
    held_out_outputs,
    keeping_best,
    learning,
    outputs_of,
    rows_of,
    without_compiler,
)
from firstlight.plain.targets import member_squared_errors


class Slope(nn.Module):
    """Two members, each a number times the input."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2, 1, 1))

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        return inputs["x"].expand(2, -1, -1) * self.weight


X = {"x": torch.linspace(-1, 1, 50).unsqueeze(1)}
Y = 3 * X["x"].flatten()
LEARNS = learning(torch.arange(50) % 2, 2)


def epochs_of(model: Slope, *, epochs: int = 30, batch: int = 8, rate: float = 0.2) -> Iterator[Epoch]:
    torch.manual_seed(0)
    told = fit_members(model, X, Y, LEARNS, member_squared_errors, epochs=epochs, batch=batch, rate=rate, decay=0.0)
    return (Epoch("slope", *each) for each in told)


def test_the_loss_falls_to_nothing_where_the_model_can_be_right() -> None:
    model = Slope()
    history = list(epochs_of(model))
    assert [epoch.number for epoch in history] == list(range(1, 31))
    assert history[0].training_loss > 100 * history[-1].training_loss
    assert history[-1].held_out_loss < 1e-3
    torch.testing.assert_close(model.weight.flatten(), torch.tensor([3.0, 3.0]), atol=0.05, rtol=0)


def test_the_training_loss_is_a_mean_over_rows_however_large_the_batches() -> None:
    """With a rate near zero nothing is learned, so each batch of 8, and the last of 2, meet the same model."""
    for batch in (8, 50):
        (epoch,) = epochs_of(Slope(), epochs=1, batch=batch, rate=1e-12)
        # each member learns from half of the rows; over all batches that is about the mean over rows
        assert epoch.training_loss == pytest.approx(Y.square().mean().item(), rel=0.15)


def test_where_small_classes_leave_folds_empty_each_member_holds_out_one_that_has_rows() -> None:
    """Classes of five rows, dealt into twelve folds, give nothing to the first."""
    learns = learning(torch.tensor([1, 3, 6, 8, 10] * 4), 6)
    assert (learns == 0).sum(dim=1).tolist() == [4] * 6
    assert learns[0].tolist() == [0, 1, 1, 1, 1] * 4


def test_a_batch_that_nobody_learns_from_changes_nothing() -> None:
    torch.manual_seed(0)
    model = Slope()
    nobody = torch.zeros(2, 50)
    list(fit_members(model, X, Y, nobody, member_squared_errors, epochs=2, batch=8, rate=0.2, decay=0.0))
    assert model.weight.flatten().tolist() == [0.0, 0.0]


def test_the_held_out_loss_is_that_of_the_rows_that_members_hold_out() -> None:
    model = Slope()
    (epoch,) = epochs_of(model, epochs=1)
    losses = member_squared_errors(outputs_of(model, X, torch.arange(50)), Y)
    expected = (losses * (1 - LEARNS)).sum() / (1 - LEARNS).sum()
    assert epoch.held_out_loss == pytest.approx(expected.item(), rel=1e-6)


def test_the_rate_rises_for_a_twentieth_of_the_steps_and_then_falls_to_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    step = torch.optim.AdamW.step

    def noted(optimiser: torch.optim.AdamW) -> object:
        rates.append(optimiser.param_groups[0]["lr"])
        return step(optimiser)

    monkeypatch.setattr(torch.optim.AdamW, "step", noted)
    list(epochs_of(Slope(), epochs=20, batch=10, rate=1.0))  # 100 steps, of which the first five rise
    assert len(rates) == 100
    assert rates[:6] == pytest.approx([0.2, 0.4 * 0.99, 0.6 * 0.98, 0.8 * 0.97, 0.96, 0.95])
    assert rates[5:] == pytest.approx([1 - step / 100 for step in range(5, 100)])


class Dying(Slope):
    """A number times the input, and a unit that no row moves any more once it is below zero."""

    def __init__(self) -> None:
        super().__init__()
        self.unit = nn.Parameter(torch.full((2, 1, 1), 0.01))

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        return super().forward(inputs) + self.unit.relu()


def test_slopes_of_units_that_no_row_moves_any_more_do_not_fade_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers below 1e-38, which 0.9 to the power of some hundred steps is, are handled many times slower."""
    optimisers = []

    def spied(*args: Any) -> Any:
        optimisers.append(descent(*args))
        return optimisers[-1]

    monkeypatch.setattr("firstlight.plain.loop.descent", spied)
    model = Dying()
    list(epochs_of(model, epochs=150))  # of 7 steps
    assert (model.unit < 0).all()
    slope = optimisers[0][0].state[model.unit]["exp_avg"]
    assert (slope == 0).all()


def test_each_row_is_seen_once_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []
    model = Slope()
    model.register_forward_pre_hook(lambda module, given: seen.append(given[0]["x"]) if module.training else None)
    list(epochs_of(model, epochs=2))
    assert [len(part) for part in seen] == [8, 8, 8, 8, 8, 8, 2] * 2
    first, second = torch.cat(seen[:7]), torch.cat(seen[7:])
    assert torch.equal(first.sort(dim=0).values, X["x"])
    assert torch.equal(second.sort(dim=0).values, X["x"])
    assert not torch.equal(first, second), "in the same order twice"


def scripted(
    model: Slope, losses: list[float], end: type[BaseException] | None = None
) -> Iterator[tuple[int, float, float]]:
    """An epoch for each loss, after which the model's weights are the epoch's number; then perhaps an interruption."""
    for number, loss in enumerate(losses, start=1):
        with torch.no_grad():
            model.weight.fill_(number)
        yield number, 0.0, loss
    with torch.no_grad():
        model.weight.fill_(99)
    if end:
        raise end


def test_at_the_end_the_model_is_as_it_was_after_the_best_epoch() -> None:
    model = Slope()
    history = list(keeping_best(model, scripted(model, [3.0, 1.0, 2.0, 1.0])))
    assert len(history) == 4, "every epoch is passed on"
    assert model.weight.flatten().tolist() == [2, 2], "of two equals the first"


@pytest.mark.parametrize("end", [KeyboardInterrupt, RuntimeError])
def test_interrupted_it_is_as_it_was_after_the_best_epoch(end: type[BaseException]) -> None:
    model = Slope()
    with pytest.raises(end):
        list(keeping_best(model, scripted(model, [3.0, 1.0, 2.0], end)))
    assert model.weight.flatten().tolist() == [2, 2]


def test_closed_early_it_is_as_it_was_after_the_best_epoch() -> None:
    model = Slope()
    epochs = keeping_best(model, scripted(model, [1.0, 2.0, 0.0]))
    next(epochs), next(epochs)
    epochs.close()  # type: ignore[attr-defined]
    assert model.weight.flatten().tolist() == [1, 1]


@pytest.mark.parametrize("losses", [[], [math.nan, math.nan], [math.inf]])
def test_where_no_epoch_is_of_use_it_is_as_it_was_born(losses: list[float]) -> None:
    model = Slope()
    list(keeping_best(model, scripted(model, losses)))
    assert model.weight.flatten().tolist() == [0, 0]


def test_answers_come_in_blocks_and_are_the_same_as_at_once() -> None:
    model = Slope()
    with torch.no_grad():
        model.weight.fill_(2)
    many = {"x": torch.randn(10_000, 1)}
    assert torch.equal(outputs_of(model, many, torch.arange(10_000)), model(many).detach())
    assert not model.training


def test_of_very_many_held_out_rows_some_from_everywhere_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firstlight.plain.loop.MANY_ROWS", 30)
    learns = learning(torch.arange(200) % 4, 2)  # half of the rows are held out, each by one member
    answered = held_out_outputs(Slope(), {"x": torch.ones(200, 1)}, learns)[0, :, 0].isfinite()
    assert 20 <= int(answered.sum()) <= 30
    assert all(part.any() for part in answered.split(20))


def test_the_mean_of_held_out_answers_leaves_out_members_that_learned_from_the_row() -> None:
    answers = torch.tensor([[[1.0], [1.0]], [[5.0], [5.0]], [[9.0], [9.0]]])  # three members, two rows
    learns = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    assert held_out_mean(answers, learns).tolist() == [[5.0], [5.0]]
    learns = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    assert held_out_mean(answers, learns).tolist() == [[1.0], [7.0]]


def test_chosen_rows_are_those_of_every_input() -> None:
    chosen = rows_of({"a": torch.arange(3), "b": torch.arange(6).reshape(3, 2)}, torch.tensor([2, 0]))
    assert (chosen["a"].tolist(), chosen["b"].tolist()) == ([2, 0], [[4, 5], [0, 1]])


def test_without_its_compiler_an_optimiser_takes_the_same_steps() -> None:
    found = []
    for made in (torch.optim.AdamW, without_compiler(torch.optim.AdamW)):
        torch.manual_seed(0)
        model = nn.Linear(3, 2)
        optimiser = made(model.parameters(), lr=0.1, weight_decay=0.2, fused=True)
        for _ in range(5):
            optimiser.zero_grad()
            model(torch.randn(4, 3)).square().sum().backward()
            optimiser.step()
        found.append(model.weight)
    assert torch.equal(*found)
