"""Step 3, fit: gradient descent and backpropagation, as a generator that tells what happened."""

import inspect
import math
from collections.abc import Callable, Iterator
from itertools import islice

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from firstlight.plain.split import MANY_ROWS


def rows_of(inputs: dict[str, Tensor], chosen: Tensor) -> dict[str, Tensor]:
    """The chosen rows of every input."""
    return {name: values.index_select(0, chosen) for name, values in inputs.items()}


def learning(folds: Tensor, members: int) -> Tensor:
    """1 where a member learns from a row, 0 where it holds the row's fold out: (members, rows); folds: (rows,)."""
    held_out: Tensor = folds.unique().repeat(members)[:members]  # small classes leave some folds empty
    return (folds != held_out.unsqueeze(1)).float()


def outputs_of(model: nn.Module, inputs: dict[str, Tensor], chosen: Tensor) -> Tensor:
    """What the model answers for the chosen rows, as many at once as it likes: (members, chosen, outputs)."""
    model.eval()
    with torch.inference_mode():
        return torch.cat([model(rows_of(inputs, rows)) for rows in chosen.split(getattr(model, "at_once", 1024))], 1)


def held_out_outputs(model: nn.Module, inputs: dict[str, Tensor], learns: Tensor) -> Tensor:
    """What the model answers to rows, or many of them, that a member holds out, else NaN: (members, rows, outputs)."""
    chosen = torch.nonzero((learns == 0).any(dim=0)).flatten()
    chosen = chosen[:: math.ceil(len(chosen) / MANY_ROWS)]
    found = outputs_of(model, inputs, chosen)
    return found.new_full((len(learns), learns.shape[1], found.shape[2]), torch.nan).index_copy(1, chosen, found)


def without_compiler(optimiser: type[torch.optim.AdamW]) -> type[torch.optim.AdamW]:
    """The same optimiser, which else loads torch's compiler when it is made: seconds for what nothing here uses."""
    plain = {name: inspect.unwrap(getattr(optimiser, name)) for name in ("step", "zero_grad", "add_param_group")}
    return type(optimiser.__name__, (optimiser,), {**plain, "step": torch.no_grad()(plain["step"])})


def descent(model: nn.Module, rate: float, decay: float, steps: int) -> tuple[torch.optim.AdamW, LambdaLR]:
    """AdamW, and the schedule of its rate: it rises for a twentieth of the steps, then falls to zero."""
    optimiser = without_compiler(torch.optim.AdamW)(model.parameters(), lr=rate, weight_decay=decay, fused=True)
    return optimiser, LambdaLR(optimiser, lambda step: min(1.0, (step + 1) / (0.05 * steps)) * (1 - step / steps))


def descent_by_shape(
    model: nn.Module, rate: float, decay: float, steps: int, rising: float
) -> tuple[torch.optim.AdamW, LambdaLR]:
    """AdamW that lets weights decay, not biases and scales; its rate rises for a share of the steps, then falls."""
    weights = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    optimiser = without_compiler(torch.optim.AdamW)(groups, lr=rate, betas=(0.9, 0.98), fused=True)
    return optimiser, LambdaLR(
        optimiser, lambda step: min((step + 1) / (rising * steps), (1 - step / steps) / (1 - rising))
    )


def fit_members(
    model: nn.Module, inputs: dict[str, Tensor], targets: Tensor, learns: Tensor,
    losses_of: Callable[[Tensor, Tensor], Tensor], epochs: int, batch: int, rate: float, decay: float,
) -> Iterator[tuple[int, float, float]]:  # fmt: skip
    """Gradient descent; yields for each epoch its number, the loss on rows learned from, and that on held-out rows.

    inputs, targets: (rows, ...) each; learns: (members, rows); losses_of(outputs, targets): (members, rows).
    """
    optimiser, schedule = descent(model, rate, decay, epochs * math.ceil(min(len(targets), MANY_ROWS) / batch))
    watched = torch.randperm(len(targets))[:4096]  # enough rows to see how held-out rows fare
    for epoch in range(1, epochs + 1):
        model.train()
        total = torch.zeros(())
        for chosen in torch.randperm(len(targets))[:MANY_ROWS].split(batch):
            outputs = model(rows_of(inputs, chosen))  # forward
            weights = learns[:, chosen]
            loss = (losses_of(outputs, targets[chosen]) * weights).sum() / weights.sum().clamp_min(1)
            optimiser.zero_grad()
            loss.backward()  # backpropagation: d loss / d each parameter
            optimiser.step()  # gradient descent: one step downhill
            schedule.step()
            total += loss.detach() * len(chosen)
        for state in optimiser.state.values():  # of units that no row moves any more; below 1e-38 they slow all down
            state["exp_avg"].masked_fill_(state["exp_avg"].abs() < 1e-25, 0)
        held_out = 1 - learns[:, watched]
        losses = losses_of(outputs_of(model, inputs, watched), targets[watched]) * held_out
        yield epoch, total.item() / min(len(targets), MANY_ROWS), (losses.sum() / held_out.sum()).item()


def up_to(epochs: Iterator[tuple[int, float, float]], last: int) -> Iterator[tuple[int, float, float]]:
    """The epochs up to the last one that a fit came to before it was interrupted."""
    return islice(epochs, last)


def keeping_best(model: nn.Module, epochs: Iterator[tuple[int, float, float]]) -> Iterator[tuple[int, float, float]]:
    """The same epochs; when they end, or are interrupted, the model is as it was after the best of them."""
    lowest, best = math.inf, {name: value.clone() for name, value in model.state_dict().items()}
    try:
        for epoch, loss, held_out_loss in epochs:
            if held_out_loss < lowest:
                lowest, best = held_out_loss, {name: value.clone() for name, value in model.state_dict().items()}
            yield epoch, loss, held_out_loss
    finally:
        model.load_state_dict(best)


def held_out_mean(answers: Tensor, learns: Tensor) -> Tensor:
    """The mean answer (rows, outputs) of those members (members, rows, outputs) that have not learned from the row."""
    held_out = (1 - learns).to(answers.dtype).unsqueeze(-1)
    return (answers * held_out).sum(dim=0) / held_out.sum(dim=0)
