"""The pages of docs/persisters/ are run here, on the servers that the tests of persisters share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from support.markdown import blocks
from support.node import INTEROP
from support.pages import DOCS, import_modules, page_name, run_page

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGES = sorted((DOCS / "persisters").glob("*.md"))


def _postgres(request: pytest.FixtureRequest) -> str:
    """A database of the page's own."""
    server = request.getfixturevalue("postgres")
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS shop")
        connection.execute("CREATE DATABASE shop")
    return f"postgresql://weft@127.0.0.1:{server.port}/shop"


def _pglite(request: pytest.FixtureRequest) -> str:
    dsn: str = request.getfixturevalue("pglite").dsn
    return dsn


def _sqld(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue("sqld").url
    return url


def _powersync(request: pytest.FixtureRequest) -> str:
    request.getfixturevalue("_node")
    return str(INTEROP / "node_modules" / "@powersync" / "node" / "lib" / "libpowersync_x64.linux.so")


def _partykit(request: pytest.FixtureRequest) -> str:
    host: str = request.getfixturevalue("partykit_rooms").host
    return host


def _durable_object(request: pytest.FixtureRequest) -> str:
    host: str = request.getfixturevalue("durable_objects").host
    return f"ws://{host}/Fragmented/farm"


# What stands on a page, and what it is in a test.
PLACES: dict[str, Callable[[pytest.FixtureRequest], str]] = {
    "postgresql://user@host/shop": _postgres,
    "postgresql://postgres@127.0.0.1:5433/postgres?sslmode=disable": _pglite,
    "http://127.0.0.1:8080": _sqld,
    "127.0.0.1:1999": _partykit,
    "ws://127.0.0.1:8787/farm": _durable_object,
    "/usr/lib/powersync.so": _powersync,
}


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_the_examples_of_a_page_run_and_print_what_they_say(
    page: Path, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    text = page.read_text(encoding="utf-8")
    assert any(block.language == "python" for block in blocks(page)), "a page without an example"
    run_page(page, tmp_path, {shown: real(request) for shown, real in PLACES.items() if shown in text})


# The worked example passes the suite in this run of the tests, and not only on the page.
TestRowPersister = import_modules(DOCS / "persisters" / "custom.md")["test_row_persister"].TestRowPersister
