"""How options, of plugins and of sections, are checked and written."""

from __future__ import annotations

from pydantic import ConfigDict

OPTIONS = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="constants")
"""Unknown keys are refused, and ``inf`` is written as a number, which it is in TOML."""
