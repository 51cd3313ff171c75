"""What all kinds have in common whose cells become numbers: number, date and boolean."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl
from torch import Tensor

from firstlight.kinds.kind import Claim, Kind, S, Snippets
from firstlight.plain.numbers import PiecewiseLinear, Scaled, piecewise_linear, scaled


def numeric_kind(
    *,
    name: str,
    block: str,
    settings: type[S],
    claim: Callable[[pl.Series], Claim[S] | None],
    values: Callable[[pl.DataFrame, Mapping[str, S]], Tensor],
    strays: Callable[[pl.Series, S], pl.Series],
    constants: Callable[[Mapping[str, S]], str],
    encode_line: str,
) -> Kind[S]:
    """A kind whose cells are encoded as (rows, numbers) float64, NaN for a gap; nothing is learned before that.

    values: cells to that tensor. encode_line: the expression by which a script does the same.
    """
    return Kind(
        name=name,
        block=block,
        settings=settings,
        modules=(PiecewiseLinear, Scaled),
        claim=claim,
        learn=lambda rows, columns: {},
        encode=lambda rows, columns, learned: values(rows, columns),
        network_features=lambda encoded, learned, bins: piecewise_linear(encoded, bins),
        line_features=lambda encoded, learned: scaled(encoded),
        strays=strays,
        snippets=Snippets(
            constants=constants,
            learn="",
            encode=encode_line,
            network_features=lambda bins: f'piecewise_linear(inputs["{block}"], bins={bins})',
            line_features=f'scaled(inputs["{block}"])',
        ),
    )
