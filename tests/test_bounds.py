"""Every bound stands in the table, with its default, and has an option of ``weft serve``."""

from __future__ import annotations

import re
from dataclasses import fields
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from support.commands import weft
from support.pages import DOCS
from weft.cli.values import size
from weft.limits import Limits, ServerLimits
from weft.server import RoomSettings

if TYPE_CHECKING:
    from pathlib import Path

_ROW = re.compile(r"^\| `--([a-z-]+)` \| ([^|]+) \|((?:[^|]+\|){3})$", re.MULTILINE)
_PAGE = (DOCS / "bounds.md").read_text(encoding="utf-8")
_FIXED_ROW = re.compile(r"^\| ([a-z][^|]+) \| ([0-9]+)(?: bytes)? \| [^|]+ \|$", re.MULTILINE)
_FIXED = {
    "name of a room": "server.names.MAX_ROOM_NAME",
    "parameters of a URL": "server.names._MAX_PARAMETERS",
    "items of a CBOR message": "protocols.automerge_repo.cbor.MAX_ITEMS",
    "levels of a CBOR message": "protocols.automerge_repo.cbor._MAX_DEPTH",
    "messages before": "protocols.automerge_repo.session._MAX_GREETINGS",
    "peers whose": "protocols.automerge_repo.session._MAX_SPEAKERS",
    "channels of a TinyBase client": "protocols.tinybase.multiplex.MAX_CHANNELS",
    "bytes of a channel's name": "protocols.tinybase.messages.MAX_ID",
    "parts of a TinyBase message": "protocols.tinybase.fragments.MAX_FRAGMENTS",
    "messages of a TinyBase client": "protocols.tinybase.fragments.MAX_SETS",
    "seconds that parts": "protocols.tinybase.fragments.KEPT_S",
    "operations of an Automerge change": "_codecs.automerge.chunks.MAX_OPS",
    "numbers of operations": "_codecs.automerge.chunks.MAX_LEAP",
    "operations of a saved": "_codecs.automerge.saved_document._MAX_DOCUMENT_OPS",
    "bytes of an Automerge chunk": "_codecs.automerge.chunks.MAX_INFLATED",
    "levels of shared types": "documents.yjs.places.MAX_TYPE_DEPTH",
    "steps of a clock": "protocols.awareness.states._MAX_CLOCK_STEP",
    "parts of a peer's state": "providers.automerge_repo.presence._MAX_CHANNELS",
    "seconds that a server": "providers._core.backoff._MOST_PATIENCE",
    "connections in a row": "providers._core.refusals._MOST",
    "seconds from a signal": "cli.serve._EXIT_TIMEOUT",
    "bytes that wait for a broker": "server.fanout.reconnecting._MAX_WAITING",
}
# A tick of its own, in which nothing is refused.
_NO_BOUND = {"tick"}


def _defaults() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for settings in (Limits(), ServerLimits(), RoomSettings()):
        found |= {each.name: getattr(settings, each.name) for each in fields(settings)}
    return {name: value for name, value in found.items() if name not in _NO_BOUND}


def test_each_setting_has_a_row_and_each_row_is_of_a_setting() -> None:
    rows = [name.replace("-", "_") for name, _, _ in _ROW.findall(_PAGE)]
    assert sorted(rows) == sorted(_defaults())
    assert _PAGE.count("\n| `") == len(rows), "a row that cannot be read"


@pytest.mark.parametrize(("option", "shown", "rest"), _ROW.findall(_PAGE))
def test_a_row_gives_the_default_and_says_something_in_each_column(
    option: str, shown: str, rest: str
) -> None:
    default = _defaults()[option.replace("-", "_")]
    read = size(shown) if shown[-1] in "KMG" else float(shown)
    assert read == default
    assert all(cell.strip() for cell in rest.split("|")[:-1])


def test_each_row_is_an_option_with_the_same_default(tmp_path: Path) -> None:
    told = " ".join(weft("serve", "--help", cwd=tmp_path).stdout.split())
    for option, shown, _ in _ROW.findall(_PAGE):
        found = re.search(rf"--{option} [A-Z]+ .*?\[default: ([^\]]+)\]", told)
        assert found is not None, option
        assert found[1] == shown, option


def test_what_has_no_setting_is_as_the_page_says() -> None:
    rows = dict(_FIXED_ROW.findall(_PAGE))
    assert len(rows) == len(_FIXED)
    for begin, path in _FIXED.items():
        module, _, name = path.rpartition(".")
        (shown,) = [value for what, value in rows.items() if what.startswith(begin)]
        assert float(shown) == getattr(import_module(f"weft.{module}"), name), begin


@pytest.mark.parametrize("settings", [Limits, ServerLimits])
def test_each_setting_has_its_unit_and_reason_in_the_docstring(settings: type[Limits | ServerLimits]) -> None:
    for each in fields(settings):
        found = re.search(
            rf"\n        {each.name}: (.+?)(?=\n        \w+: |\n    \Z)", settings.__doc__ or "", re.DOTALL
        )
        assert found is not None, each.name
        assert len(found[1]) > 30, each.name
