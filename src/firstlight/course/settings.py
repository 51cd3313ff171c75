"""What a person may change in the lesson, and what is refused; without torch, so that a refusal is quick."""

from __future__ import annotations

from dataclasses import dataclass

from firstlight.refusal import Refused

REPORT, SCRIPT = "report.html", "line.py"  # what is written beside the two models

FURTHEST = 1000.0  # a line further away than this is never reached in the lesson's small steps
MOST_ROWS = 10_000
MOST_EPOCHS = 10_000


@dataclass(frozen=True)
class Settings:
    """The line to be found again, and how it is looked for."""

    weight: float  # of the line that makes the data: y = weight * x + bias
    bias: float
    noise: float  # standard deviation of what is added to each y
    rows: int  # points; the first 80 % are the train rows
    epochs: int  # steps of gradient descent: each uses all train rows
    rate: float  # learning rate: how far a step goes along the gradient
    seed: int  # of the random parameters and of the noise


COURSE = Settings(weight=0.7, bias=0.3, noise=0.0, rows=50, epochs=200, rate=0.01, seed=42)


def refuse_unusable(settings: Settings) -> None:
    """Raises Refused, in one sentence, for a setting that makes no lesson."""
    _refuse_outside("weight", settings.weight, -FURTHEST, FURTHEST)
    _refuse_outside("bias", settings.bias, -FURTHEST, FURTHEST)
    _refuse_outside("noise", settings.noise, 0, FURTHEST)
    _refuse_outside("rows", settings.rows, 5, MOST_ROWS)
    _refuse_outside("epochs", settings.epochs, 1, MOST_EPOCHS)
    _refuse_outside("seed", settings.seed, 0, 2**32 - 1)
    if not 0 < settings.rate <= 1:
        raise Refused(f"--rate {settings.rate:g} makes no lesson; choose a number above 0, at most 1.")


def _refuse_outside(option: str, value: float, least: float, most: float) -> None:
    """NaN is outside of everything."""
    if not least <= value <= most:
        shown = f"{value:g}" if isinstance(value, float) else value
        raise Refused(f"--{option} {shown} makes no lesson; choose a number from {least:g} to {most:.15g}.")
