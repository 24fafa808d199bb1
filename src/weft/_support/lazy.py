"""Packages that import what is asked for only then, so that nobody needs an extra unawares (PEP 562)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["lazy_exports"]


def lazy_exports(
    package: str, homes: Mapping[str, str], *, extra: str, extras: Mapping[str, str] | None = None
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Make a package's ``__getattr__`` and ``__dir__``.

    Args:
        package: The package's ``__name__``.
        homes: Exported name to the module that defines it, below the package or in full.
        extra: The extra of weft that brings what those modules import.
        extras: Modules with an extra of their own.
    """

    def get(name: str) -> object:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            module = importlib.import_module(home if home.startswith("weft.") else f"{package}.{home}")
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] == "weft":
                raise
            named = extra if extras is None else extras.get(home, extra)
            sentence = f"{package}.{name} needs the package {error.name!r}: pip install 'weft[{named}]'"
            raise ImportError(sentence, name=error.name) from error
        return getattr(module, name)

    def names() -> list[str]:
        return sorted({*vars(importlib.import_module(package)), *homes})

    return get, names
