"""What a browser's storage refuses, as weft's error."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from weft.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weft._aio.javascript import Javascript

__all__ = ["storage_errors"]


@contextmanager
def storage_errors(js: Javascript, place: str) -> Iterator[None]:
    """Raise what JavaScript raises as :class:`~weft.errors.StorageError`, which names the place."""
    try:
        yield
    except js.error as error:
        raise StorageError(f"{place}: {error}") from error
