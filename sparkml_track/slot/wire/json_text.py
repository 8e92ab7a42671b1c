"""JSON without blanks, written fast: messages and records are many and small."""

from __future__ import annotations

import json
import json.encoder
from collections.abc import Callable
from typing import Any

__all__ = ["json_writer"]


def json_writer(*, ascii_only: bool) -> Callable[[object], str]:
    """``JSONEncoder.encode`` without the encoder in C that it makes anew for each value.

    Args:
        ascii_only: other characters are escaped.

    Raises by the function: TypeError and ValueError as ``json`` does, RecursionError also for what holds itself.
    """
    plain = json.JSONEncoder(separators=(",", ":"), ensure_ascii=ascii_only)
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # another Python than CPython
        return plain.encode
    text = json.encoder.encode_basestring_ascii if ascii_only else json.encoder.encode_basestring
    parts = make(None, plain.default, text, None, ":", ",", False, False, True)
    return lambda value: "".join(parts(value, 0))
