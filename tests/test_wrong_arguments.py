"""A document where a Store belongs, and the like: said at once, and by name."""

from __future__ import annotations

import gc
import warnings
from typing import TYPE_CHECKING, Any

import automerge.core
import pytest

from weft import (
    AutomergeDocument,
    AutomergeMirror,
    AutomergeWebsocketProvider,
    Store,
    YjsMirror,
    YWebsocketProvider,
    create_doc,
)
from weft.persisters import (
    ApswDriver,
    AsyncpgDriver,
    AutomergePersister,
    CustomPersister,
    FilePersister,
    LibsqlDriver,
    LmdbPersister,
    MappingPersister,
    ObjectStorePersister,
    PostgresJsonPersister,
    PostgresTablesPersister,
    PsycopgDriver,
    RemotePersister,
    SqliteJsonPersister,
    SqliteTablesPersister,
    TablesConfig,
    TursoDriver,
    YjsPersister,
    blocking,
)
from weft.server import MemoryRoomStorage, Server, SqliteRoomStorage, allow_all

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STORE = r"^a weft\.Store is needed here, and this is of type "
DOC = r"^a pycrdt\.Doc, such as weft\.create_doc\(\) makes, is needed here, and this is of type "
AUTOMERGE = r"^a weft\.AutomergeDocument is needed here, and this is of type "


# Untyped: a type checker finds these too.
a_store: Callable[[], Any] = Store
a_doc: Callable[[], Any] = create_doc
a_document: Callable[[], Any] = AutomergeDocument
a_raw_document: Callable[[], Any] = automerge.core.Document


def any_of(given: object) -> Any:
    """The same, where a type checker would object."""
    return given


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: YjsMirror(a_doc(), a_store()), rf"{STORE}pycrdt\._doc\.Doc$"),
        (lambda: YjsMirror(a_store(), a_store()), rf"{DOC}weft\.store\._core\.store\.Store$"),
        (lambda: YjsMirror(a_store(), a_document()), DOC),
        (lambda: AutomergeMirror(a_document(), a_store()), STORE),
        (lambda: AutomergeMirror(a_store(), a_doc()), AUTOMERGE),
        (lambda: AutomergeMirror(a_store(), a_raw_document()), AUTOMERGE),
        (lambda: YjsPersister(a_doc(), a_store()), STORE),
        (lambda: YjsPersister(a_store(), a_store()), DOC),
        (lambda: AutomergePersister(a_store(), a_doc()), AUTOMERGE),
        (lambda: YWebsocketProvider(a_store(), "ws://127.0.0.1:1", "farm"), DOC),
        (lambda: YWebsocketProvider(any_of("ws://127.0.0.1:1"), "farm", "farm"), rf"{DOC}str$"),
        (lambda: YWebsocketProvider(a_document(), "ws://127.0.0.1:1", "farm"), DOC),
        (lambda: AutomergeWebsocketProvider(any_of("ws://127.0.0.1:1"), "ws://127.0.0.1:1"), AUTOMERGE),
        (lambda: AutomergeWebsocketProvider(a_doc(), "ws://127.0.0.1:1"), AUTOMERGE),
        (lambda: AutomergeWebsocketProvider(a_raw_document(), "ws://127.0.0.1:1"), AUTOMERGE),
    ],
)
def test_a_store_where_a_document_belongs_and_the_other_way_round(
    make: Callable[[], Any], sentence: str
) -> None:
    with pytest.raises(TypeError, match=sentence):
        make()


@pytest.mark.parametrize("wrong", [None, "store.json", {"pets": {}}], ids=repr)
def test_something_else_where_a_persister_takes_a_store(wrong: Any, tmp_path: Path) -> None:
    config = TablesConfig(load={"pets": "pets"}, save={"pets": "pets"})
    for make in (
        lambda: FilePersister(wrong, tmp_path / "a"),
        lambda: MappingPersister(wrong, {}, "key"),
        lambda: LmdbPersister(wrong, tmp_path / "b"),
        lambda: SqliteJsonPersister(wrong, tmp_path / "c"),
        lambda: SqliteTablesPersister(wrong, tmp_path / "d", config),
    ):
        with pytest.raises(TypeError, match=STORE):
            make()
    assert list(tmp_path.iterdir()) == []


