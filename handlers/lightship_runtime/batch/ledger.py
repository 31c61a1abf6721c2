"""Which objects committed runs have taken: 16 bytes for each, sorted, so that a million are looked up in 16 MB."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lightship_runtime.batch.stores import Stored

WIDTH = 16


class Ledger:
    """A set of objects by name and tag. A rewritten object has another tag, and so is a new one."""

    def __init__(self, digests: NDArray[np.void]) -> None:
        self._digests = digests

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        return cls(np.frombuffer(data, np.dtype(f"V{WIDTH}")))

    @classmethod
    def of(cls, digests: Iterable[bytes]) -> Self:
        return cls.from_bytes(b"".join(sorted(set(digests))))

    def to_bytes(self) -> bytes:
        return self._digests.tobytes()

    def __len__(self) -> int:
        return len(self._digests)

    def __contains__(self, digest: bytes) -> bool:
        low, high = 0, len(self._digests)
        while low < high:
            middle = (low + high) // 2
            if self._digests[middle].tobytes() < digest:
                low = middle + 1
            else:
                high = middle
        return low < len(self._digests) and self._digests[low].tobytes() == digest

    def union(self, other: "Ledger") -> "Ledger":
        """Both sorted sets, merged without making Python objects of them."""
        both = np.concatenate([self._digests, other._digests])
        if not len(both):
            return Ledger(both)
        words = both.view(">u8").reshape(-1, 2)
        order = np.lexsort((words[:, 1], words[:, 0]))
        words = words[order]
        fresh = np.concatenate([[True], (words[1:] != words[:-1]).any(axis=1)])
        return Ledger.from_bytes(words[fresh].tobytes())


def object_digest(stored: Stored) -> bytes:
    return blake2b(f"{stored.name}\0{stored.etag}".encode(), digest_size=WIDTH).digest()
