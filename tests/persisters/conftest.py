"""Servers that the tests of persisters share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.hosted import Hosted
from support.pglite import Pglite
from support.sqld import Sqld, sqld_missing

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def sqld(_node: None) -> Iterator[Sqld]:
    """A libSQL server of the session's own."""
    reason = sqld_missing()
    if reason is not None:
        pytest.skip(reason)
    with Sqld() as server:
        yield server


@pytest.fixture(scope="session")
def partykit_rooms(_node: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    """A PartyKit of the session's own."""
    with Hosted("partykit", tmp_path_factory.mktemp("rooms")) as server:
        yield server


@pytest.fixture(scope="session")
def durable_objects(_node: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    """A workerd with Durable Objects of the session's own."""
    with Hosted("durable", tmp_path_factory.mktemp("objects")) as server:
        yield server


@pytest.fixture(scope="session")
def pglite(_node: None) -> Iterator[Pglite]:
    """A PGlite of the session's own."""
    with Pglite() as server:
        yield server
