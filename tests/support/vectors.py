"""The test vectors that were made with the real peers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["tinybase_yjs", "vectors"]

_FOLDER = Path(__file__).resolve().parents[1] / "vectors"


def tinybase_yjs() -> dict[str, Any]:
    """Documents that TinyBase wrote with its Yjs persister, and what came of its conflicts."""
    vectors: dict[str, Any] = json.loads((_FOLDER / "tinybase_yjs.json").read_text(encoding="ascii"))
    return vectors


def vectors(name: str) -> Any:
    """Read a file of vectors."""
    return json.loads((_FOLDER / f"{name}.json").read_text())
