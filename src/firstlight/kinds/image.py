"""Pictures: cells that hold pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import cross_entropy

from firstlight.kinds.backbone import BACKBONE, TUNED, backbone_settings, tuned_settings
from firstlight.kinds.convolving import layers, seconds_an_epoch, work
from firstlight.kinds.hiding import PARTS_HIDDEN
from firstlight.kinds.image_columns import FOLDS, ImageSettings, VariedSettings, claim, size_within
from firstlight.kinds.kind import (
    Aim,
    Kind,
    KindPart,
    Learned,
    PartSettings,
    PartSnippets,
    Snippets,
    in_brackets,
)
from firstlight.kinds.precision import half_pays
from firstlight.kinds.pretrained import kind_read_by
from firstlight.plain.convolutions import (
    Eye,
    Pictures,
    fit_pictures,
    network_for_pictures,
    pictures_of,
    step_of,
)
from firstlight.plain.line import least_squares, logistic
from firstlight.plain.loop import learning
from firstlight.plain.patches import Patches, patches_of

LARGEST_SIDE = 128  # pixels that the network reads; more take longer than they tell
LINE_SIDE = 32  # pixels that the straight line reads
SMALL_SIDE = 40  # pixels up to which the first layer sees 3 at once, beyond 8
WIDTHS = (16, 32, 48, 64)  # in sixteens: others take no less time
MANY_ROWS = 20_000  # from which on more than 32 channels were seen to teach more
RATE, DECAY = 0.02, 0.05
MOVED, ZOOMED = 0.07, 0.3
FEWEST_EPOCHS, MOST_EPOCHS, MOST_MEMBERS = 2, 100, 8
MOST_EPOCHS_OF_NUMBERS = 30  # more only learn the rows by heart
MEMBER_EPOCHS = 4.0  # times the usual epochs, beyond which one more member teaches more
DEFAULT_SECONDS = 60.0
OWN_SHARE = 0.3  # of the time, for what learns from scratch beside a pretrained ResNet that is fitted further
# What a fit does besides: seconds in all, seconds a picture, and answering, in epochs. Seen on a two-core machine.
BESIDE, BESIDE_EACH, ANSWERING = 6.0, 0.0005, 1.5
LEAST_SHARE = 0.3  # of the time asked for, however long the rest takes
BATCHES_AN_EPOCH = 60  # at the least, where there are pictures enough
TRIED_ROWS = 1_500
MUCH_MORE = 1.2  # loss of a line that was shown mirror images too: clothes and flowers stay below, digits reach 1.5
ENOUGH = "did well on held-out pictures of several sets together"


class PicturesSettings(VariedSettings, frozen=True):
    """The sizes of the network over pictures, and how it is fitted.

    patch: pixels a side that the first layer sees at once. channels: of the first stage; stages: how often the size is
    halved.
    """

    patch: int = Field(ge=1, le=16)
    channels: int = Field(ge=4, le=1024)
    stages: int = Field(ge=1, le=8)


def encode(rows: pl.DataFrame, columns: Mapping[str, ImageSettings], learned: Learned) -> Tensor:
    """Small pictures for the straight line: (rows, pictures, height, width, channels) uint8."""
    return pictures_of(rows, list(columns), *size_within(columns, LINE_SIDE))


def mirrored_alike(pictures: Tensor, aim: Aim) -> bool:
    """Whether mirror images keep their target, as a quick look at training rows tells.

    A straight line is fitted to some rows, and again with their mirror images as well; both are judged on other rows.
    The second has more to explain with as many weights, so it may err a little more, and does where letters or digits
    lose their meaning much more.
    pictures: (rows, pictures, height, width, channels) uint8, small.
    """
    chance = torch.Generator().manual_seed(aim.seed)
    few = torch.randperm(len(pictures), generator=chance)[:TRIED_ROWS]
    targets = aim.targets[few]
    patches = patches_of(pictures[few])
    features = patches(pictures[few])
    mirrored = patches(pictures[few].flip(3))
    judged = torch.arange(len(few)) % 3 == 0
    if aim.classes and len(targets[~judged].unique()) < 2:
        return False
    plain = _loss(features[~judged], targets[~judged], features[judged], targets[judged], aim)
    shrunk = 2**-0.5  # so that the penalty on the weights stays what it is beside twice the rows
    taught, twice = torch.cat([features[~judged], mirrored[~judged]]) * shrunk, targets[~judged].repeat(2)
    return _loss(taught, twice, features[judged] * shrunk, targets[judged], aim) <= MUCH_MORE * plain


def _loss(design: Tensor, targets: Tensor, asked: Tensor, truth: Tensor, aim: Aim) -> float:
    """The loss on other rows of a line through some."""
    if not aim.classes:
        weight, bias = least_squares(design, targets)
        return float((asked @ weight.T + bias - truth.unsqueeze(1)).square().mean())
    weight, bias = logistic(design, targets, aim.outputs)
    return float(cross_entropy(asked @ weight.T + bias, truth))


def usual_epochs(rows: int, most: int) -> float:
    """How many epochs are worth more than a wider network: fewer, the more pictures there are."""
    return float(min(most, 6 * (20_000 / rows) ** 0.65))


def part_settings(rows: pl.DataFrame, columns: Mapping[str, ImageSettings], aim: Aim) -> Mapping[str, PartSettings]:
    """The sizes of the network, and what it takes from a pretrained ResNet where one is to be used."""
    mirror = mirrored_alike(encode(rows, columns, {}), aim)
    asked = aim.seconds or DEFAULT_SECONDS
    seconds = max(LEAST_SHARE * asked, asked - BESIDE - BESIDE_EACH * len(rows))
    if not aim.pretrained or kind_read_by(Path(aim.pretrained)) != IMAGE.name:
        return {PICTURES.name: pictures_settings(len(rows), columns, aim, seconds, mirror)}
    own = pictures_settings(len(rows), columns, aim, OWN_SHARE * seconds, mirror)
    parts: dict[str, PartSettings] = {
        PICTURES.name: own,
        BACKBONE.name: backbone_settings(aim.pretrained, own.height, own.width),
    }
    tuned = tuned_settings(
        aim.pretrained, own.height, own.width, len(rows) * len(columns), (1 - OWN_SHARE) * seconds,
        MOVED, own.zoomed, mirror,
    )  # fmt: skip
    return parts | {TUNED.name: tuned} if tuned else parts


def pictures_settings(
    rows: int, columns: Mapping[str, ImageSettings], aim: Aim, seconds: float, mirror: bool
) -> PicturesSettings:
    """The sizes of the network: as wide as the time allows with enough epochs, then more members, then more epochs."""
    height, width = size_within(columns, LARGEST_SIDE)
    small = max(height, width) <= SMALL_SIDE
    patch = min(3 if small else 8, height, width)
    stages = max(1, min(3, round(math.log2(max(2, min(height, width) / step_of(patch) / 3)))))
    channels = max(each.channels for each in columns.values())
    wanted = usual_epochs(rows, MOST_EPOCHS if aim.classes else MOST_EPOCHS_OF_NUMBERS)
    batch = 2 ** round(math.log2(max(16, min(256, rows / BATCHES_AN_EPOCH))))
    affordable = {}  # epochs of one member, by its width
    for first in WIDTHS if rows >= MANY_ROWS else WIDTHS[:2]:
        each = work(layers(height, width, channels, patch, first, stages))
        affordable[first] = seconds / seconds_an_epoch(rows * len(columns), each, rows / batch) - ANSWERING
    first = max((first for first in affordable if affordable[first] >= wanted), default=WIDTHS[0])
    enough = MEMBER_EPOCHS * wanted if aim.classes else wanted
    members = max(1, min(MOST_MEMBERS, aim.folds, math.ceil(affordable[first] / enough)))
    return PicturesSettings(
        epochs=max(FEWEST_EPOCHS, min(round(enough), int(affordable[first] / members))), height=height, width=width,
        members=members, patch=patch, channels=first, stages=stages, batch=batch, rate=RATE, decay=DECAY,
        moved=MOVED, zoomed=ZOOMED if aim.classes and not small else 0.0, mirror=mirror, half=half_pays(),
    )  # fmt: skip


def _misfit(columns: Mapping[str, ImageSettings], settings: PicturesSettings) -> str:
    if settings.patch > min(settings.height, settings.width):
        return f"a patch of {settings.patch} pixels does not fit into {settings.height} x {settings.width}"
    return ""


def _network(settings: PicturesSettings, tensors: Mapping[str, Tensor], outputs: int) -> Pictures:
    channels = tensors["eyes.0.filters"].shape[1]
    features = 2 * settings.channels * min(2 ** (settings.stages - 1), 4)
    pictures = tensors["outputs.0.weight"].shape[1] // features
    eyes = [Eye(channels, settings.patch, settings.channels, settings.stages) for _ in range(settings.members)]
    return Pictures("pictures", eyes, pictures, outputs, settings.mirror, settings.half)


PICTURES: KindPart[ImageSettings, PicturesSettings] = KindPart(
    name="pictures",
    block="pictures",
    told="pictures, by convolutions",
    folds=FOLDS,
    settings=PicturesSettings,
    reasons={
        "epochs": "as many as fit into the time, on this machine",
        "members": "one, and more where there is time left",
        "channels": "as many as the time allows with enough epochs, on this machine",
        "rate": ENOUGH,
        "zoomed": "not where pictures are small, nor where a number is learned, which may be a size or a count",
        "mirror": "told by a straight line with and without mirror images, on training rows held out",
        "half": "whichever convolutions are quicker on this machine",
    },
    encode=lambda rows, columns, settings: pictures_of(rows, list(columns), settings.height, settings.width),
    build=lambda pictures, settings, outputs: network_for_pictures(
        "pictures", pictures, settings.members, settings.patch, settings.channels, settings.stages, outputs,
        settings.mirror, settings.half,
    ),
    rebuild=lambda tensors, settings, outputs: _network(settings, tensors, outputs),
    learns=lambda folds, settings: learning(folds, settings.members),
    fit=lambda module, inputs, targets, learns, losses_of, settings: fit_pictures(
        module, inputs, targets, learns, losses_of, settings.epochs, settings.batch, settings.rate, settings.decay,
        settings.moved, settings.zoomed,
    ),
    settle=lambda module: None,
    snippets=PartSnippets(
        encode=lambda settings: f"pictures_of(rows, PICTURES, height={settings.height}, width={settings.width})",
        build=lambda settings, outputs: (
            f'network_for_pictures(\n    "pictures", inputs["pictures"], members={settings.members}, '
            f"patch={settings.patch}, width={settings.channels}, stages={settings.stages},\n    outputs={outputs}, "
            f"mirror={settings.mirror}, half={settings.half},\n)"
        ),
        learns=lambda settings: f"learning(folds, {settings.members})",
        fit=lambda settings: ("fit_pictures", settings.fit_told),
    ),
    misfit=_misfit,
)  # fmt: skip


def _constants(columns: Mapping[str, ImageSettings]) -> str:
    return in_brackets("PICTURES = [", [repr(name) for name in columns], "]", "columns of pictures")


def _small_in_script(columns: Mapping[str, ImageSettings]) -> str:
    height, width = size_within(columns, LINE_SIDE)
    return f"SMALL = ({height}, {width})  # height and width in which the straight line reads them"


IMAGE = Kind(
    name="image",
    block="small_pictures",
    settings=ImageSettings,
    modules=(None, Patches),
    claim=claim,
    learn=lambda rows, columns: {},
    encode=encode,
    network_features=None,
    line_features=lambda values, learned: patches_of(values),
    strays=lambda cells, settings: pl.repeat(False, len(cells), dtype=pl.Boolean, eager=True),
    snippets=Snippets(
        constants=lambda columns: f"{_constants(columns)}\n{_small_in_script(columns)}",
        learn="",
        encode="pictures_of(rows, PICTURES, *SMALL)",
        network_features=None,
        line_features='patches_of(inputs["small_pictures"])',
    ),
    parts=(PICTURES, BACKBONE, TUNED),
    part_settings=part_settings,
    occlusion=PARTS_HIDDEN,
    cell_type=lambda settings: pl.Array(pl.UInt8, (settings.height, settings.width, settings.channels)),
)
