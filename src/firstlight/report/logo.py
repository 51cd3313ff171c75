"""A sequence logo: letters drawn as high as what they did, as one SVG a line of the sequence.

In: heights, (places, letters). Out: drawings made of numbers and fixed outlines alone, so nothing of a stranger's is
in them. Letters are told apart by their shape; colour helps. Source: Schneider and Stephens 1990, "Sequence logos: a
new way to display consensus sequences"; here a letter's height is an effect, as in attribution maps, not information.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDEST = 50  # places of one line
TICKS = 10  # places from one mark on the line to the next

# The outline of each letter in a square of 100 by 100, top left first.
OUTLINES = {
    "A": "M0 100 L38 0 H62 L100 100 H78 L70 76 H30 L22 100 Z M36 58 H64 L50 18 Z",
    "C": "M100 70 C94 90 76 100 54 100 C20 100 0 80 0 50 C0 20 20 0 54 0 C76 0 94 10 99 30 H76 C72 22 64 18 54 18 "
    "C34 18 23 30 23 50 C23 70 34 82 54 82 C65 82 73 78 77 70 Z",
    "G": "M100 48 V92 C88 97 72 100 56 100 C20 100 0 80 0 50 C0 20 20 0 55 0 C78 0 95 10 99 30 H76 C72 22 65 18 55 18 "
    "C34 18 23 30 23 50 C23 71 34 82 57 82 C65 82 72 81 78 79 V64 H54 V48 Z",
    "T": "M0 0 H100 V18 H62 V100 H38 V18 H0 Z",
}


@dataclass(frozen=True)
class Strip:
    """One line of a logo: its first and last place, counted from 1, and its drawing."""

    first: int
    last: int
    svg: Markup


def strips(letters: str, heights: Sequence[Sequence[float]], start: int) -> tuple[Strip, ...]:
    """The logo in lines of equally many places, all in one scale; heights: (places, letters).

    start: the number of the first place.
    """
    lines = max(1, -(-len(heights) // WIDEST))
    width = max(1, -(-len(heights) // lines))
    up = max([sum(height for height in place if height > 0) for place in heights], default=0.0)
    down = max([-sum(height for height in place if height < 0) for place in heights], default=0.0)
    scale = up + down or 1.0
    return tuple(
        Strip(
            first + start,
            min(first + width, len(heights)) + start - 1,
            _strip(letters, heights[first : first + width], first + start, width, up / scale, scale),
        )
        for first in range(0, len(heights), width)
    )


def _strip(
    letters: str, heights: Sequence[Sequence[float]], start: int, width: int, zero: float, scale: float
) -> Markup:
    """One line: `width` places side by side, each 100 wide, in 1000 of height; zero: where the line lies, 0 to 1."""
    base = 1000 * zero
    drawn = [f'<line x1="0" x2="{100 * width}" y1="{base:.1f}" y2="{base:.1f}"/>']
    for place, row in enumerate(heights):
        if (start + place) % TICKS == 0:
            drawn.append(
                f'<line x1="{100 * place + 50}" x2="{100 * place + 50}" y1="{base:.1f}" y2="{base + 30:.1f}"/>'
            )
        drawn += _stack(letters, [1000 * height / scale for height in row], 100 * place, base)
    body = "".join(drawn)
    return Markup(f'<svg viewBox="0 0 {100 * width} 1000" preserveAspectRatio="none" aria-hidden="true">{body}</svg>')


def _stack(letters: str, heights: Sequence[float], left: int, base: float) -> list[str]:
    """The letters of one place, those of the greatest effect farthest from the line."""
    paths = []
    above, below = base, base
    for letter, height in sorted(zip(letters, heights, strict=True), key=lambda pair: abs(pair[1])):
        if abs(height) < 1:  # a thousandth of the drawing
            continue
        if height > 0:
            above -= height
        top = above if height > 0 else below
        if height < 0:
            below -= height
        moved = f"translate({left + 4} {top:.1f}) scale(.92 {abs(height) / 100:.4f})"
        paths.append(f'<path class="{letter}" transform="{moved}" d="{OUTLINES[letter]}"/>')
    return paths
