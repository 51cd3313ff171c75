"""Pictures: cells that hold pixels."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import polars as pl
import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import cross_entropy

from firstlight.data.pixel_cells import is_picture, pixel_shape
from firstlight.kinds.hiding import PARTS_HIDDEN
from firstlight.kinds.kind import (
    Aim,
    Claim,
    Kind,
    Learned,
    NetworkPart,
    PartSettings,
    PartSnippets,
    Settings,
    Snippets,
    in_brackets,
)
from firstlight.kinds.precision import half_pays
from firstlight.kinds.pretrained import DECAYS, FALL, FIRST_DECAY, check_resnet, kind_read_by
from firstlight.machine import measured_once
from firstlight.plain.backbone import backbone_sums, encoder_of, picture_encoder
from firstlight.plain.convolutions import (
    PATTERNS_SEEN,
    Pictures,
    fit_pictures,
    network_for_pictures,
    pictures_of,
    step_of,
)
from firstlight.plain.line import least_squares, logistic
from firstlight.plain.loop import learning
from firstlight.plain.meaning import Meaning, fit_meaning
from firstlight.plain.patches import Patches, patches_of
from firstlight.plain.pieces import learning_and_all
from firstlight.plain.targets import member_log_losses

FOLDS = 12
LARGEST_SIDE = 128  # pixels that the network reads; more take longer than they tell
LINE_SIDE = 32  # pixels that the straight line reads
SMALL_SIDE = 40  # pixels up to which the first layer sees 3 at once, beyond 8
WIDTHS = (16, 32, 48, 64)  # in sixteens: others take no less time
MANY_ROWS = 20_000  # from which on more than 32 channels were seen to teach more
RATE, DECAY = 0.02, 0.05
MOVED, ZOOMED = 0.07, 0.3
FEWEST_EPOCHS, MOST_EPOCHS, MOST_MEMBERS = 2, 100, 8
MOST_EPOCHS_OF_NUMBERS = 30  # more only learn the rows by heart
MEMBER_EPOCHS = 4.0  # times the usual epochs, from where on one more member teaches more
DEFAULT_SECONDS = 60.0
BACKBONE_SIDE = 160  # pixels: less than ResNets were fitted with, at half the time and nearly as good
BACKBONE_MEMBERS = 9  # on what it gives; the last learns from all rows
# What a fit does besides: seconds in all, seconds a picture, and answering, in epochs. Seen on a two-core machine.
BESIDE, BESIDE_EACH, ANSWERING = 6.0, 0.0005, 1.5
READ = 200  # products that take as long as reading a number that was written, to pool it say; seen likewise
STEP_OVERHEAD = 0.005  # seconds a step that do not depend on sizes; seen likewise
LEAST_SHARE = 0.3  # of the time asked for, however long the rest takes
BATCHES_AN_EPOCH = 60  # at the least, where there are pictures enough
TRIED_ROWS = 1_500
MUCH_MORE = 1.2  # loss of a line that was shown mirror images too: clothes and flowers stay below, digits reach 1.5
ENOUGH = "did well on held-out pictures of several sets together"


class ImageSettings(Settings, frozen=True):
    """The size of a column's pictures in pixels, and whether they are grey (1 channel) or in colour (3)."""

    height: int = Field(ge=1, le=8192)
    width: int = Field(ge=1, le=8192)
    channels: int = Field(ge=1, le=3)


class PicturesSettings(PartSettings, frozen=True):
    """The sizes of the network over pictures, and how it is fitted.

    height, width: of the pictures that are read, in pixels. patch: pixels a side that the first layer sees at once.
    channels: of the first stage; stages: how often the size is halved. moved, zoomed: how far pictures are moved, and
    how near they are taken, by chance. mirror: a picture and its mirror image are the same. half: convolutions are done
    in bfloat16.
    """

    height: int = Field(ge=1, le=1024)
    width: int = Field(ge=1, le=1024)
    members: int = Field(ge=1, le=16)
    patch: int = Field(ge=1, le=16)
    channels: int = Field(ge=4, le=1024)
    stages: int = Field(ge=1, le=8)
    batch: int = Field(ge=2)
    rate: float = Field(gt=0)
    decay: float = Field(ge=0)
    moved: float = Field(ge=0, le=0.5)
    zoomed: float = Field(ge=0, le=0.9)
    mirror: bool
    half: bool


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


def claim(cells: pl.Series) -> Claim[ImageSettings] | None:
    """A picture where the cells hold pixels."""
    if not is_picture(cells.dtype):
        return None
    height, width, channels = pixel_shape(cells.dtype) or (0, 0, 0)
    told = f"{height} x {width} pixels, {'grey' if channels == 1 else 'in colour'}"
    return Claim(1.0, told, ImageSettings(height=height, width=width, channels=channels))


