"""Where the values of a batch go: slots, registers, slices. Sent to Spark's Python workers by value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sparkml_track.monitoring._counting.slots import HEAD, MISSING, REGISTERS

__all__ = ["Column", "Cuts", "numbers_of", "place_numbers", "place_texts", "values_in"]


@dataclass(frozen=True)
class Cuts:
    """Where the bins of one column are.

    Of k numbers come 2k + 1 bins: below the first, equal to it, between it and the second, and so on to above the
    last. So a number that many rows have, and what lies outside all of them, share a bin with nothing else. Of k texts
    come k + 2 bins: one that stays empty, one for each text, and one for all others.

    Attributes:
        points: rising numbers, or texts.
        shift: a number near their middle, so that squares lose no digits.
        text: whether they are texts.
    """

    points: Any
    shift: float = 0.0
    text: bool = False

    @property
    def bins(self) -> int:
        """How many bins there are."""
        return len(self.points) + 2 if self.text else 2 * len(self.points) + 1


@dataclass
class Column:
    """One column of a batch, row by row: its slot, and what is summed.

    Attributes:
        slots: from 0; ``HEAD`` is the first bin.
        finite: rows with a finite number; None for text.
        numbers: of those rows.
        shift: taken from them in sums.
        hashed: rows whose value has no bin of its own.
        register: of those rows.
        rank: likewise.
    """

    slots: Any
    finite: Any
    numbers: Any
    shift: float
    hashed: Any
    register: Any
    rank: Any


def values_in(array: Any, known: tuple[str, ...] | None) -> Any:
    """The value of each row in a slicing; less than 0 for rows that are not in it."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if known is None:
        return np.where(np.asarray(pc.equal(array, "true").fill_null(False)), 0, -1)
    found = pc.index_in(array, value_set=pa.array(known, array.type)).fill_null(len(known))
    return np.where(np.asarray(array.is_null()), len(known) + 1, np.asarray(found))


def numbers_of(array: Any) -> Any:
    import numpy as np
    import pyarrow as pa

    return np.asarray(array.cast(pa.float64()).fill_null(float("nan")))


def place_numbers(values: Any, cuts: Cuts) -> Column:
    """Slots of one column of numbers."""
    import numpy as np

    points, missing = np.asarray(cuts.points, dtype=float), np.isnan(values)
    left = np.searchsorted(points, values, side="left")
    same = np.zeros(len(values), bool)
    if len(points):
        same = points[np.minimum(left, len(points) - 1)] == values
    slots = np.where(missing, MISSING + HEAD, HEAD + 2 * left + same)
    # Adding 0 makes one number of the two zeros.
    register, rank = _places((values + 0.0).view(np.uint64))
    return Column(slots, np.isfinite(values), values, cuts.shift, ~(missing | same), register, rank)


def place_texts(array: Any, cuts: Cuts) -> Column:
    """Slots of one column of text."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    missing = np.asarray(array.is_null())
    known = np.asarray(pc.index_in(array, value_set=pa.array(cuts.points, array.type)).fill_null(len(cuts.points)))
    rare = ~missing & (known == len(cuts.points))
    slots = np.where(missing, MISSING + HEAD, HEAD + 1 + known)
    register, rank = (np.zeros(len(slots), np.int64), np.zeros(len(slots)))
    if rare.any():
        codes = array.filter(pa.array(rare)).dictionary_encode()
        hashes = np.array([_hash(text) for text in codes.dictionary.to_pylist()], np.uint64)
        register[rare], rank[rare] = (found[np.asarray(codes.indices)] for found in _places(hashes))
    return Column(slots, None, None, 0.0, rare, register, rank)


def _hash(text: str) -> int:
    """The same in every process, which Python's own is not."""
    from hashlib import blake2b

    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _places(bits: Any) -> tuple[Any, Any]:
    """Register and rank of 64-bit values: Flajolet and others, HyperLogLog (2007), mixed as by SplitMix64."""
    import numpy as np

    mixed = bits.copy()
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    register = (mixed & np.uint64(REGISTERS - 1)).astype(np.int64)
    # How many of the 52 bits that are left are zero before the first that is not; a float holds them.
    _, exponent = np.frexp((mixed >> np.uint64(12)).astype(float))
    return register, 53.0 - exponent
