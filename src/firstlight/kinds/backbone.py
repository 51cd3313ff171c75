"""The parts of a network over pictures that use a pretrained ResNet: as it is, and fitted further."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import Field
from torch import Tensor

from firstlight.kinds.convolving import Layer, seconds_an_epoch, work
from firstlight.kinds.image_columns import FOLDS, ImageSettings, VariedSettings
from firstlight.kinds.kind import KindPart, PartSettings, PartSnippets
from firstlight.kinds.precision import half_pays
from firstlight.kinds.pretrained import DECAYS, FALL, FIRST_DECAY, check_resnet, filters_of_resnet
from firstlight.plain.backbone import backbone_sums, encoder_of, picture_encoder
from firstlight.plain.convolutions import Pictures, pictures_of
from firstlight.plain.loop import learning
from firstlight.plain.meaning import Meaning, fit_meaning
from firstlight.plain.pieces import learning_and_all
from firstlight.plain.tuning import fit_tuned, network_over_encoders, tuned_network

SIDE = 160  # pixels: less than ResNets were fitted with, at half the time and nearly as good
SUMS = 9  # members on what a ResNet gives that stays as it is; the last learns from all rows
BATCH, RATE, DECAY = 16, 3e-4, 0.05
MOST_MEMBERS, ENOUGH_EPOCHS, MOST_EPOCHS = 3, 6, 20
ANSWERING = 3.0  # what else is read, in epochs: by the ResNet as it is, for the line, and held-out rows
FEWEST_EPOCHS = 2  # below, a ResNet is not fitted further


class BackboneSettings(PartSettings, frozen=True):
    """Where a pretrained ResNet lies, and how weights on what it gives are fitted.

    height, width: of the pictures that are read, in pixels; side: to which they are enlarged before it looks at them.
    decay: how small the weights are held in the first epoch; in each epoch `fall` times less than in the one before,
    and the best is kept.
    """

    folder: str
    height: int = Field(ge=1, le=1024)
    width: int = Field(ge=1, le=1024)
    side: int = Field(ge=32, le=1024)
    decay: float = Field(gt=0)
    fall: float = Field(ge=1)


class TunedSettings(VariedSettings, frozen=True):
    """Where a pretrained ResNet lies, and how it is fitted further; the first epoch fits a line through what it gives.

    side: to which pictures are enlarged before it looks at them, in pixels.
    """

    epochs: int = Field(ge=2)
    folder: str
    side: int = Field(ge=32, le=1024)


def backbone_settings(folder: str, height: int, width: int) -> BackboneSettings:
    """How weights are fitted on what a ResNet gives that stays as it is."""
    return BackboneSettings(
        epochs=DECAYS, folder=folder, height=height, width=width, side=SIDE, decay=FIRST_DECAY, fall=FALL
    )


def tuned_settings(
    folder: str, height: int, width: int, pictures: int, seconds: float, moved: float, zoomed: float, mirror: bool
) -> TunedSettings | None:
    """How a ResNet is fitted further to so many pictures in so many seconds; None where they are too few seconds."""
    epochs = seconds / seconds_an_epoch(pictures, work(_layers(Path(folder))), pictures / BATCH) - ANSWERING
    members = max(1, min(MOST_MEMBERS, int(epochs / ENOUGH_EPOCHS)))
    further = min(MOST_EPOCHS, int(epochs / members))
    if further < FEWEST_EPOCHS:
        return None
    return TunedSettings(
        epochs=1 + further, folder=folder, height=height, width=width, side=SIDE, members=members, batch=BATCH,
        rate=RATE, decay=DECAY, moved=moved, zoomed=zoomed, mirror=mirror, half=half_pays(),
    )  # fmt: skip


def _layers(folder: Path) -> Iterator[Layer]:
    """What the convolutions of a ResNet do to one picture."""
    for halved, (outputs, inputs, side) in filters_of_resnet(folder):
        yield Layer(outputs * math.ceil(SIDE / 2**halved) ** 2, inputs * side**2, 2)


def _build_backbone(pictures: Tensor, settings: BackboneSettings, outputs: int) -> Meaning:
    """The part with the ResNet that lies in its folder; refused where it is none that can be used."""
    check_resnet(Path(settings.folder))
    return backbone_sums("seen", pictures, picture_encoder(settings.folder, settings.side), SUMS, outputs)


def _rebuild_backbone(tensors: Mapping[str, Tensor], settings: BackboneSettings, outputs: int) -> Meaning:
    own = {name.removeprefix("encoder."): each for name, each in tensors.items() if name.startswith("encoder.")}
    return Meaning("seen", encoder_of(own, settings.side), len(tensors["weight"]), 1, outputs)


BACKBONE: KindPart[ImageSettings, BackboneSettings] = KindPart(
    name="backbone",
    block="seen",
    told="what pictures show, by a pretrained encoder",
    folds=FOLDS,
    settings=BackboneSettings,
    reasons={
        "folder": "asked for: a pretrained encoder, which stays as it is",
        "decay": "the first of some that are tried: held-out rows choose",
    },
    encode=lambda rows, columns, settings: pictures_of(rows, list(columns), settings.height, settings.width),
    build=_build_backbone,
    rebuild=_rebuild_backbone,
    learns=lambda folds, settings: learning_and_all(folds, SUMS),
    fit=lambda module, inputs, targets, learns, losses_of, settings: fit_meaning(
        module, inputs, targets, learns, losses_of, settings.epochs, settings.decay, settings.fall
    ),
    settle=Meaning.keep_last,
    snippets=PartSnippets(
        encode=lambda settings: f"pictures_of(rows, PICTURES, height={settings.height}, width={settings.width})",
        build=lambda settings, outputs: (
            f"backbone_sums(\n"
            f'    "seen", inputs["seen"], picture_encoder({settings.folder!r}, side={settings.side}),\n'
            f"    members={SUMS}, outputs={outputs},\n"
            ")"
        ),
        learns=lambda settings: f"learning_and_all(folds, {SUMS})",
        fit=lambda settings: (
            "fit_meaning",
            f"epochs={settings.epochs}, decay={settings.decay!r}, fall={settings.fall!r}",
        ),
        settle="keep_last()",
    ),
)


def _build_tuned(pictures: Tensor, settings: TunedSettings, outputs: int) -> Pictures:
    """The part whose members begin as the ResNet in its folder; refused where it is none that can be used."""
    check_resnet(Path(settings.folder))
    return tuned_network(
        "pictures", pictures, settings.folder, settings.side, settings.members, outputs, settings.mirror, settings.half
    )


def _rebuild_tuned(tensors: Mapping[str, Tensor], settings: TunedSettings, outputs: int) -> Pictures:
    encoders = []
    for member in range(settings.members):
        prefix = f"eyes.{member}.encoder."
        own = {name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)}
        encoders.append(encoder_of(own, settings.side))
    pictures = tensors["outputs.0.weight"].shape[1] // encoders[0].width
    return network_over_encoders("pictures", encoders, pictures, outputs, settings.mirror, settings.half)


TUNED: KindPart[ImageSettings, TunedSettings] = KindPart(
    name="tuned",
    block="pictures",
    told="pictures, by a pretrained encoder that is fitted further",
    folds=FOLDS,
    settings=TunedSettings,
    reasons={
        "epochs": "a line first, then as many as fit into the time, on this machine",
        "members": "one, and more where there is time left",
        "rate": "small, so that little of what was learned elsewhere is lost",
        "half": "whichever convolutions are quicker on this machine",
    },
    encode=lambda rows, columns, settings: pictures_of(rows, list(columns), settings.height, settings.width),
    build=_build_tuned,
    rebuild=_rebuild_tuned,
    learns=lambda folds, settings: learning(folds, settings.members),
    fit=lambda module, inputs, targets, learns, losses_of, settings: fit_tuned(
        module, inputs, targets, learns, losses_of, settings.epochs, settings.batch, settings.rate, settings.decay,
        settings.moved, settings.zoomed,
    ),
    settle=lambda module: None,
    snippets=PartSnippets(
        encode=lambda settings: f"pictures_of(rows, PICTURES, height={settings.height}, width={settings.width})",
        build=lambda settings, outputs: (
            f'tuned_network(\n    "pictures", inputs["pictures"], {settings.folder!r}, side={settings.side},\n'
            f"    members={settings.members}, outputs={outputs}, mirror={settings.mirror}, half={settings.half},\n)"
        ),
        learns=lambda settings: f"learning(folds, {settings.members})",
        fit=lambda settings: ("fit_tuned", settings.fit_told),
    ),
)  # fmt: skip