def _within(columns: Mapping[str, ImageSettings], side: int) -> tuple[int, int]:
    """Height and width in which all pictures are read: of the largest, made so small that no side is longer."""
    height, width = max((each.height, each.width) for each in columns.values())
    share = min(1.0, side / max(height, width))
    return max(1, round(height * share)), max(1, round(width * share))


def encode(rows: pl.DataFrame, columns: Mapping[str, ImageSettings], learned: Learned) -> Tensor:
    """Small pictures for the straight line: (rows, pictures, height, width, channels) uint8."""
    return pictures_of(rows, list(columns), *_within(columns, LINE_SIDE))


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


class Layer(NamedTuple):
    """What a layer does to one picture: how many numbers it makes, products that each takes, how often it is read."""

    numbers: int
    products: int
    read: int


def layers(height: int, width: int, channels: int, patch: int, first: int, stages: int) -> Iterator[Layer]:
    """The layers of a network over pictures, in order."""
    before = 2 * min(PATTERNS_SEEN, channels * patch**2)
    step = step_of(patch)
    high, wide = math.ceil(height / step), math.ceil(width / step)
    yield Layer(2 * height * width * channels, 0, 1)  # which varies the picture
    yield Layer(high * wide * before // 2, channels * patch**2, 2)
    for stage in range(stages):
        after = first * min(2**stage, 4)
        yield Layer(high * wide * after, 9 * before, 1)
        high, wide, before = math.ceil(high / 2), math.ceil(wide / 2), after
        yield Layer(high * wide * after, 9 * after, 2)


def work(found: Iterable[Layer]) -> int:
    """How many products take as long as these layers."""
    return sum(layer.numbers * (layer.products + READ * layer.read) for layer in found)


def products_a_second() -> float:
    """How many products a second one member of the network learns from here; measured once."""
    name = f"torch {torch.__version__} threads {torch.get_num_threads()} products over pictures"
    return measured_once(name + (" in bfloat16" if half_pays() else ""), _measure)


def _measure() -> float:
    height, width, patch, first, stages = 28, 28, 3, 32, 3
    pictures = torch.arange(512 * height * width).remainder(251).to(torch.uint8).view(-1, 1, height, width, 1)
    targets = torch.arange(len(pictures)) % 10
    model = Pictures("pictures", 1, 1, 1, patch, first, stages, 10, mirror=True, half=half_pays())
    learns = learning(torch.arange(len(pictures)) % FOLDS, 1)
    seconds = []
    for _ in range(3):  # the first time, memory is set up
        start = time.perf_counter()
        list(
            fit_pictures(
                model, {"pictures": pictures}, targets, learns, member_log_losses, 1, 128, RATE, DECAY, 0.07, 0.0
            )
        )
        seconds.append(time.perf_counter() - start)
    return len(pictures) * work(layers(height, width, 1, patch, first, stages)) / min(seconds)


def usual_epochs(rows: int, most: int) -> float:
    """How many epochs are worth more than a wider network: fewer, the more pictures there are."""
    return float(min(most, 6 * (20_000 / rows) ** 0.65))


def part_settings(rows: pl.DataFrame, columns: Mapping[str, ImageSettings], aim: Aim) -> Mapping[str, PartSettings]:
    """The sizes of the network: as wide as the time allows with enough epochs, then more members, then more epochs."""
    height, width = _within(columns, LARGEST_SIDE)
    small = max(height, width) <= SMALL_SIDE
    patch = min(3 if small else 8, height, width)
    stages = max(1, min(3, round(math.log2(max(2, min(height, width) / step_of(patch) / 3)))))
    channels = max(each.channels for each in columns.values())
    wanted = usual_epochs(len(rows), MOST_EPOCHS if aim.classes else MOST_EPOCHS_OF_NUMBERS)
    batch = 2 ** round(math.log2(max(16, min(256, len(rows) / BATCHES_AN_EPOCH))))
    asked = aim.seconds or DEFAULT_SECONDS
    seconds = max(LEAST_SHARE * asked, asked - BESIDE - BESIDE_EACH * len(rows))
    affordable = {}  # epochs of one member, by its width
    for first in WIDTHS if len(rows) >= MANY_ROWS else WIDTHS[:2]:
        each = work(layers(height, width, channels, patch, first, stages))
        epoch = len(rows) * len(columns) * each / products_a_second() + math.ceil(len(rows) / batch) * STEP_OVERHEAD
        affordable[first] = seconds / epoch - ANSWERING
    first = max((first for first in affordable if affordable[first] >= wanted), default=WIDTHS[0])
    enough = MEMBER_EPOCHS * wanted if aim.classes else wanted
    members = max(1, min(MOST_MEMBERS, aim.folds, int(affordable[first] / enough)))
    most = 2 * enough if aim.classes else enough
    epochs = max(FEWEST_EPOCHS, min(round(most), int(affordable[first] / members)))
    settings = PicturesSettings(
        epochs=epochs, height=height, width=width,
        members=members, patch=patch, channels=first, stages=stages, batch=batch, rate=RATE, decay=DECAY,
        moved=MOVED, zoomed=ZOOMED if aim.classes and not small else 0.0,
        mirror=mirrored_alike(encode(rows, columns, {}), aim), half=half_pays(),
    )  # fmt: skip
    parts: dict[str, PartSettings] = {PICTURES.name: settings}
    if aim.pretrained and kind_read_by(Path(aim.pretrained)) == IMAGE.name:
        parts[BACKBONE.name] = BackboneSettings(
            epochs=DECAYS, folder=aim.pretrained, height=height, width=width, side=BACKBONE_SIDE, decay=FIRST_DECAY,
            fall=FALL,
        )  # fmt: skip
    return parts


def _misfit(columns: Mapping[str, ImageSettings], settings: PicturesSettings) -> str:
    if settings.patch > min(settings.height, settings.width):
        return f"a patch of {settings.patch} pixels does not fit into {settings.height} x {settings.width}"
    return ""


def _network(settings: PicturesSettings, tensors: Mapping[str, Tensor], outputs: int) -> Pictures:
    channels = tensors["eyes.0.filters"].shape[1]
    features = 2 * settings.channels * min(2 ** (settings.stages - 1), 4)
    pictures = tensors["outputs.0.weight"].shape[1] // features
    return Pictures(
        "pictures", settings.members, pictures, channels, settings.patch, settings.channels, settings.stages, outputs,
        settings.mirror, settings.half,
    )  # fmt: skip


PICTURES: NetworkPart[ImageSettings, PicturesSettings] = NetworkPart(
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
        fit=lambda settings: (
            "fit_pictures",
            f"epochs={settings.epochs}, batch={settings.batch}, rate={settings.rate!r}, decay={settings.decay!r}, "
            f"moved={settings.moved!r}, zoomed={settings.zoomed!r}",
        ),
    ),
    misfit=_misfit,
)  # fmt: skip