MIRRORS: list[Callable[[], YjsMirror | AutomergeMirror]] = [
    lambda: YjsMirror(Store(), create_doc()),
    lambda: AutomergeMirror(Store(), AutomergeDocument()),
]


@pytest.mark.parametrize("make", MIRRORS, ids=["yjs", "automerge"])
def test_a_mirror_says_whether_it_runs(make: Callable[[], YjsMirror | AutomergeMirror]) -> None:
    mirror = make()
    assert repr(mirror).endswith("of <Store no tables; 0 values>, never started>")
    with mirror:
        assert repr(mirror).endswith(", running>")
    assert repr(mirror).endswith(", stopped>")


@pytest.mark.parametrize("make", MIRRORS, ids=["yjs", "automerge"])
def test_a_mirror_that_was_never_started_is_warned_of(
    make: Callable[[], YjsMirror | AutomergeMirror],
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make()
        gc.collect()
    assert any("was never started, so nothing was mirrored" in str(warning.message) for warning in caught)


@pytest.mark.parametrize(
    "make",
    [
        lambda on_error, _path: YjsMirror(Store(), create_doc(), on_error=on_error),
        lambda on_error, _path: AutomergeMirror(Store(), AutomergeDocument(), on_error=on_error),
        lambda on_error, path: FilePersister(Store(), path, on_error=on_error),
        lambda on_error, path: FilePersister(Store(), path, on_ignored_error=on_error),
        lambda on_error, _path: YjsPersister(Store(), create_doc(), on_error=on_error),
        lambda on_error, _path: YWebsocketProvider(create_doc(), "ws://localhost", "room", on_error=on_error),
    ],
)
def test_nobody_awaits_an_on_error(make: Callable[..., object], tmp_path: Path) -> None:
    async def on_error(_error: Exception) -> None: ...

    with pytest.raises(TypeError, match=r"on_error is called and not awaited, so that .* a coroutine"):
        make(on_error, tmp_path / "store.json")


CONFIG = TablesConfig(load={"pets": "pets"}, save={"pets": "pets"})
URL = "ws://127.0.0.1:1"
WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "a path": (lambda: FilePersister(Store(), any_of(None)), "a path, as str or pathlib.Path, "),
    "a path in bytes": (lambda: FilePersister(Store(), any_of(b"x")), "a path, as str or pathlib.Path, "),
    "a path for tables": (
        lambda: SqliteTablesPersister(Store(), any_of(5), CONFIG),
        "a path, a sqlite3.Connection, ",
    ),
    "a path for text": (lambda: SqliteJsonPersister(Store(), any_of({})), "a path, a sqlite3.Connection, "),
    "a path for apsw": (lambda: ApswDriver(any_of(None)), "a path or an apsw.Connection "),
    "a path for libsql": (lambda: LibsqlDriver(any_of(None)), "a path or the URL of a server "),
    "a path for turso": (lambda: TursoDriver(any_of(None)), "a path, as str or pathlib.Path, "),
    "a path for lmdb": (lambda: LmdbPersister(Store(), any_of(None)), "a path, as str or pathlib.Path, "),
    "a path for rooms": (lambda: SqliteRoomStorage(any_of(None)), "a path, as str or pathlib.Path, "),
    "a key for lmdb": (lambda: LmdbPersister(Store(), "env", any_of(b"key")), "a str for key "),
    "a configuration": (
        lambda: SqliteTablesPersister(Store(), ":memory:", any_of({"load": {}})),
        "a weft.persisters.TablesConfig ",
    ),
    "a configuration for PostgreSQL": (
        lambda: PostgresTablesPersister(Store(), "postgresql://x", any_of({"load": {}})),
        "a weft.persisters.TablesConfig ",
    ),
    "a Store for PostgreSQL": (lambda: PostgresJsonPersister(a_doc(), "postgresql://x"), "a weft.Store "),
    "a driver": (lambda: PostgresJsonPersister(Store(), any_of(object())), "a DSN, or a driver such as "),
    "a DSN for asyncpg": (lambda: AsyncpgDriver(any_of({"host": "x"})), "a DSN, such as "),
    "a DSN for psycopg": (lambda: PsycopgDriver(any_of(None)), "a DSN, such as "),
    "a cell": (lambda: SqliteJsonPersister(Store(), ":memory:", any_of(5)), "a weft.persisters.JsonCell, "),
    "a mapping": (lambda: MappingPersister(Store(), any_of("store.json")), "a mutable mapping "),
    "a mapping and no list": (lambda: MappingPersister(Store(), any_of([])), "a mutable mapping "),
    "a URL": (lambda: RemotePersister(Store(), any_of(None)), "a URL, as str, "),
    "an object store": (
        lambda: ObjectStorePersister(Store(), any_of("s3://b")),
        "a store of obstore, such as ",
    ),
    "functions": (lambda: CustomPersister(Store(), any_of(5), print, print, print), "a function "),
    "on_error": (lambda: MappingPersister(Store(), on_error=any_of("log")), "a function for on_error "),
    "on_sql_command": (
        lambda: SqliteJsonPersister(Store(), ":memory:", on_sql_command=any_of(True)),
        "a function for on_sql_command ",
    ),
    "a number of seconds": (
        lambda: FilePersister(Store(), "x", poll_seconds=any_of("1")),
        "a number of seconds for poll_seconds ",
    ),
    "a persister": (
        lambda: blocking(any_of(Store())),
        r"a persister, such as FilePersister\(store, path\), ",
    ),
    "a persister and no class": (lambda: blocking(any_of(FilePersister)), "a persister, such as "),
    "the URL of a server": (
        lambda: YWebsocketProvider(create_doc(), any_of(None), "farm"),
        "the URL of a server, ",
    ),
    "the URL of a repository": (
        lambda: AutomergeWebsocketProvider(AutomergeDocument(), any_of(5)),
        "the URL of a server, ",
    ),
    "a room": (lambda: YWebsocketProvider(create_doc(), URL, any_of(None)), "the name of a room, as str, "),
    "a document URL": (
        lambda: AutomergeWebsocketProvider(AutomergeDocument(), URL, any_of(AutomergeDocument())),
        "an automerge: URL, as str, ",
    ),
    "params": (
        lambda: YWebsocketProvider(create_doc(), URL, "farm", params=any_of("token=x")),
        "a mapping for params, or a function that returns one, ",
    ),
    "headers": (
        lambda: YWebsocketProvider(create_doc(), URL, "farm", headers=any_of([("a", "b")])),
        "a mapping for headers, or a function that returns one, ",
    ),
    "subprotocols": (
        lambda: YWebsocketProvider(create_doc(), URL, "farm", subprotocols="yjs"),
        "a list for subprotocols, or a function that returns one, ",
    ),
    "limits": (
        lambda: YWebsocketProvider(create_doc(), URL, "farm", limits=any_of({})),
        "a weft.limits.Limits ",
    ),
    "backoff": (
        lambda: YWebsocketProvider(create_doc(), URL, "farm", backoff=any_of(1.5)),
        "a weft.providers.Backoff ",
    ),
    "a transport": (
        lambda: YWebsocketProvider(create_doc(), URL, "farm", transport=any_of("ws")),
        r"a transport, such as WebsocketsTransport\(\), ",
    ),
    "awareness": (
        lambda: YWebsocketProvider(create_doc(), URL, "farm", awareness=any_of({"name": "me"})),
        "a bool or a weft.protocols.awareness.Awareness ",
    ),
    "on_error of a provider": (
        lambda: YWebsocketProvider(create_doc(), URL, "farm", on_error=any_of("log")),
        "a function for on_error ",
    ),
    "seconds of a provider": (
        lambda: YWebsocketProvider(create_doc(), URL, "farm", open_timeout=any_of(None)),
        "a number of seconds for open_timeout ",
    ),
    "auth": (
        lambda: Server(auth=any_of(True), storage=MemoryRoomStorage()),
        "a function for auth, such as allow_all, ",
    ),
    "a storage": (
        lambda: Server(auth=allow_all, storage=any_of("rooms.db")),
        r"a storage, such as SqliteRoomStorage\(path\), ",
    ),
}


