"""How much each column tells of the target by itself: what a reader wants to see first where columns are many.

In: training rows. Out: a share a column, by which the report orders them. No model learns anything from it.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from firstlight.data.pixel_cells import pixel_shape
from firstlight.model.encoding import encode_target
from firstlight.model.predictor import Predictor

MOST_ROWS = 2000  # enough to order columns by
GROUPS = 8  # of like rows, into which a number falls


def told_by_columns(train: pl.DataFrame, predictor: Predictor) -> dict[str, float]:
    """The share (0 to 1) of how the target varies that each column explains alone, the most telling first.

    Pictures and videos are left aside. Rows with like cells form a group; what their means explain is corrected for the
    number of groups.
    """
    plan, encoders = predictor.plan, predictor.encoders
    rows = train.sample(MOST_ROWS, seed=0) if len(train) > MOST_ROWS else train
    targets = encode_target(rows[plan.target.column], plan, encoders)
    aims = F.one_hot(targets, len(encoders.labels)).double() if encoders.labels else targets.unsqueeze(1)
    told: dict[str, float] = {}
    for kind in plan.kinds:
        learned = encoders.learned[kind.block]
        for name, settings in plan.of_kind(kind).items():
            if pixel_shape(rows[name].dtype):
                continue  # no pixel tells anything alone
            own = {name: learned[name]} if name in learned else {}
            encoded = kind.encode(rows, {name: settings}, own).flatten(1)
            told[name] = max((explained(groups_of(values), aims) for values in encoded.T), default=0.0)
    return dict(sorted(told.items(), key=lambda pair: -pair[1]))


def groups_of(values: Tensor) -> NDArray[np.int64]:
    """The number of the group that each value falls into, from 0; values: (rows,).

    Gaps are a group of their own, and so are the smallest values: often one in many rows, such as 0.
    """
    cells = values.numpy()
    if values.is_floating_point() and not np.isnan(cells).all():
        edges = np.unique(np.nanquantile(cells, np.linspace(0, 1, GROUPS + 1)))
        cells = np.where(np.isnan(cells), len(edges) + 1, np.searchsorted(edges, cells))
    groups: NDArray[np.int64] = np.unique(cells, return_inverse=True)[1]
    return groups


def explained(groups: NDArray[np.int64], aims: Tensor) -> float:
    """The adjusted R² of the groups' means: groups (rows,), aims (rows, outputs); 0 where they explain nothing."""
    group = torch.from_numpy(groups)
    rows_of_group = group.bincount().double()
    rows, spread = len(aims), (aims - aims.mean(dim=0)).square().sum().item()
    if rows <= len(rows_of_group) or spread == 0:
        return 0.0
    means = torch.zeros(len(rows_of_group), aims.shape[1], dtype=aims.dtype).index_add(0, group, aims)
    means = means / rows_of_group.unsqueeze(1)
    left = (aims - means[group]).square().sum().item() / spread
    return max(0.0, 1 - left * (rows - 1) / (rows - len(rows_of_group)))
