"""A pretrained ResNet that is fitted further: it begins with a line, keeps held-out rows apart, and becomes better."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.linear_model import LogisticRegression, Ridge
from tests.spec.test_backbone import write_resnet
from torch import Tensor
from torch.testing import assert_close

from firstlight.kinds.backbone import tuned_settings
from firstlight.plain.backbone import picture_encoder
from firstlight.plain.convolutions import Pictures
from firstlight.plain.targets import member_log_losses, member_squared_errors
from firstlight.plain.tuning import fit_tuned, tuned_network

SIDE = 32


def bars(rows: int) -> tuple[Tensor, Tensor]:
    """Noise in which a bright bar stands upright or lies: the class."""
    torch.manual_seed(3)
    pictures = torch.randint(0, 100, (rows, 1, SIDE, SIDE, 3), dtype=torch.uint8)
    classes = torch.arange(rows) % 2
    for row, place in enumerate(torch.randint(4, SIDE - 4, (rows,)).tolist()):
        if classes[row]:
            pictures[row, 0, place : place + 3] += 120
        else:
            pictures[row, 0, :, place : place + 3] += 120
    return pictures, classes


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A ResNet whose convolutions are as they are before any fit."""
    resnet = write_resnet(tmp_path / "resnet")
    chance = torch.Generator().manual_seed(5)
    tensors = load_file(resnet / "model.safetensors")
    for name, each in tensors.items():
        if name.endswith("convolution.weight"):
            tensors[name] = torch.randn(each.shape, generator=chance) * (2 / each[0].numel()) ** 0.5
        elif "normalization" in name:
            tensors[name] = torch.full_like(each, float(name.endswith(("weight", "running_var"))))
    save_file(tensors, resnet / "model.safetensors")
    return str(resnet)


def network(pictures: Tensor, folder: str, members: int, outputs: int) -> Pictures:
    torch.manual_seed(0)
    return tuned_network(
        "pictures", pictures, folder, side=SIDE, members=members, outputs=outputs, mirror=False, half=False
    )


def learning(rows: int) -> Tensor:
    """Two members, of which each holds a quarter of the rows out."""
    quarter = torch.arange(rows) // 2 % 4
    return torch.stack([quarter != 0, quarter != 1]).float()


class TestLineFirst:
    """What the first epoch does."""

    def test_classes_are_told_by_logistic_regression_on_what_the_encoder_gives(self, folder: str) -> None:
        pictures, classes = bars(40)
        model, learns = network(pictures, folder, 2, 2), learning(40)
        epochs = fit_tuned(model, {"pictures": pictures}, classes, learns, member_log_losses, 2, 8, 1e-4, 0.0, 0.0, 0.0)
        assert next(epochs)[0] == 1
        answers = model.eval()({"pictures": pictures}).softmax(dim=2)[..., 1]
        seen = picture_encoder(folder, SIDE)(pictures).double()
        for member in range(2):
            own = learns[member] > 0
            line = LogisticRegression(C=2.0, tol=1e-8, max_iter=10_000).fit(seen[own], classes[own])
            expected = torch.from_numpy(line.predict_proba(seen)[:, 1]).float()
            assert_close(answers[member].detach(), expected, atol=2e-3, rtol=0)

    def test_numbers_are_told_by_ridge_regression(self, folder: str) -> None:
        pictures, classes = bars(40)
        model, learns = network(pictures, folder, 2, 1), learning(40)
        numbers = classes.float() - 0.5
        epochs = fit_tuned(
            model, {"pictures": pictures}, numbers, learns, member_squared_errors, 2, 8, 1e-4, 0.0, 0.0, 0.0
        )
        next(epochs)
        answers = model.eval()({"pictures": pictures})[..., 0].detach()
        seen = picture_encoder(folder, SIDE)(pictures).double()
        for member in range(2):
            own = learns[member] > 0
            expected = torch.from_numpy(Ridge(alpha=1.0).fit(seen[own], numbers[own]).predict(seen)).float()
            assert_close(answers[member], expected, atol=1e-3, rtol=0)


class TestFurther:
    """What the epochs after it do."""

    def test_the_encoder_is_fitted_too_and_tells_held_out_rows_better_than_the_line(self, folder: str) -> None:
        pictures, classes = bars(200)
        model = network(pictures, folder, 2, 2)
        before = {name: value.clone() for name, value in model.eyes[0].state_dict().items()}
        torch.manual_seed(1)
        told = list(
            fit_tuned(
                model, {"pictures": pictures}, classes, learning(200), member_log_losses, 9, 16, 2e-3, 0.05, 0.0, 0.0
            )
        )
        assert [epoch for epoch, _, _ in told] == list(range(1, 10))
        assert told[-1][2] < 0.7 * told[0][2]
        changed = {name for name, value in model.eyes[0].state_dict().items() if not torch.equal(value, before[name])}
        assert changed == {name for name in before if name.endswith(("weight", "bias"))}

    def test_a_member_learns_nothing_from_rows_that_it_holds_out(self, folder: str) -> None:
        pictures, classes = bars(40)
        learns = learning(40)[:1]
        twisted = torch.where(learns[0] > 0, classes, 1 - classes)
        answers = []
        for targets in (classes, twisted):
            model = network(pictures, folder, 1, 2)
            torch.manual_seed(1)
            list(
                fit_tuned(model, {"pictures": pictures}, targets, learns, member_log_losses, 3, 8, 1e-3, 0.0, 0.0, 0.0)
            )
            answers.append(model.eval()({"pictures": pictures}))
        assert torch.equal(*answers)


class TestSizes:
    """What the time allows."""

    def test_with_time_there_are_members_and_epochs_enough_without_none(self, folder: str) -> None:
        def settings(seconds: float) -> tuple[int, int] | None:
            found = tuned_settings(folder, SIDE, SIDE, 1_000, seconds, moved=0.07, zoomed=0.3, mirror=False)
            return (found.members, found.epochs) if found else None

        assert settings(0.0) is None
        assert settings(1e6) == (3, 21)
