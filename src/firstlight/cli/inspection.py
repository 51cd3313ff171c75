"""`firstlight inspect`, told: a tree of modules, a line a parameter, and a batch on its way through."""

from __future__ import annotations

from firstlight.cli.paper import Paper
from firstlight.evaluate.wording import percent
from firstlight.inspecting import Grown, Inspection, Part, Spread
from firstlight.wording import whole

BARS = " ▁▂▃▄▅▆▇█"
BARS_IN_ASCII = " .:-=+*#@"


def inspection_told(paper: Paper, found: Inspection) -> None:
    """All of it."""
    paper.say(f"The {found.kept} was kept. Both stand in the file.")
    for title, parts in (("Network", found.network), ("Straight line", found.line)):
        paper.blank()
        paper.say(f"{title}: {whole(parts[0].parameters)} parameters", style="bold")
        Paper(paper.console, gutter=2).rows([_part(part) for part in parts])
    paper.blank()
    paper.say("Parameters, as they were born (random, from the seed) and as they became", style="bold")
    for one in found.parameters:
        _grown(paper, one)
    paper.say(
        "Each number line runs from the smallest to the largest of the parameter's numbers, then and now. moved: how "
        "far it went, as a share of its size at birth. gradient: its mean size on the batch below."
    )
    paper.blank()
    paper.say(f"Activations of the network: {found.batch} {found.loss:.4f}", style="bold")
    paper.table(
        ("layer", "members × rows × outputs", "mean", "spread", "not above 0"),
        [
            (one.layer, one.shape, f"{one.mean:.3f}", f"{one.deviation:.3f}", percent(one.silent))
            for one in found.activations
        ],
    )


def _part(part: Part) -> tuple[str, str, str]:
    name = "  " * part.depth + (part.name or "(the model)")
    count = whole(part.parameters) if part.parameters else "–"
    return name, part.kind, ", ".join([count, *part.shapes])


def _grown(paper: Paper, one: Grown) -> None:
    """A parameter's name and shape, and two lines of numbers."""
    bars = BARS_IN_ASCII if paper.ascii_only else BARS
    paper.say(f"  {one.name}   {one.shape}")
    moved = "" if one.moved is None else f"moved {percent(one.moved)}"
    gradient = "" if one.gradient is None else f"gradient {one.gradient:.1e}"
    born = ("    born", _mean(one.born), _drawn(one.born, bars), "") if one.born else ("    born", "by formula", "", "")
    paper.rows(
        [born, ("    became", _mean(one.became), _drawn(one.became, bars), "  ".join([moved, gradient]).strip())]
    )


def _mean(spread: Spread) -> str:
    return f"{spread.mean:+.3f} ± {spread.deviation:.3f}"


def _drawn(spread: Spread, bars: str) -> str:
    """A histogram in a line of text; the fullest bin is as high as a letter."""
    highest = max(max(spread.counts), 1)
    return "".join(bars[-(-count * (len(bars) - 1) // highest)] for count in spread.counts)
