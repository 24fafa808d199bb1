"""The command ``weft``; a file for each command."""

from __future__ import annotations

from weft.cli.main import main

__all__ = ["main"]
