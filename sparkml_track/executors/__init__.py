"""Executors: what executes attempts. The contract is in ``_base``; ``open_executor`` chooses a member."""

from __future__ import annotations