@pytest.mark.parametrize(("make", "needed"), WRONG.values(), ids=list(WRONG))
def test_something_else_than_what_is_needed(make: Callable[[], object], needed: str) -> None:
    with pytest.raises(TypeError, match=f"^{needed}.*is needed here, and this is of type "):
        make()
    gc.collect()  # what was not made is not warned of either


PATHS: dict[str, Callable[[str], object]] = {
    "file": lambda path: FilePersister(Store(), path),
    "lmdb": lambda path: LmdbPersister(Store(), path),
    "sqlite": lambda path: SqliteJsonPersister(Store(), path),
    "apsw": ApswDriver,
    "turso": TursoDriver,
    "rooms": SqliteRoomStorage,
}


@pytest.mark.parametrize("make", PATHS.values(), ids=list(PATHS))
@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("", "a path is needed here, and not ''"),
        ("a\0b", "a path is needed here, and not 'a"),
        ("sqlite:///shop.db", "a path is needed here, and this is a URL"),
        ("file:shop.db?mode=ro", "a path is needed here, and this is a URL"),
    ],
)
def test_a_text_that_is_no_path(make: Callable[[str], object], path: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}"):
        make(path)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_number_of_seconds_that_cannot_be_waited(seconds: float) -> None:
    sentence = "must be a number of seconds, above 0, not "
    with pytest.raises(ValueError, match=f"^poll_seconds {sentence}"):
        FilePersister(Store(), "store.json", poll_seconds=seconds)
    with pytest.raises(ValueError, match=f"^auto_load_interval_seconds {sentence}"):
        TablesConfig(auto_load_interval_seconds=seconds)
    with pytest.raises(ValueError, match=f"^open_timeout {sentence}"):
        YWebsocketProvider(create_doc(), URL, "farm", open_timeout=seconds)


