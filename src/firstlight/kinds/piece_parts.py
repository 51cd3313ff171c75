"""Parts of the network that learn a weight for each piece: of texts, and of sequences of bases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import polars as pl
from pydantic import Field

from firstlight.kinds.kind import KindPart, PartSettings, PartSnippets, S
from firstlight.plain.pieces import PieceSums, fit_pieces, learning_and_all, piece_sums


class PiecesSettings(PartSettings, frozen=True):
    """How a part over pieces is fitted.

    most: so many pieces have weights. decay: how small the weights are held. smoothing: what is added to the counts by
    which a piece's weight begins.
    """

    most: int = Field(ge=1)
    decay: float = Field(ge=0)
    smoothing: float = Field(gt=0)


Q = TypeVar("Q", bound=PiecesSettings)


def part_over_pieces(
    name: str, told: str, folds: int, settings: type[Q], reasons: Mapping[str, str],
    encode: Callable[[pl.DataFrame, Mapping[str, S], Q], Any], encode_line: Callable[[Q], str],
    misfit: Callable[[Mapping[str, S], Q], str] = lambda columns, settings: "",
) -> KindPart[S, Q]:  # fmt: skip
    """A part that learns a weight for each piece, from a beginning by counts; its last member learns from all rows.

    encode, encode_line: cells to pieces, and the expression by which a script does it. The others: see `KindPart`.
    """
    members = folds + 1
    return KindPart(
        name=name,
        block=name,
        told=told,
        folds=folds,
        settings=settings,
        reasons=reasons,
        encode=encode,
        build=lambda pieces, chosen, outputs: piece_sums(name, pieces, chosen.most, members, outputs),
        rebuild=lambda tensors, chosen, outputs: PieceSums(name, tensors["known"], tensors["size"], 1, outputs),
        learns=lambda dealt, chosen: learning_and_all(dealt, members),
        fit=lambda module, inputs, targets, learns, losses_of, chosen: fit_pieces(
            module, inputs, targets, learns, losses_of, chosen.epochs, chosen.decay, chosen.smoothing
        ),
        settle=PieceSums.keep_last,
        snippets=PartSnippets(
            encode=encode_line,
            build=lambda chosen, outputs: (
                f'piece_sums("{name}", inputs["{name}"], most={chosen.most}, members={members}, outputs={outputs})'
            ),
            learns=lambda chosen: f"learning_and_all(folds, {members})",
            fit=lambda chosen: (
                "fit_pieces",
                f"epochs={chosen.epochs}, decay={chosen.decay!r}, smoothing={chosen.smoothing!r}",
            ),
            settle="keep_last()",
        ),
        misfit=misfit,
    )
