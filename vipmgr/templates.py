"""Where the templates are: package data in a wheel, the folder beside the package in a checkout."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def template_text(name: str) -> str:
    """The text of `templates/NAME`. FileNotFoundError when this installation lacks it."""
    packed = files("vipmgr").joinpath("templates", name)
    if packed.is_file():
        return packed.read_text(encoding="utf-8")
    return (Path(__file__).parent.parent / "templates" / name).read_text(encoding="utf-8")
