"""Numbers that look random and are the same on every machine, in place of Python's hashes, which differ run by run."""

import numpy as np
from numpy.typing import NDArray


def hashes_of(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A hash of each number, 64 bits that look random, by the last step of Appleby's MurmurHash3."""
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        numbers = (numbers ^ (numbers >> np.uint64(33))) * np.uint64(factor)
    return numbers ^ (numbers >> np.uint64(33))
