"""Inputs that are kept: a small corpus for each target, and what has ever been a finding."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CORPUS", "CRASHERS", "keep", "kept"]

CORPUS = Path(__file__).with_name("corpus")
CRASHERS = Path(__file__).with_name("crashers")


def kept(folder: Path, target: str) -> list[bytes]:
    """The inputs of a target, a line in hexadecimal each."""
    path = folder / f"{target}.hex"
    return [bytes.fromhex(line) for line in path.read_text().splitlines()] if path.exists() else []


def keep(folder: Path, target: str, inputs: Iterable[bytes]) -> None:
    """Keep these inputs of a target, sorted, and no others."""
    folder.mkdir(exist_ok=True)
    lines = sorted({data.hex() for data in inputs}, key=lambda line: (len(line), line))
    (folder / f"{target}.hex").write_text("".join(f"{line}\n" for line in lines))
