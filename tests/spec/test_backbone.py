"""The pretrained encoder of pictures: a ResNet as the library transformers keeps it, and what folders are refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.testing import assert_close

from firstlight.kinds.pretrained import checked, kind_read_by
from firstlight.plain.backbone import PIXELS_FILE, encoder_of, picture_encoder
from firstlight.refusal import Refused

WIDTHS, DEPTHS = (8, 16, 24), (2, 1, 2)
SIDE = 48
# The first numbers of the two stages' vectors of `pictures()`, as transformers 5.24 gives them from these files: the
# mean of `hidden_states[-2]` and `[-1]` of its ResNetModel, each of length 1 times the root of its width.
PUBLISHED = {
    "basic": ([0.0759, 0.7206, 2.0028, 0.6177], [0.1674, 0.5384, 1.5258, 0.5376]),
    "bottleneck": ([0.2949, 0.8307, 0.9685, 0.7208], [0.0128, 0.1427, 3.2331, 0.0]),
}


def write_resnet(folder: Path, kind: str = "basic", config: Mapping[str, object] | None = None) -> Path:
    """A small ResNet whose weights are waves, not chance, so that every machine writes the same."""
    shapes: dict[str, tuple[int, ...]] = {}

    def add(where: str, outputs: int, inputs: int, side: int) -> None:
        shapes[f"resnet.{where}.convolution.weight"] = (outputs, inputs, side, side)
        for what in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"resnet.{where}.normalization.{what}"] = (outputs,)

    add("embedder.embedder", 8, 3, 7)
    before = 8
    for stage, (width, depth) in enumerate(zip(WIDTHS, DEPTHS, strict=True)):
        for block in range(depth):
            at = f"encoder.stages.{stage}.layers.{block}"
            if stage and not block:
                add(f"{at}.shortcut", width, before, 1)
            inner = width // 4
            layers = {
                "basic": [(width, before, 3), (width, width, 3)],
                "bottleneck": [(inner, before, 1), (inner, inner, 3), (width, inner, 1)],
            }[kind]
            for place, (outputs, inputs, side) in enumerate(layers):
                add(f"{at}.layer.{place}", outputs, inputs, side)
            before = width
    tensors = {name: wave(name, shape, number) for number, (name, shape) in enumerate(shapes.items())}
    tensors["classifier.1.weight"] = torch.ones(2, before)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    told = {
        "model_type": "resnet", "hidden_act": "relu", "num_channels": 3, "embedding_size": 8, "layer_type": kind,
        "hidden_sizes": list(WIDTHS), "depths": list(DEPTHS), "downsample_in_first_stage": False,
        "downsample_in_bottleneck": False, **(config or {}),
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(told), encoding="utf-8")
    return folder


def wave(name: str, shape: tuple[int, ...], number: int) -> Tensor:
    values = torch.sin(torch.arange(torch.tensor(shape).prod().item(), dtype=torch.float64) * 1.7 + number)
    values = values + 1.5 if name.endswith(("running_var", "normalization.weight")) else values * 0.5
    return values.float().view(shape)


def pictures() -> Tensor:
    """Two rows of a picture each, in colour."""
    return (torch.arange(2 * 32 * 40 * 3) % 251).to(torch.uint8).view(2, 1, 32, 40, 3)


def reference(tensors: Mapping[str, Tensor], mean: Tensor, deviation: Tensor) -> list[Tensor]:
    """The means of the channels after each stage, by PyTorch's own layers and batch normalisation."""

    def layer(where: str, signal: Tensor, stride: int) -> Tensor:
        weight = tensors[f"resnet.{where}.convolution.weight"]
        told = ("running_mean", "running_var", "weight", "bias")
        mean, variance, scale, bias = (tensors[f"resnet.{where}.normalization.{what}"] for what in told)
        convolved = torch.nn.functional.conv2d(signal, weight, stride=stride, padding=weight.shape[2] // 2)
        return torch.nn.functional.batch_norm(convolved, mean, variance, scale, bias, eps=1e-5)

    pixels = pictures()[:, 0].permute(0, 3, 1, 2).float() / 255
    pixels = torch.nn.functional.interpolate(pixels, (SIDE, SIDE), mode="bilinear", antialias=True)
    signal = layer("embedder.embedder", (pixels - mean.view(3, 1, 1)) / deviation.view(3, 1, 1), 2).relu()
    signal = torch.nn.functional.max_pool2d(signal, 3, 2, 1)
    means = []
    for stage, depth in enumerate(DEPTHS):
        for block in range(depth):
            at, stride = f"encoder.stages.{stage}.layers.{block}", 2 if stage and not block else 1
            shortcut = f"resnet.{at}.shortcut.convolution.weight" in tensors
            kept = layer(f"{at}.shortcut", signal, stride) if shortcut else signal
            three = f"resnet.{at}.layer.2.convolution.weight" in tensors
            for place in range(3 if three else 2):
                steps = stride if place == (1 if three else 0) else 1
                signal = layer(f"{at}.layer.{place}", signal.relu() if place else signal, steps)
            signal = (kept + signal).relu()
        means.append(signal.mean(dim=(2, 3)))
    return means


@pytest.mark.parametrize("kind", ["basic", "bottleneck"])
class TestEncoder:
    """Its vectors."""

    def test_the_vector_of_a_picture_is_that_of_pytorchs_own_layers(self, kind: str, tmp_path: Path) -> None:
        folder = write_resnet(tmp_path / "resnet", kind)
        mean, deviation = [0.5, 0.4, 0.3], [0.2, 0.3, 0.4]
        (folder / PIXELS_FILE).write_text(json.dumps({"image_mean": mean, "image_std": deviation}), encoding="utf-8")
        means = reference(load_file(folder / "model.safetensors"), torch.tensor(mean), torch.tensor(deviation))
        expected = [torch.nn.functional.normalize(each, dim=1) * each.shape[1] ** 0.5 for each in means[-2:]]
        assert_close(picture_encoder(str(folder), SIDE)(pictures()), torch.cat(expected, dim=1), rtol=1e-4, atol=1e-5)

    def test_it_gives_what_transformers_gives(self, kind: str, tmp_path: Path) -> None:
        vectors = picture_encoder(str(write_resnet(tmp_path / "resnet", kind)), SIDE)(pictures())[0]
        found = [vectors[:4].tolist(), vectors[WIDTHS[1] : WIDTHS[1] + 4].tolist()]
        assert found == [pytest.approx(each, abs=2e-4) for each in PUBLISHED[kind]]

    def test_it_is_made_anew_from_its_tensors_and_has_no_parameters(self, kind: str, tmp_path: Path) -> None:
        encoder = picture_encoder(str(write_resnet(tmp_path / "resnet", kind)), SIDE)
        again = encoder_of(encoder.state_dict(), SIDE)
        assert torch.equal(again(pictures()), encoder(pictures()))
        assert again.width == WIDTHS[-1] + WIDTHS[-2]
        assert list(encoder.parameters()) == []

    def test_several_pictures_of_a_row_and_grey_ones(self, kind: str, tmp_path: Path) -> None:
        encoder = picture_encoder(str(write_resnet(tmp_path / "resnet", kind)), SIDE)
        both = torch.cat([pictures(), pictures().flip(2)], dim=1)
        assert_close(encoder(both), torch.cat([encoder(both[:, :1]), encoder(both[:, 1:])], dim=1))
        grey = pictures()[..., :1]
        assert_close(encoder(grey), encoder(grey.expand(-1, -1, -1, -1, 3)))
        assert encoder(pictures()[:0]).shape[0] == 0


class TestFolders:
    """What is looked at before any of it is read."""

    def test_a_sound_folder_reads_pictures(self, tmp_path: Path) -> None:
        folder = write_resnet(tmp_path / "resnet")
        assert (checked(folder), kind_read_by(folder)) == (folder, "image")

    @pytest.mark.parametrize(
        ("config", "said"),
        [
            ({"hidden_act": "gelu"}, "hidden_act 'gelu', and only 'relu' is known"),
            ({"downsample_in_bottleneck": True}, "downsample_in_bottleneck True"),
            ({"num_channels": 1}, "num_channels 1"),
            ({"layer_type": "wide"}, "layer_type 'wide'"),
            ({"depths": [2, 0, 2]}, "depths [2, 0, 2]"),
            ({"depths": [2, 1]}, "different lengths"),
            ({"hidden_sizes": "many"}, "hidden_sizes 'many'"),
            ({"embedding_size": None}, "embedding_size None"),
            ({"hidden_sizes": [8, 16, 32]}, "promises [32, 16, 1, 1]"),
            ({"depths": [2, 1, 3]}, "has no tensor encoder.stages.2.layers.2.layer.0.convolution.weight"),
        ],
    )
    def test_a_config_that_is_no_such_resnet_is_refused(
        self, config: dict[str, object], said: str, tmp_path: Path
    ) -> None:
        with pytest.raises(Refused) as refused:
            checked(write_resnet(tmp_path / "resnet", config=config))
        assert said in str(refused.value)

    def test_weights_that_are_cut_off_or_missing_are_refused(self, tmp_path: Path) -> None:
        folder = write_resnet(tmp_path / "resnet")
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-40])
        with pytest.raises(Refused, match="cut off or damaged"):
            checked(folder)
        weights.unlink()
        with pytest.raises(Refused, match=r"holds no model\.safetensors"):
            checked(folder)

    @pytest.mark.parametrize(
        "text", ["[", '{"image_std": [0, 1, 1]}', '{"image_mean": [1, 2]}', '{"image_mean": "abc"}']
    )
    def test_pixels_that_are_told_wrongly_are_refused(self, text: str, tmp_path: Path) -> None:
        folder = write_resnet(tmp_path / "resnet")
        (folder / PIXELS_FILE).write_text(text, encoding="utf-8")
        with pytest.raises(Refused, match=PIXELS_FILE):
            checked(folder)
