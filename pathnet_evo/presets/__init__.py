"""Presets: one TOML a published experiment, and the default."""

from __future__ import annotations

from importlib import resources

from pathnet_evo.errors import UserError


def names() -> list[str]:
    """The names of the presets."""
    folder = resources.files(__name__)
    return sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".toml"))


def read(name: str) -> str:
    """A preset's TOML.

    Raises:
        UserError: there is none of that name.
    """
    if name not in names():
        from pathnet_evo.config import nearest

        guess = nearest(name, names()) or "."
        raise UserError(
            f'unknown preset "{name}"{guess} (have: {", ".join(names())}; or FILE.toml)'
        )
    return (resources.files(__name__) / f"{name}.toml").read_text(encoding="utf-8")
