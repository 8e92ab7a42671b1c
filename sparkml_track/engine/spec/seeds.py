"""Seeds of trials."""

from __future__ import annotations

import hashlib

__all__ = ["trial_seed"]


def trial_seed(seed: int, number: int) -> int:
    """The seed of a trial: below 2**31, a hash of the sweep's seed and the trial's number."""
    digest = hashlib.blake2b(f"{seed}/{number}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little") >> 1
