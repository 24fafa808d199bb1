"""A document where a Store belongs, and the like: said at once, and by name."""

from __future__ import annotations

import gc
import warnings
from typing import TYPE_CHECKING, Any

import automerge.core
import pytest

from weft import AutomergeDocument, AutomergeMirror, Store, YjsMirror, YWebsocketProvider, create_doc
from weft.persisters import (
    AutomergePersister,
    FilePersister,
    LmdbPersister,
    MappingPersister,
    SqliteJsonPersister,
    SqliteTablesPersister,
    TablesConfig,
    YjsPersister,
)

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
