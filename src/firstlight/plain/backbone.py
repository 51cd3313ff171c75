"""Pictures to vectors by a pretrained ResNet: what it has learned to see elsewhere helps where there are few pictures.

Source: He et al. 2015, "Deep residual learning for image recognition", in the form in which the library transformers
keeps one in a folder: config.json, model.safetensors and, of the pixels that it was shown, preprocessor_config.json.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.plain.meaning import Meaning, tensors_in

NORM_SMALL = 1e-5  # added to variances, as ResNets were fitted with
NORM = ("weight", "bias", "running_mean", "running_var")  # what a normalisation keeps
PIXELS_FILE = "preprocessor_config.json"
PICTURES_READ = 64  # at once, so that what the layers give stays small
USUAL_MEAN = (0.485, 0.456, 0.406)  # of the pixels of ImageNet, from 0 to 1
USUAL_DEVIATION = (0.229, 0.224, 0.225)


class Filters(nn.Module):
    """A convolution with its normalisation in it: (pictures, inputs, height, width) to (pictures, outputs, ...).

    weight: (outputs, inputs, side, side); bias: (outputs,).
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = nn.Buffer(weight), nn.Buffer(bias)
        self.side = weight.shape[2]

    def forward(self, signal: Tensor, stride: int) -> Tensor:
        return F.conv2d(signal, self.weight, self.bias, stride, padding=self.side // 2)


class Residual(nn.Module):
    """Two or three convolutions, and past them what came in; the first that sees more than a point takes the steps."""

    def __init__(self, filters: Sequence[Filters], shortcut: Filters | None, stride: int) -> None:
        super().__init__()
        self.filters, self.shortcut, self.stride = nn.ModuleList(filters), shortcut, stride
        self.width = filters[-1].weight.shape[0]
        self.steps = next(place for place, each in enumerate(filters) if each.side > 1)

    def forward(self, signal: Tensor) -> Tensor:
        kept = signal if self.shortcut is None else self.shortcut(signal, self.stride)
        for place, each in enumerate(self.filters):
            signal = each(signal if place == 0 else signal.relu(), self.stride if place == self.steps else 1)
        return (kept + signal).relu()


class PictureEncoder(nn.Module):
    """A pretrained ResNet: (rows, pictures, height, width, channels) uint8 to (rows, pictures * width) float32.

    It is not fitted here. Pictures are made `side` pixels high and wide before it looks at them. Of its last two stages
    each gives the mean of every channel. mean, deviation: (3,), of the pixels that it was shown, from 0 to 1.
    """

    def __init__(
        self, stem: Filters, stages: Sequence[Sequence[Residual]], mean: Tensor, deviation: Tensor, side: int
    ) -> None:
        super().__init__()
        self.stem, self.side = stem, side
        self.stages = nn.ModuleList(nn.Sequential(*blocks) for blocks in stages)
        self.mean, self.deviation = nn.Buffer(mean), nn.Buffer(deviation)
        self.width = sum(blocks[-1].width for blocks in stages[-2:])

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> Tensor:
        if len(pictures) == 0:
            return torch.zeros(0, pictures.shape[1] * self.width)
        read = [self.read(block) for block in pictures.flatten(0, 1).split(PICTURES_READ)]
        return torch.cat(read).view(len(pictures), -1)

    def read(self, pictures: Tensor) -> Tensor:
        """The vectors of pictures (pictures, height, width, channels) uint8: (pictures, width)."""
        return self.see(pictures.permute(0, 3, 1, 2).float() / 255)

    def see(self, pictures: Tensor) -> Tensor:
        """The vectors of pictures (pictures, channels, height, width) float32 from 0 to 1: (pictures, width)."""
        pixels = pictures.expand(-1, 3, -1, -1)
        if pixels.shape[2:] != (self.side, self.side):
            pixels = F.interpolate(pixels, (self.side, self.side), mode="bilinear", antialias=True)
        seen = (pixels - self.mean.view(-1, 1, 1)) / self.deviation.view(-1, 1, 1)
        signal = F.max_pool2d(self.stem(seen.contiguous(memory_format=torch.channels_last), 2).relu(), 3, 2, 1)
        told = []
        for stage in self.stages:
            signal = stage(signal)
            means = signal.float().mean(dim=(2, 3))
            told.append(F.normalize(means, dim=1) * means.shape[1] ** 0.5)  # numbers of about 1
        return torch.cat(told[-2:], dim=1)


def encoder_of(tensors: Mapping[str, Tensor], side: int) -> PictureEncoder:
    """The encoder whose tensors have these names, as its `state_dict` gives them."""

    def filters(name: str) -> Filters:
        return Filters(tensors[f"{name}.weight"], tensors[f"{name}.bias"])

    def several(name: str, end: str) -> list[str]:
        names: list[str] = []
        while f"{name}.{len(names)}.{end}" in tensors:
            names.append(f"{name}.{len(names)}")
        return names

    stages: list[list[Residual]] = []
    for stage in several("stages", "0.filters.0.weight"):
        blocks: list[Residual] = []
        for block in several(stage, "filters.0.weight"):
            found = [filters(each) for each in several(f"{block}.filters", "weight")]
            shortcut = filters(f"{block}.shortcut") if f"{block}.shortcut.weight" in tensors else None
            blocks.append(Residual(found, shortcut, 2 if stages and not blocks else 1))
        stages.append(blocks)
    return PictureEncoder(filters("stem"), stages, tensors["mean"], tensors["deviation"], side)


def picture_encoder(folder: str, side: int) -> PictureEncoder:
    """The ResNet in a folder."""
    stored = {
        name.removeprefix("resnet."): each for name, each in tensors_in(Path(folder, "model.safetensors")).items()
    }
    about = Path(folder, PIXELS_FILE)
    told = json.loads(about.read_text(encoding="utf-8")) if about.is_file() else {}
    tensors = {
        "mean": torch.tensor(told.get("image_mean", USUAL_MEAN)),
        "deviation": torch.tensor(told.get("image_std", USUAL_DEVIATION)),
    }
    for name in stored:
        if name.endswith(".convolution.weight"):
            where = name.removesuffix(".convolution.weight")
            ours = where.replace("embedder.embedder", "stem").removeprefix("encoder.")
            ours = ours.replace(".layers.", ".").replace(".layer.", ".filters.")
            weight, bias = without_norm(stored, where)
            tensors |= {f"{ours}.weight": weight, f"{ours}.bias": bias}
    return encoder_of(tensors, side)


def without_norm(stored: Mapping[str, Tensor], where: str) -> tuple[Tensor, Tensor]:
    """A convolution and the normalisation behind it, as one convolution: weight and bias."""
    weight, bias, mean, variance = (stored[f"{where}.normalization.{what}"] for what in NORM)
    scale = weight / (variance + NORM_SMALL).sqrt()
    return stored[f"{where}.convolution.weight"] * scale.view(-1, 1, 1, 1), bias - mean * scale


def backbone_sums(view: str, pictures: Tensor, encoder: PictureEncoder, members: int, outputs: int) -> Meaning:
    """The module for training pictures (rows, pictures, ...); its weights begin at 0."""
    return Meaning(view, encoder, encoder.width * pictures.shape[1], members, outputs)
