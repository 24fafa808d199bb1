"""Packages that import what is asked for only then, so that nobody needs an extra unawares (PEP 562)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["lazy_exports"]


def lazy_exports(
    package: str,
    homes: Mapping[str, str],
    *,
    extra: str | None = None,
    extras: Mapping[str, str] | None = None,
    own: str = "",
) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Make a package's ``__getattr__``, ``__dir__`` and ``__all__``.

    For type checkers and editors the package imports the same names once more, under ``TYPE_CHECKING`` and
    as themselves; a test compares the two.

    Args:
        package: The package's ``__name__``.
        homes: Modules, below the package or in full, to the names they define, between spaces. A module
            without names is itself what is exported.
        extra: The extra of the distribution that brings what those modules import.
        extras: Modules with an extra of their own.
        own: Names that the package defines itself, between spaces.
    """
    names = {
        name: home for home, listed in homes.items() for name in (listed.split() or [home.rpartition(".")[2]])
    }
    distribution = package.partition(".")[0]

    def get(name: str) -> object:
        home = names.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            module = importlib.import_module(
                home if home.startswith(f"{distribution}.") else f"{package}.{home}"
            )
            return getattr(module, name) if homes[home] else module
        except ImportError as error:
            # Of several packages that import on demand from one another, the one that was asked says it.
            missing = error.__cause__ or error
            named = extra if extras is None else extras.get(home, extra)
            if named is None or not isinstance(missing, ModuleNotFoundError) or missing.name is None:
                raise
            if missing.name.partition(".")[0] == distribution:
                raise
            sentence = (
                f"{package}.{name} needs the package {missing.name!r}: pip install '{distribution}[{named}]'"
            )
            raise ImportError(sentence, name=missing.name) from missing

    def listing() -> list[str]:
        return sorted({*vars(importlib.import_module(package)), *names})

    return get, listing, sorted([*names, *own.split()])
