"""`firstlight demo`: the straight line, all six steps, as the course draws it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from firstlight.course.settings import COURSE, REPORT, SCRIPT, Settings, refuse_unusable
from firstlight.files import write_whole

if TYPE_CHECKING:
    from firstlight.course.lesson import Lesson


def run_demo(
    *,
    weight: float = COURSE.weight,
    bias: float = COURSE.bias,
    noise: float = COURSE.noise,
    rows: int = COURSE.rows,
    epochs: int = COURSE.epochs,
    rate: float = COURSE.rate,
    seed: int = COURSE.seed,
    out: Path,
) -> Lesson:
    """Compute the lesson, and write it: `firstlight.course.telling.tell` prints what this returns.

    weight, bias: of the line that makes the data.
    noise: standard deviation of what is added to each y.
    rows: points; the first 80 % of them are learned from.
    epochs: steps of gradient descent.
    rate: learning rate of the steps.
    seed: of the random parameters and of the noise.
    out: a folder for report.html, line.py, line.safetensors and linear.safetensors; made where it is missing.

    Raises Refused for a setting that makes no lesson, and where the folder cannot be written to.
    """
    settings = Settings(weight, bias, noise, rows, epochs, rate, seed)
    refuse_unusable(settings)
    # Late, so that a refusal does not wait for torch, nor `--help` for anything.
    from firstlight.course.lesson import teach
    from firstlight.course.page import page

    lesson = teach(settings, out)
    write_whole(out / SCRIPT, lesson.script)
    write_whole(out / REPORT, page(lesson))
    return lesson
