"""Losses and metrics by split."""

from __future__ import annotations

Values = dict[str, dict[str, float | None]]
"""{split: {name: value}}; a value that is not finite is null."""
