"""The places that a command takes as one word, opened as a Store: what ``weft.connect`` and ``open`` take."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from weft.cli import values
from weft.errors import ProviderError, StorageError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable, Coroutine

    from weft import Store

__all__ = ["Access", "access", "address", "as_json", "is_missing", "look_for_layout", "opened", "run"]

T = TypeVar("T")


def address(name: str = "address") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An argument that is a place; :func:`opened` says what can be one."""
    return click.argument(name, metavar=name.upper())


class Access(NamedTuple):
    """How a server is asked.

    Attributes:
        token: What it is shown.
        patience: Seconds that it may take, to begin with and at the end.
    """

    token: str | None = None
    patience: float = 10.0


def access(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of an :class:`Access`, and that itself."""

    @wraps(function)
    def call(*, token: str | None, timeout: float, **given: Any) -> Any:
        return function(access=Access(token, timeout), **given)

    with_timeout = click.option(
        "--timeout",
        type=values.seconds,
        default="10",
        show_default=True,
        metavar="TIME",
        help="how long a server may take to answer",
    )(call)
    return click.option(
        "--token", envvar="WEFT_TOKEN", metavar="TOKEN", help="for the server (default: $WEFT_TOKEN)"
    )(with_timeout)


as_json = click.option("--json", "as_json", is_flag=True, help="print JSON, for programs")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Do it in an event loop of its own."""
    import asyncio

    return asyncio.run(work)


@asynccontextmanager
async def opened(
    place: str, access: Access, *, make: bool = True, layout: Any = None
) -> AsyncIterator[Store]:
    """Open a place: the Store has everything that is there, and what is written goes there at the end.

    Args:
        place: Of a server, a replica, a file or a database.
        access: To a server.
        make: Whether a file that is not there is made.
        layout: As for ``weft.connect``.

    Raises:
        click.BadParameter: It is no place.
        ProviderError: The server cannot be reached, does not answer, or refuses.
        StorageError: The file or database cannot be opened or written.
    """
    import asyncio

    import weft

    if not _is_server(place):
        if not make and is_missing(place):
            raise StorageError(f"{place}: there is no such file")
        try:
            opening = weft.open(place, layout=layout)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
        async with opening as store:
            yield store
        return
    failed: asyncio.Future[ProviderError] = asyncio.get_running_loop().create_future()

    def on_error(error: Exception) -> None:
        if isinstance(error, ProviderError) and not failed.done():
            failed.set_result(error)

    try:
        connecting = weft.connect(
            place, layout=layout, token=access.token, on_error=on_error, close_timeout=access.patience
        )
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    async with connecting as store:
        await _synced(store, failed, access.patience)
        yield store
        await store.sync.flush(access.patience)


async def _synced(store: Any, failed: asyncio.Future[ProviderError], patience: float) -> None:
    """Wait for the content; a command does not try again, as a program would."""
    import asyncio

    waiting = asyncio.ensure_future(store.sync.wait_synced(patience))
    await asyncio.wait([waiting, failed], return_when=asyncio.FIRST_COMPLETED)
    if not waiting.done():
        waiting.cancel()
        await asyncio.wait([waiting])
        raise failed.result()
    waiting.result()


def is_missing(place: str) -> bool:
    """Whether it is a file, and not there."""
    return "://" not in place and not Path(place.removeprefix("sqlite:")).exists()


async def look_for_layout(place: str, access: Access) -> Any:
    """Propose a layout for the document of a place.

    Raises:
        click.UsageError: It has no document of its own, or nothing in it can be shown.
        ProviderError, StorageError: As :func:`opened`.
    """
    import weft

    # A shape has to be said, so that nothing is taken for a Store's and refused; this one is nobody's.
    nothing = {"nothing": weft.MapOfValues("weft.nothing")}
    async with opened(place, access, make=False, layout=nothing) as store:
        document = getattr(store.sync, "document", None)  # type: ignore[attr-defined]
        if document is None:
            raise click.UsageError(f"{place} keeps no document whose shapes could be looked for")
        found = weft.inspect(document)
    if found.layout is None:
        raise click.UsageError(f"nothing in {place} can be shown as tables: {found}")
    return found.layout


def _is_server(place: str) -> bool:
    scheme, separator, _ = place.partition("://")
    return bool(separator) and scheme.lower().endswith(("ws", "wss"))
