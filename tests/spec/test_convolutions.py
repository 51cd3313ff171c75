"""The network over pictures, the straight line's patches, and what is decided about both."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from firstlight.kinds.convolving import layers, work
from firstlight.kinds.image import IMAGE, mirrored_alike, usual_epochs
from firstlight.kinds.image_columns import FOLDS, ImageSettings
from firstlight.kinds.kind import Aim
from firstlight.plain.convolutions import (
    Pictures,
    fit_pictures,
    network_for_pictures,
    pictures_of,
    resized,
    varied_pictures,
)
from firstlight.plain.loop import learning
from firstlight.plain.patches import Patches, patches_of, regions_of, whitening
from firstlight.plain.targets import member_log_losses

SIDE = 16


def noise(rows: int = 40, pictures: int = 1, channels: int = 3) -> Tensor:
    chance = torch.Generator().manual_seed(0)
    return torch.randint(0, 255, (rows, pictures, SIDE, SIDE, channels), generator=chance, dtype=torch.uint8)


def bars(rows: int = 60) -> tuple[Tensor, Tensor]:
    """Pictures with a bright bar, upright or lying: the class."""
    pictures, targets = noise(rows, channels=1) // 4, torch.arange(rows) % 2
    for row in range(rows):
        place = 2 + row * 7 % 12
        if targets[row]:
            pictures[row, 0, place : place + 2] = 250
        else:
            pictures[row, 0, :, place : place + 2] = 250
    return pictures, targets


def network(pictures: Tensor, members: int = 2, *, mirror: bool = True, half: bool = False) -> Pictures:
    torch.manual_seed(0)
    return network_for_pictures("pictures", pictures, members, 3, 8, 2, 2, mirror, half)


def fitted(pictures: Tensor, targets: Tensor, learns: Tensor, epochs: int = 3) -> Pictures:
    model = network(pictures, len(learns))
    torch.manual_seed(1)
    list(
        fit_pictures(
            model, {"pictures": pictures}, targets, learns, member_log_losses, epochs, 16, 0.01, 0.01, 0.07, 0.0
        )
    )
    return model.eval()


class TestNetwork:
    """Steps 2 and 3."""

    def test_it_learns_what_a_picture_shows(self) -> None:
        pictures, targets = bars()
        model = fitted(pictures, targets, learning(torch.arange(60) % 4, 1), epochs=12)
        unseen = torch.arange(60) % 4 == 0
        with torch.inference_mode():
            answers = model({"pictures": pictures[unseen]})[0].argmax(dim=1)
        assert (answers == targets[unseen]).float().mean() > 0.9

    def test_the_same_bits_twice(self) -> None:
        pictures, targets = bars(32)
        learns = learning(torch.arange(32) % 4, 2)
        first, second = (fitted(pictures, targets, learns, 2).state_dict() for _ in range(2))
        assert all(torch.equal(first[name], second[name]) for name in first)

    def test_a_member_does_not_learn_from_the_rows_that_it_holds_out(self) -> None:
        pictures, targets = bars(32)
        learns = learning(torch.arange(32) % 4, 2)
        other = torch.where(learns[0] == 0, 1 - targets, targets)
        before, after = (fitted(pictures, truth, learns, 2) for truth in (targets, other))
        one, other_one = (torch.nn.utils.parameters_to_vector(each.outputs[0].parameters()) for each in (before, after))
        assert torch.equal(one, other_one)
        assert not torch.equal(before.outputs[1].weight, after.outputs[1].weight)  # type: ignore[arg-type]

    def test_several_pictures_of_a_row_are_told_apart(self) -> None:
        pictures = noise(6, pictures=2)
        model = network(pictures).eval()
        answers = model({"pictures": pictures})
        assert answers.shape == (2, 6, 2)
        assert not torch.allclose(answers, model({"pictures": pictures.flip(1)}))

    def test_a_mirror_image_gets_the_same_answer_where_it_is_the_same(self) -> None:
        pictures = noise(6)
        for mirror in (True, False):
            model = network(pictures, mirror=mirror).eval()
            same = torch.allclose(model({"pictures": pictures}), model({"pictures": pictures.flip(3)}), atol=1e-5)
            assert same is mirror

    def test_half_precision_changes_the_answers_a_little_only(self) -> None:
        pictures = noise(6)
        whole, half = (network(pictures, half=half).eval()({"pictures": pictures}) for half in (False, True))
        assert not torch.equal(whole, half)
        assert_close(half, whole, atol=0.05, rtol=0.05)

    def test_varied_pictures_are_moved_windows_of_the_same(self) -> None:
        pictures = noise(5)
        same = varied_pictures(pictures, SIDE, SIDE, 0.0, 0.0, mirror=False)
        assert_close(same, pictures.permute(0, 1, 4, 2, 3).float() / 255)
        torch.manual_seed(0)
        moved = varied_pictures(pictures, SIDE, SIDE, 0.13, 0.0, mirror=False)
        assert moved.shape == same.shape
        inner = moved[:, :, :, 4:-4, 4:-4]
        places = [
            same[:, :, :, 4 + down : SIDE - 4 + down, 4 + along : SIDE - 4 + along]
            for down in range(-2, 3) for along in range(-2, 3)
        ]  # fmt: skip
        for row in range(5):
            assert any(torch.equal(inner[row], place[row]) for place in places)

    def test_resizing_takes_means(self) -> None:
        pixels = noise(3)[:, 0]
        means = pixels.view(3, 4, 4, 4, 4, 3).double().mean(dim=(2, 4))
        assert (resized(pixels, 4, 4).double() - means).abs().max() <= 0.5

    def test_a_gap_is_black_and_grey_beside_colour_is_coloured(self) -> None:
        grey = pl.Series("grey", noise(3, channels=1)[:, 0].numpy())
        coloured = pl.Series("coloured", noise(3)[:, 0].numpy())
        rows = pl.DataFrame([grey, coloured]).with_columns(
            pl.when(pl.int_range(3) != 1).then(pl.col("coloured")).alias("coloured")
        )
        pictures = pictures_of(rows, ["grey", "coloured"], SIDE, SIDE)
        assert pictures.shape == (3, 2, SIDE, SIDE, 3)
        assert not pictures[1, 1].any()
        assert torch.equal(pictures[0, 0, :, :, 0], pictures[0, 0, :, :, 2])


class TestPatches:
    """The straight line's features."""

    def test_whitened_patches_are_not_correlated_and_of_deviation_1(self) -> None:
        smooth = noise(200, channels=1).float().flatten(0, 1).permute(0, 3, 1, 2)
        smooth = torch.nn.functional.avg_pool2d(smooth, 3, 1, 1).permute(0, 2, 3, 1).unsqueeze(1).round().byte()
        filters, bias = whitening(smooth, 3, 4)
        sums = torch.nn.functional.conv2d(smooth[:, 0].permute(0, 3, 1, 2).float() / 255, filters, bias)
        found = torch.cov(sums.permute(1, 0, 2, 3).flatten(1))
        assert_close(found, torch.eye(4), atol=0.15, rtol=0)
        assert sums.mean(dim=(0, 2, 3)).abs().max() < 0.1

    def test_features_of_training_rows_have_mean_0_and_deviation_1_and_are_the_same_when_loaded(self) -> None:
        pictures = noise(30, pictures=2)
        patches = patches_of(pictures)
        features = patches(pictures)
        assert features.shape == (30, patches.width)
        assert features.dtype == torch.float64
        assert_close(features.mean(dim=0), torch.zeros(patches.width).double())
        again = Patches(**dict(patches.state_dict()))
        assert torch.equal(again(pictures), features)

    def test_a_picture_smaller_than_a_patch_has_features(self) -> None:
        tiny = noise(8)[:, :, :2, :3]
        assert patches_of(tiny)(tiny).isfinite().all()

    def test_no_row_is_influenced_by_another(self) -> None:
        pictures = noise(30)
        filters, bias = whitening(pictures, 5, 4)
        assert torch.equal(regions_of(pictures, filters, bias)[7:8], regions_of(pictures[7:8], filters, bias))


