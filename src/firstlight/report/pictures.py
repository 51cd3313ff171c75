"""Pictures and videos to look at: sheets of them for each class, of those that look alike, and of the worst errors.

A video is shown as a strip of a few of its frames.
"""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Iterator

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from firstlight.data.pixel_cells import is_video, pixel_shape
from firstlight.evaluate.evaluation import Evaluation
from firstlight.kinds.kind import Occlusion
from firstlight.model.why import Effects, effects_in, occlusions_of
from firstlight.report.page import Block, Sheet, Shelf, Shot
from firstlight.report.story import Story
from firstlight.report.wording import counted, number, percent, sentences

MOST_CLASSES = 12  # that get a shelf of their own
SHOTS, STRIPS = 6, 2  # pictures, videos of each class
LONGEST_SIDE = 112  # pixels of a picture
STRIP_FRAMES = 6
MOST_PAIRS = 6  # of pictures that look alike
MOST_ERRORS = 12
MAPPED = 3  # pictures that are answered rightly or by chance, and wrongly, whose parts are hidden in turn
DARKEST = 0.15  # of its light, that a part keeps which does not matter
QUALITY = 82  # of JPEG, of 100


def pixel_columns(story: Story) -> list[str]:
    """The columns of pictures and videos that are used."""
    return [name for name in story.plan.inputs if pixel_shape(story.rows.train[name].dtype)]


def shot_of(cell: NDArray[np.uint8], alt: str, caption: str) -> Shot:
    """A cell as a small picture; a video as a strip of frames from its first to its last."""
    from PIL import Image

    if cell.ndim == 4:
        chosen = np.linspace(0, len(cell) - 1, min(STRIP_FRAMES, len(cell))).round().astype(int)
        cell = np.concatenate(list(cell[chosen]), axis=1)
        longest = LONGEST_SIDE * STRIP_FRAMES
    else:
        longest = LONGEST_SIDE
    picture = Image.fromarray(cell[..., 0] if cell.shape[-1] == 1 else cell)
    share = min(1.0, longest / max(picture.size))
    if share < 1:
        picture = picture.resize((max(1, round(picture.width * share)), max(1, round(picture.height * share))))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=QUALITY)
    data = f"data:image/jpeg;base64,{b64encode(stream.getvalue()).decode()}"
    return Shot(data, picture.width, picture.height, alt, caption)


def sheets_of_training(story: Story) -> Iterator[Block]:
    """Of each column: training pictures of each class, or from the least to the greatest; and those that look alike."""
    for name in pixel_columns(story):
        yield _sheet_of_classes(story, name) if story.classes else _sheet_of_numbers(story, name)
        yield from _alike(story, name)


def _nouns(story: Story, name: str) -> str:
    return "videos" if is_video(story.rows.train[name].dtype) else "pictures"


def _sheet_of_classes(story: Story, name: str) -> Sheet:
    rows, target = story.rows.train, story.plan.target.column
    many = STRIPS if is_video(rows[name].dtype) else SHOTS
    shelves = []
    labels = story.run.predictor.encoders.labels
    for label, shown in list(zip(labels, story.labels, strict=True))[:MOST_CLASSES]:
        places = (rows[target].cast(pl.String).str.strip_chars() == label).arg_true()
        places = places.filter(rows[name].gather(places).is_not_null())
        chosen = places.gather(pl.Series(np.linspace(0, len(places) - 1, min(many, len(places))).round().astype(int)))
        shots = tuple(
            shot_of(rows[name][place].to_numpy(), f"{shown}, training row {place + 1}", "") for place in chosen
        )
        shelves.append(Shelf(f"{shown}, {number(len(places))}", shots))
    rest = len(labels) - len(shelves)
    caption = sentences(
        "Taken evenly from the training rows, as the models see them.",
        f"Of {number(len(labels))} classes the first {number(len(shelves))} are shown." if rest else "",
    )
    return Sheet(f"What do the {_nouns(story, name)} of each {story.target} look like?", tuple(shelves), caption)


def _sheet_of_numbers(story: Story, name: str) -> Sheet:
    rows = story.rows.train.filter(pl.col(name).is_not_null())
    values = pl.Series(rows[story.plan.target.column].cast(pl.String).cast(pl.Float64, strict=False))
    order = values.fill_null(float("nan")).arg_sort()
    many = 2 * STRIPS if is_video(rows[name].dtype) else SHOTS
    chosen = order.gather(pl.Series(np.linspace(0, len(order) - 1, min(many, len(order))).round().astype(int)))
    shots = tuple(
        shot_of(rows[name][place].to_numpy(), f"{story.target} {values[place]:g}", f"{values[place]:g}")
        for place in chosen
    )
    question = f"What do the {_nouns(story, name)} look like, from the least {story.target} to the greatest?"
    return Sheet(question, (Shelf("", shots),), "Taken evenly from the training rows, as the models see them.")


