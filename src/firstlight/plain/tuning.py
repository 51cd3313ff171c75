"""A pretrained ResNet that is fitted further, to one's own pictures (steps 2 and 3)."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from firstlight.plain.backbone import Filters, PictureEncoder, picture_encoder
from firstlight.plain.convolutions import Pictures, fit_pictures
from firstlight.plain.line import least_squares, logistic
from firstlight.plain.pieces import weighted_mean


class PretrainedEye(nn.Module):
    """An encoder whose convolutions are parameters.

    (pictures, channels, height, width) float32 from 0 to 1 to (pictures, features).
    """

    def __init__(self, encoder: PictureEncoder) -> None:
        super().__init__()
        self.encoder, self.features = encoder, encoder.width
        for each in encoder.modules():
            if isinstance(each, Filters):
                each.weight, each.bias = nn.Parameter(each.weight), nn.Parameter(each.bias)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.encoder.see(pictures)


def network_over_encoders(
    view: str, encoders: Sequence[PictureEncoder], pictures: int, outputs: int, mirror: bool, half: bool
) -> Pictures:
    """A network over so many pictures a row, whose members begin as these encoders."""
    return Pictures(view, [PretrainedEye(each) for each in encoders], pictures, outputs, mirror, half)


def tuned_network(
    view: str, pictures: Tensor, folder: str, side: int, members: int, outputs: int, mirror: bool, half: bool
) -> Pictures:
    """A network over training pictures whose members all begin as the ResNet in a folder."""
    encoders = [picture_encoder(folder, side) for _ in range(members)]
    return network_over_encoders(view, encoders, pictures.shape[1], outputs, mirror, half)


def fit_tuned(
    model: Pictures, inputs: dict[str, Tensor], targets: Tensor, learns: Tensor,
    losses_of: Callable[[Tensor, Tensor], Tensor], epochs: int, batch: int, rate: float, decay: float, moved: float,
    zoomed: float,
) -> Iterator[tuple[int, float, float]]:  # fmt: skip
    """First a line through what the encoder gives, then gradient descent on all of it; yields as `fit_members`.

    Without the line, the first steps would undo much of what the encoder has learned elsewhere.
    Source: Kumar et al. 2022, "Fine-tuning can distort pretrained features".
    """
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=model.in_half):
        seen = model.eyes[0].encoder(inputs[model.view]).double()  # type: ignore[operator]
    answers = []
    for output, own in zip(model.outputs, learns > 0, strict=True):
        if targets.is_floating_point():
            weight, bias = least_squares(seen[own], targets[own].double())
        else:
            weight, bias = logistic(seen[own], targets[own], len(output.bias))  # type: ignore[arg-type]
        output.load_state_dict({"weight": weight, "bias": bias})
        answers.append(seen @ weight.T + bias)
    losses = losses_of(torch.stack(answers).float(), targets)
    yield 1, weighted_mean(losses, learns), weighted_mean(losses, 1 - learns)
    further = fit_pictures(model, inputs, targets, learns, losses_of, epochs - 1, batch, rate, decay, moved, zoomed)
    for epoch, loss, held_out_loss in further:
        yield epoch + 1, loss, held_out_loss