async def test_a_persister_says_where_it_stands(tmp_path: Path) -> None:
    path, store = tmp_path / "store.json", Store()
    persister = FilePersister(store, path)
    begin = f"<FilePersister of {path} and <Store no tables; 0 values>, "
    assert repr(persister) == f"{begin}never used>"
    assert repr(blocking(persister)) == f"<BlockingPersister of {persister!r}>"
    await persister.load()
    assert repr(persister) == f"{begin}open>"
    await persister.start_auto_load()
    assert repr(persister) == f"{begin}loading by itself>"
    await persister.start_auto_save()
    assert repr(persister) == f"{begin}loading and saving by itself>"
    await persister.close()
    assert repr(persister) == f"{begin}closed>"
    async with (
        MappingPersister(store) as other,
        SqliteTablesPersister(store, tmp_path / "db", CONFIG) as tables,
    ):
        await other.load()
        await tables.load()
        assert repr(other).startswith("<MappingPersister of key 'store' and <Store ")
        assert repr(tables).startswith(f"<SqliteTablesPersister of {tmp_path / 'db'} and <Store ")


async def in_a_block(persister: Any) -> None:
    async with persister:
        pass  # it loads and saves nothing by itself


@pytest.mark.parametrize("end", ["forgotten", "a block in which nothing was called"])
async def test_a_persister_that_was_never_used_is_warned_of(end: str, tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for make in (
            lambda: FilePersister(Store(), tmp_path / "store.json"),
            lambda: YjsPersister(Store(), create_doc()),
        ):
            persister = make()
            if end != "forgotten":
                await in_a_block(persister)
            del persister
        gc.collect()
    assert [
        str(warning.message).partition(" was never used, so nothing was loaded or saved: ")[0]
        for warning in caught
    ] == [
        "FilePersister",
        "YjsPersister",
    ]


async def test_a_persister_that_was_used_or_could_not_be_is_not_warned_of(tmp_path: Path) -> None:
    async def fail() -> None:
        async with FilePersister(Store(), tmp_path / "store.json"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    with pytest.raises(TypeError, match=DOC):
        YjsPersister(Store(), a_store())
    await MappingPersister(Store()).load()
    gc.collect()


PROVIDERS: dict[str, Callable[[], YWebsocketProvider | AutomergeWebsocketProvider]] = {
    "yjs": lambda: YWebsocketProvider(create_doc(), URL, "farm"),
    "automerge": lambda: AutomergeWebsocketProvider(AutomergeDocument(), URL),
}


@pytest.mark.parametrize("make", PROVIDERS.values(), ids=list(PROVIDERS))
async def test_a_provider_that_was_never_connected_says_so_and_is_warned_of(
    make: Callable[[], YWebsocketProvider | AutomergeWebsocketProvider],
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        provider = make()
        assert repr(provider).endswith(" never connected>")
        del provider
        gc.collect()
    (warning,) = caught
    assert "WebsocketProvider was never connected, so nothing was synchronised: " in str(warning.message)
    provider = make()
    await provider.close()
    assert repr(provider).endswith(" closed>")
    del provider
    gc.collect()
