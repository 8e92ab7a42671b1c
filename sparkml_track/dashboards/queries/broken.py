"""Text that marimo's tables do not take for an address: they load pictures from addresses, of any machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["broken", "broken_column"]

# Invisible, and not an address any more.
_JOINER = "\N{WORD JOINER}"
#: What is looked for, and what it becomes; both as Python and as Arrow read them.
_WEB = (r"(?i)(https?)(://)", rf"\1{_JOINER}\2")
_DATA = (r"(?i)^data:", f"data{_JOINER}:")


def broken(text: str) -> str:
    """The text, which looks the same."""
    if ":" not in text:
        return text
    return re.sub(*_DATA, re.sub(*_WEB, text))


def broken_column(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same of a column of texts."""
    import pyarrow.compute as pc

    return pc.replace_substring_regex(pc.replace_substring_regex(texts, *_WEB), *_DATA)