def _alike(story: Story, name: str) -> Iterator[Sheet]:
    """Training pictures that look nearly the same, side by side: those with different labels first."""
    from firstlight.plain.like_pictures import like_pictures, like_videos  # Pillow is needed for these alone

    if name not in story.plan.split.near:
        return
    rows, target = story.rows.train, story.plan.target.column
    kin = (like_videos if is_video(rows[name].dtype) else like_pictures)(rows[name])
    groups = [torch.nonzero(kin == first).flatten() for first in _first_of_several(kin)]
    if not groups:
        return
    labels = rows[target].cast(pl.String)
    differ = [labels.gather(group.numpy()).n_unique() > 1 for group in groups]
    order = sorted(range(len(groups)), key=lambda place: not differ[place]) if story.classes else range(len(groups))
    shelves = []
    for place in list(order)[:MOST_PAIRS]:
        shown = groups[place][:4].tolist()
        shots = tuple(shot_of(rows[name][row].to_numpy(), f"training row {row + 1}", "") for row in shown)
        counts = labels.gather(groups[place].numpy()).value_counts(sort=True).rows()
        shelves.append(Shelf(", ".join(f"{label}, {number(count)}" for label, count in counts), shots))
    caption = (
        f"{counted(len(groups), 'group')} of training {_nouns(story, name)} look nearly the same; what looks the same "
        "stays on one side of the split."
    )
    if story.classes and any(differ):
        caption += f" In {counted(sum(differ), 'group')} their {story.target} differs: is one of them wrong?"
    yield Sheet(f"Which {_nouns(story, name)} look alike?", tuple(shelves), caption)


def _first_of_several(kin: Tensor) -> list[int]:
    first, sizes = kin.unique(return_counts=True)
    several: list[int] = first[sizes > 1].tolist()
    return several


def sheets_of_errors(story: Story, evaluation: Evaluation) -> Iterator[Block]:
    """Of each column: the test pictures of the worst errors."""
    for name in pixel_columns(story):
        cells = story.rows.test[name]
        shots = []
        for worst in evaluation.worst[:MOST_ERRORS]:
            if cells[worst.row] is None:
                continue
            if story.classes:
                was, said = story.labels[int(worst.truth)], story.labels[int(worst.answer)]
                caption = f"{was}, said {said} ({percent(worst.probability or 0.0, 1)})"
            else:
                caption = f"{number(worst.truth)}, said {number(worst.answer)}"
            shots.append(shot_of(cells[worst.row].to_numpy(), f"test row {worst.row + 1}: {caption}", caption))
        if shots:
            question = f"What do the {_nouns(story, name)} of the worst errors look like?"
            yield Sheet(question, (Shelf("", tuple(shots)),), "Below each: what it was, and what was said of it.")


def maps_of_parts(story: Story, evaluation: Evaluation) -> Iterator[Block]:
    """Of each column: a few test pictures, and beside each the same with what did not speak for the answer darkened."""
    occlusions = {name: each for name, each in occlusions_of(story.plan).items() if each.grid}
    wrong = [worst.row for worst in evaluation.worst[:MAPPED]]
    spread = np.linspace(0, len(story.rows.test) - 1, 3 * MAPPED).round().astype(int).tolist()
    rows = [*dict.fromkeys([*[row for row in spread if row not in wrong][:MAPPED], *wrong])]
    for name, occlusion in occlusions.items():
        shown = [row for row in rows if story.rows.test[name][row] is not None]
        if not shown:
            continue
        found = effects_in(story.run.predictor, story.rows.test[shown], {name: occlusion})
        shots = []
        for row, effects in zip(shown, found, strict=True):
            caption = _answered(story, effects, row)
            cell = story.rows.test[name][row].to_numpy()
            shots += [
                shot_of(cell, f"test row {row + 1}: {caption}", caption),
                shot_of(_lit(cell, effects, occlusion), f"what mattered in test row {row + 1}", "what mattered"),
            ]
        noun = "frames" if is_video(story.rows.test[name].dtype) else "picture"
        caption = (
            f"Each part of a grid of {occlusion.grid} by {occlusion.grid} was hidden in turn, and the model asked. "
            "The brighter a part is shown, the more it speaks for the answer; dark parts do not, or speak against it."
        )
        yield Sheet(f"Where in the {noun} does it look?", (Shelf("", tuple(shots)),), caption)


def _answered(story: Story, effects: Effects, row: int) -> str:
    truth = float(story.rows.truth[row])
    if story.classes:
        was, said = story.labels[int(truth)], story.labels[effects.likeliest]
        return said if was == said else f"{was}, said {said}"
    return number(truth)


def _lit(cell: NDArray[np.uint8], effects: Effects, occlusion: Occlusion) -> NDArray[np.uint8]:
    """The picture, each part as bright as it speaks for the answer, or moves a number in either direction."""
    values = effects.values[:, effects.likeliest].view(occlusion.grid, occlusion.grid)
    values = values.clamp_min(0) if effects.values.shape[1] > 1 else values.abs()
    share = (values / values.max().clamp_min(1e-9)).float().view(1, 1, occlusion.grid, occlusion.grid)
    light = F.interpolate(share, cell.shape[-3:-1], mode="bilinear")[0, 0].numpy()[..., None]
    lit: NDArray[np.uint8] = (cell * (DARKEST + (1 - DARKEST) * light)).round().astype(np.uint8)
    return lit
