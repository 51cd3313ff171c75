"""Step 6, prove: that two models are the same to the last bit."""

import hashlib

from torch import nn


def digest(model: nn.Module) -> str:
    """The SHA-256 of all the numbers in a model, under their names: equal for equal models, and for no others."""
    found = hashlib.sha256()
    for name, value in model.state_dict().items():
        found.update(name.encode() + value.contiguous().numpy().tobytes())
    return found.hexdigest()
