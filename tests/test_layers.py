"""Imports point down: the layer table of the design, read from the source by ``ast``."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

SRC = Path(__file__).resolve().parents[1] / "src"

# The rooms of the house, each with its layer; the longest entry that a module's name begins with counts.
LAYERS = {
    "weft.errors": 0,
    "weft.limits": 0,
    "weft._support": 0,
    "weft._aio": 0,
    "weft._codecs": 1,
    "weft.jsoncodec": 1,
    "weft.values": 2,
    "weft.changes": 2,
    "weft.deltas": 2,
    "weft.store": 3,
    "weft.documents": 3,
    "weft.mirrors": 5,
    "weft.mergeable": 6,
    "weft.protocols": 5,
    "weft.persisters": 6,
    "weft.providers": 6,
    "weft.server": 7,
    "weft.facade": 8,
    "weft.sync": 8,
    "weft.cli": 8,
    "weft.notebook": 8,
    "weft.testing": 8,
    "weft.__main__": 8,
    "weft": 9,
}

# Extras, each with the only places that may import it (a prefix ends with a dot).
EXTRAS = {
    "pycrdt": (
        "weft.documents.yjs.",
        "weft.mirrors.yjs.",
        "weft.persisters.yjs",
        "weft.providers.replica.yjs",
        "weft.providers.ysync.provider",
        "weft.server.editing",
        "weft.server.versions",
        "weft.testing.sim.",
    ),
    "websockets": (
        "weft.providers._core.websockets",
        "weft.server.fronts.admission",
        "weft.server.fronts.connections",
        "weft.server.fronts.frames",
        "weft.server.fronts.handshake",
        "weft.server.fronts.operations",
        "weft.server.fronts.socket_writer",
        "weft.server.fronts.websocket",
        "weft.server.fronts.websocket_link",
    ),
    "click": ("weft.cli.",),
    "rich": ("weft.cli.",),
    "uvloop": ("weft.cli.event_loop",),
    "aiohttp": ("weft.persisters.remote", "weft.persisters.partykit."),
    "lmdb": ("weft.persisters.lmdb",),
    "asyncpg": ("weft.persisters.postgres.asyncpg", "weft.server.storage.postgres"),
    "psycopg": ("weft.persisters.postgres.psycopg",),
    "apsw": ("weft.persisters.sqlite.apsw",),
    "libsql": ("weft.persisters.sqlite.libsql",),
    "turso": ("weft.persisters.sqlite.turso",),
    "obstore": ("weft.persisters.objectstore", "weft.server.object_versions"),
    "automerge": ("weft.documents.automerge.binding",),
    "cbor2": ("weft.protocols.automerge_repo.cbor",),
    "watchfiles": ("weft.persisters.file",),
    "redis": ("weft.server.fanout.redis",),
    "nats": ("weft.server.fanout.nats",),
    "prometheus_client": ("weft.server.metrics",),
    # The packages of data frames are the user's own: no extra brings them. The views name their types only.
    "pandas": ("weft.store.frames", "weft.store._core.views"),
    "polars": ("weft.store.frames", "weft.store._core.views"),
    "pyarrow": ("weft.store.frames", "weft.store._core.views", "weft.cli.records"),
    "anywidget": ("weft.notebook.widget",),
    "pytest": ("weft.testing.persisters.", "weft.testing.storage."),
}

# Modules with which code could open a socket, read a clock or draw at random. Nothing up to the protocols
# may: there, time and randomness are arguments.
IMPURE = frozenset(
    {
        "asyncio", "concurrent", "datetime", "http", "multiprocessing", "random", "secrets", "select",
        "selectors", "signal", "socket", "socketserver", "ssl", "subprocess", "threading", "time", "urllib",
        "uuid",
    }
)  # fmt: skip
# What the design itself asks for: client ids of documents come from the system's generator.
# And the row ids of a shared Store sort by time, and nobody else makes them: TinyBase's ``addRow`` has
# no argument for either. ``Store(row_ids=…)`` takes a function instead, where both are to be arguments.
IMPURE_ALLOWED = {
    ("weft.documents", "secrets"),
    ("weft.store._parts.unique_ids", "time"),
    ("weft.store._core.undo_manager", "time"),  # what its clock is unless another is given
    # A stamp is of the machine's time, unless it is given.
    ("weft.documents.mergeable.clock", "time"),
    # The name of the file into which the content of one that was replaced is put.
    ("weft._support.sqlite_file", "secrets"),
    # Only the types are used, as what can be made a cell.
    ("weft.store.converters", "datetime"),
    ("weft.store.converters", "uuid"),
}


@dataclass(frozen=True, slots=True)
class Import:
    """One import statement of a module; ``no_import`` where importing the module does not run it."""

    target: str
    no_import: bool
    line: int


def _is_never_imported_by_others(test: ast.expr) -> bool:
    """Whether the block is for type checkers, or for a module that is run as a program."""
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING", "__name__ == '__main__'"}


def _imports(module: str, path: Path, modules: set[str]) -> list[Import]:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found: list[Import] = []

    def visit(node: ast.AST, no_import: bool) -> None:
        if isinstance(node, ast.If) and _is_never_imported_by_others(node.test):
            for child in node.body:
                visit(child, True)
            for child in node.orelse:
                visit(child, no_import)
            return
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, no_import, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parent = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parent, *([base] if base else [])])
            for alias in node.names:
                name = f"{base}.{alias.name}"
                found.append(Import(name if name in modules else base, no_import, node.lineno))
        for below in ast.iter_child_nodes(node):
            visit(below, no_import)

    visit(ast.parse(path.read_text(encoding="utf-8")), False)
    return found


def _read() -> dict[str, list[Import]]:
    paths = {}
    for path in sorted((SRC / "weft").rglob("*.py")):
        parts = path.relative_to(SRC).with_suffix("").parts
        paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return {module: _imports(module, path, set(paths)) for module, path in paths.items()}


MODULES = _read()


def _home(module: str) -> str:
    """The entry of the layer table that a module falls under."""
    return module if module == "weft" else ".".join(module.split(".")[:2])


def _is_own(target: str) -> bool:
    return target == "weft" or target.startswith("weft.")


def test_every_module_has_a_layer() -> None:
    assert len(MODULES) > 8
    assert [module for module in MODULES if _home(module) not in LAYERS] == []


def test_imports_point_down_or_to_siblings() -> None:
    wrong = [
        f"{module}:{item.line} imports {item.target}"
        for module, imports in MODULES.items()
        for item in imports
        if _is_own(item.target)
        and not (
            LAYERS[_home(item.target)] < LAYERS[_home(module)]
            # Siblings: one package, or the ground, which is a handful of modules beside each other.
            or _home(item.target) == _home(module)
            or LAYERS[_home(item.target)] == LAYERS[_home(module)] < 3
            # The edges are the only ones who may use the package as its users do.
            or LAYERS[_home(module)] == 8
        )
    ]
    assert wrong == []


def _is_face(module: str) -> bool:
    return any(other.startswith(f"{module}.") for other in MODULES)


# Packages for everybody, although their names begin with an underscore.
SHARED = {"_aio", "_codecs", "_support"}


def test_nobody_imports_a_private_room_of_another_package() -> None:
    wrong = []
    for module, imports in MODULES.items():
        for item in imports:
            parts = item.target.split(".")
            private = [at for at, part in enumerate(parts) if part.startswith("_") and part not in SHARED]
            if parts[0] == "weft" and private and parts[: private[0]] != module.split(".")[: private[0]]:
                wrong.append(f"{module}:{item.line} imports {item.target}")
    assert wrong == []


# What a room may import of its own package; a room that is not named may import all of it.
ROOMS = {
    "weft._codecs.yjs": ("weft._codecs.yjs",),
    "weft._codecs.automerge": ("weft._codecs.automerge",),
    "weft.store._parts": ("weft.store._parts",),
    # The views of tables read and make data frames, with what converts.
    "weft.store._core": ("weft.store._parts", "weft.store._core", "weft.store.records", "weft.store.frames"),
    "weft.store.frames": (),
    "weft.store.replica": ("weft.store._parts", "weft.store._core"),
    "weft.documents.compaction": (),
    "weft.documents.owned": (),
    "weft.documents.yjs": ("weft.documents.yjs", "weft.documents.compaction", "weft.documents.owned"),
    "weft.documents.automerge": (
        "weft.documents.automerge", "weft.documents.compaction", "weft.documents.owned",
    ),
    "weft.documents.mergeable": (
        "weft.documents.mergeable", "weft.documents.compaction", "weft.documents.owned",
    ),
    "weft.mirrors.mirror": ("weft.mirrors.texts", "weft.mirrors.writes"),
    "weft.mirrors.writes": (),
    "weft.mirrors.texts": (),
    "weft.mirrors.places": (),
    "weft.mirrors.shapes": ("weft.mirrors.shapes", "weft.mirrors.mirror", "weft.mirrors.places"),
    "weft.mirrors.yjs": (
        "weft.mirrors.yjs",
        "weft.mirrors.shapes",
        "weft.mirrors.mirror",
        "weft.mirrors.places",
        "weft.mirrors.writes",
    ),
    "weft.mirrors.automerge": (
        "weft.mirrors.automerge",
        "weft.mirrors.shapes",
        "weft.mirrors.mirror",
        "weft.mirrors.places",
        "weft.mirrors.writes",
    ),
    "weft.mirrors.mergeable": ("weft.mirrors.mergeable", "weft.mirrors.mirror", "weft.mirrors.places"),
    "weft.persisters._core": ("weft.persisters._core",),
    "weft.persisters._text": ("weft.persisters._core", "weft.persisters._text"),
    "weft.persisters.sql": ("weft.persisters._core", "weft.persisters._text", "weft.persisters.sql"),
    "weft.persisters.sqlite": (
        "weft.persisters._core", "weft.persisters._text", "weft.persisters.sql", "weft.persisters.sqlite",
    ),
    "weft.persisters.postgres": (
        "weft.persisters._core", "weft.persisters._text", "weft.persisters.sql", "weft.persisters.postgres",
    ),
    "weft.persisters.durable_objects": (
        "weft.persisters._core", "weft.persisters._text", "weft.persisters.sql",
        "weft.persisters.sqlite.dialect",
        "weft.persisters.durable_objects",
    ),
    "weft.persisters.partykit": (
        "weft.persisters._core", "weft.persisters._text", "weft.persisters.partykit",
    ),
    "weft.protocols.effects": (),
    "weft.protocols.awareness": ("weft.protocols.awareness",),
    "weft.protocols.ysync": ("weft.protocols.ysync", "weft.protocols.awareness", "weft.protocols.effects"),
    "weft.protocols.automerge_repo": ("weft.protocols.automerge_repo", "weft.protocols.effects"),
    "weft.protocols.tinybase": ("weft.protocols.tinybase", "weft.protocols.effects"),
    "weft.providers.address": (),
    "weft.providers.transport": (),
    "weft.providers._core": ("weft.providers.address", "weft.providers.transport", "weft.providers._core"),
    "weft.providers.replica": ("weft.providers.replica",),
    "weft.providers.ysync": (
        "weft.providers.address", "weft.providers.transport", "weft.providers._core",
        "weft.providers.replica",
        "weft.providers.ysync",
    ),
    "weft.providers.automerge_repo": (
        "weft.providers.address", "weft.providers.transport", "weft.providers._core",
        "weft.providers.replica",
        "weft.providers.automerge_repo",
    ),
    "weft.providers.tinybase": (
        "weft.providers.address", "weft.providers.transport", "weft.providers._core",
        "weft.providers.replica",
        "weft.providers.tinybase",
    ),
    "weft.notebook.order": (),
    "weft.notebook.page": ("weft.notebook.order",),
    "weft.notebook.edits": ("weft.notebook.page",),
    "weft.notebook.batches": (),
    "weft.server.storage": ("weft.server.storage",),
    "weft.server._core": ("weft.server._core", "weft.server.storage"),
    "weft.server.ysync": (
        "weft.server._core", "weft.server.storage", "weft.server.auth", "weft.server.ysync",
    ),
    "weft.server.automerge_repo": (
        "weft.server._core", "weft.server.storage", "weft.server.auth",
        "weft.server.asked_rooms", "weft.server.asking_peer",
        "weft.server.automerge_repo",
    ),
    "weft.server.tinybase": (
        "weft.server._core", "weft.server.storage", "weft.server.auth",
        "weft.server.asked_rooms", "weft.server.asking_peer",
        "weft.server.names", "weft.server.tinybase",
    ),
    "weft.server.fanout": ("weft.server.fanout",),
}  # fmt: skip


def _room(module: str, rooms: Iterable[str]) -> str:
    return max((room for room in rooms if f"{module}.".startswith(f"{room}.")), key=len, default="")


def test_a_room_knows_no_neighbour_but_those_the_plan_names() -> None:
    wrong = [
        f"{module}:{item.line} imports {item.target}"
        for module, imports in MODULES.items()
        if (room := _room(module, ROOMS))
        for item in imports
        if _home(item.target) == _home(module) and not _room(item.target, ROOMS[room])
    ]
    assert wrong == []


def test_the_rooms_are_there() -> None:
    assert [room for room in ROOMS if not any(_room(module, [room]) for module in MODULES)] == []


def test_there_is_no_import_circle() -> None:
    # Imports for type checkers count: where two files name each other, one of them is to name a protocol.
    # Only the faces are let off, which name what they import on demand.
    graph = {
        module: {
            item.target
            for item in imports
            if _is_own(item.target) and not (item.no_import and _is_face(module))
        }
        for module, imports in MODULES.items()
    }
    for (
        through,
        onward,
    ) in graph.items():  # what can be reached from each module, by way of more and more others
        for targets in graph.values():
            if through in targets:
                targets.update(onward)
    circles = {
        tuple(sorted(other for other in reached if module in graph[other]))
        for module, reached in graph.items()
        if module in reached
    }
    assert circles == set()


def test_third_party_packages_are_imported_where_the_table_says() -> None:
    wrong = [
        f"{module}:{item.line} imports {item.target}"
        for module, imports in MODULES.items()
        for item in imports
        if not _is_own(item.target)
        and (top := item.target.partition(".")[0]) not in sys.stdlib_module_names
        and not any(
            module.startswith(place) if place.endswith(".") else module == place
            for place in EXTRAS.get(top, ())
        )
    ]
    assert wrong == []


def test_bindings_are_reached_through_documents_and_mirrors() -> None:
    wrong = [
        f"{module}:{item.line} imports {item.target}"
        for module, imports in MODULES.items()
        for item in imports
        if item.target in {"weft.documents.yjs.binding", "weft.documents.automerge.binding"}
        and _home(module) not in {"weft.documents", "weft.mirrors"}
    ]
    assert wrong == []


def test_time_randomness_and_sockets_are_arguments_up_to_the_protocols() -> None:
    wrong = [
        f"{module}:{item.line} imports {item.target}"
        for module, imports in MODULES.items()
        for item in imports
        if LAYERS[_home(module)] < 6
        and _home(module) != "weft._aio"
        and (top := item.target.partition(".")[0]) in IMPURE
        and not {(_home(module), top), (module, top)} & IMPURE_ALLOWED
    ]
    assert wrong == []


@pytest.mark.parametrize("statement", ["import weft", "import weft.store", "import weft.protocols"])
def test_importing_the_core_loads_neither_asyncio_nor_an_extra(statement: str) -> None:
    unwanted = ["asyncio", "pycrdt", "websockets", "automerge", "cbor2", "asyncpg", "sqlite3", "ssl"]
    if statement == "import weft.protocols":
        # Sessions work on documents, so the binding may come with them; the network may not.
        unwanted.remove("pycrdt")
    program = f"{statement}\nimport sys\nprint([name for name in {unwanted!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("missing", "names"),
    [
        (["pycrdt"], ["mirrors.AutomergeMirror", "persisters.AutomergePersister"]),
        (["pycrdt"], ["mirrors.AutomergeDocument", "providers.AutomergeWebsocketProvider"]),
        (["pycrdt", "automerge", "cbor2"], ["providers.TinyBaseProvider", "facade.tinybase.PROTOCOL"]),
        (["automerge", "cbor2"], ["mirrors.yjs.YjsMirror", "persisters.YjsPersister", "server.Server"]),
        (["automerge", "cbor2"], ["providers.YWebsocketProvider", "testing.SimNet"]),
    ],
)
def test_either_document_needs_no_package_of_the_other(missing: list[str], names: list[str]) -> None:
    program = f"""
import importlib, sys
sys.modules.update(dict.fromkeys({missing!r}))
for name in {names!r}:
    module, _, thing = name.rpartition(".")
    getattr(importlib.import_module("weft." + module), thing)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.stderr == ""