class TestDecisions:
    """What is decided before the fit."""

    def aim(self, targets: Tensor) -> Aim:
        return Aim(targets, 2, folds=4, seconds=1.0, seed=0)

    def test_mirror_images_of_arrows_are_not_the_same(self) -> None:
        pictures, targets = noise(200, channels=1) // 8, torch.arange(200) % 2
        for row in range(200):
            side = slice(2, 6) if targets[row] else slice(10, 14)
            pictures[row, 0, 4:12, side] = 220
        assert not mirrored_alike(pictures, self.aim(targets))

    def test_mirror_images_of_things_that_stand_anywhere_are(self) -> None:
        chance = np.random.default_rng(0)
        pictures, targets = noise(200, channels=1) // 8, torch.arange(200) % 2
        for row in range(200):
            top, left = chance.integers(0, 9, 2)
            height, width = (3, 7) if targets[row] else (7, 3)
            pictures[row, 0, top : top + height, left : left + width] = 220
        assert mirrored_alike(pictures, self.aim(targets))

    def test_products_are_those_of_the_convolutions(self) -> None:
        counted = 0

        def count(module: torch.nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
            nonlocal counted
            weight = module.weight
            assert isinstance(weight, Tensor)
            counted += weight[0].numel() * made[0].numel()

        model = network(noise(1), members=1, mirror=False)
        for module in model.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.register_forward_hook(count)
        model.eval()({"pictures": noise(1)})
        first = SIDE * SIDE * 24 * 27
        assert sum(layer.numbers * layer.products for layer in layers(SIDE, SIDE, 3, 3, 8, 2)) == counted + first

    @pytest.mark.parametrize("rows", [10, 200, 5_000])
    def test_more_time_is_used_and_few_pictures_are_seen_often(
        self, rows: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from firstlight.kinds import convolving, image

        monkeypatch.setattr(convolving, "products_a_second", lambda: 1e9)
        monkeypatch.setattr(image, "mirrored_alike", lambda pictures, aim: False)
        frame = pl.DataFrame({"p": np.zeros((rows, 28, 28, 1), np.uint8)})
        columns = {"p": ImageSettings(height=28, width=28, channels=1)}
        efforts = []
        for seconds in (1.0, 20.0, 400.0):
            aim = Aim(torch.arange(rows) % 2, 2, folds=FOLDS, seconds=seconds, seed=0)
            chosen = image.part_settings(frame, columns, aim)["pictures"]
            assert isinstance(chosen, image.PicturesSettings)
            cost = work(layers(28, 28, 1, chosen.patch, chosen.channels, chosen.stages))
            efforts.append(chosen.epochs * chosen.members * cost)
            assert chosen.epochs <= 4 * usual_epochs(rows, 100) + 1
        assert efforts == sorted(efforts)
        assert usual_epochs(100, 1000) > usual_epochs(10_000, 1000)
        assert usual_epochs(100, 30) == 30

    def test_a_picture_is_claimed_by_its_type_alone(self) -> None:
        claim = IMAGE.claim(pl.Series(np.zeros((2, 5, 7, 3), np.uint8)))
        assert claim is not None
        assert claim.reason == "5 x 7 pixels, in colour"
        assert IMAGE.claim(pl.Series(["a.png"])) is None