def _build_backbone(pictures: Tensor, settings: BackboneSettings, outputs: int) -> Meaning:
    """The part with the ResNet that lies in its folder; refused where it is none that can be used."""
    check_resnet(Path(settings.folder))
    return backbone_sums("seen", pictures, picture_encoder(settings.folder, settings.side), BACKBONE_MEMBERS, outputs)


def _rebuild_backbone(tensors: Mapping[str, Tensor], settings: BackboneSettings, outputs: int) -> Meaning:
    own = {name.removeprefix("encoder."): each for name, each in tensors.items() if name.startswith("encoder.")}
    return Meaning("seen", encoder_of(own, settings.side), len(tensors["weight"]), 1, outputs)


BACKBONE: NetworkPart[ImageSettings, BackboneSettings] = NetworkPart(
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
    learns=lambda folds, settings: learning_and_all(folds, BACKBONE_MEMBERS),
    fit=lambda module, inputs, targets, learns, losses_of, settings: fit_meaning(
        module, inputs, targets, learns, losses_of, settings.epochs, settings.decay, settings.fall
    ),
    settle=Meaning.keep_last,
    snippets=PartSnippets(
        encode=lambda settings: f"pictures_of(rows, PICTURES, height={settings.height}, width={settings.width})",
        build=lambda settings, outputs: (
            f"backbone_sums(\n"
            f'    "seen", inputs["seen"], picture_encoder({settings.folder!r}, side={settings.side}),\n'
            f"    members={BACKBONE_MEMBERS}, outputs={outputs},\n"
            ")"
        ),
        learns=lambda settings: f"learning_and_all(folds, {BACKBONE_MEMBERS})",
        fit=lambda settings: (
            "fit_meaning",
            f"epochs={settings.epochs}, decay={settings.decay!r}, fall={settings.fall!r}",
        ),
        settle="keep_last()",
    ),
)


def _constants(columns: Mapping[str, ImageSettings]) -> str:
    return in_brackets("PICTURES = [", [repr(name) for name in columns], "]", "columns of pictures")


def _small_in_script(columns: Mapping[str, ImageSettings]) -> str:
    height, width = _within(columns, LINE_SIDE)
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
    parts=(PICTURES, BACKBONE),
    part_settings=part_settings,
    occlusion=PARTS_HIDDEN,
)
