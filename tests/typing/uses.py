"""Typical uses of the public API: the type checkers must find nothing here. Checked, never run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, assert_type

from weft import UNDEFINED, Cell, Changes, Content, Store, Undefined, Value
from weft.errors import InvalidCellError
from weft.mirrors import AutomergeDocument
from weft.mirrors.yjs import YjsMirror, create_doc
from weft.providers import AutomergeWebsocketProvider, DocHandle, YWebsocketProvider
from weft.store import Checkpoints, Middleware, Transaction, to_tables_schema

if TYPE_CHECKING:
    from collections.abc import MutableMapping


@dataclass
class Pet:
    species: Literal["dog", "cat"]
    legs: int = 4
    owner: str | None = None


def reading_and_writing(store: Store) -> None:
    store.set_cell("pets", "fido", "legs", 4).set_row("pets", "rex", {"species": "dog"}).set_value(
        "open", True
    )
    store.set_cell("pets", "fido", "tags", ["good", {"since": 2020}])
    store.set_cell("pets", "fido", "legs", lambda old: old + 1 if isinstance(old, int) else 1)
    assert_type(store.get_cell("pets", "fido", "legs"), Cell)
    assert_type(store.get_cell("pets", "fido", "legs", UNDEFINED), Cell | Undefined)
    assert_type(store.get_value("open"), Value)
    assert_type(store.get_row_ids("pets"), list[str])
    assert_type(store.get_content(), Content)
    assert_type(store.add_row("pets", {"species": "cat"}), str | None)
    assert_type(store.has_row("pets", "rex"), bool)
    assert_type(store.get_row_count("pets"), int)
    assert_type(store.get_json(), str)
    try:
        store.set_cell("pets", "fido", "legs", float("nan"))
    except InvalidCellError as error:
        assert_type(error.table_id, str | None)


def views(store: Store) -> None:
    store.tables["pets"]["fido"]["species"] = "dog"
    store.values["open"] = True
    row = store.tables["pets"]["fido"]
    row |= {"legs": 3}
    mapping: MutableMapping[str, Cell] = row
    mapping.update(species="dog")
    for row_id, cells in store.tables["pets"].items():
        assert_type(row_id, str)
        print(cells.get("species"))


def transactions(store: Store) -> None:
    with store.transaction() as same:
        assert_type(same, Store)
    with store.transaction(origin=object()):
        pass
    assert_type(store.transaction(lambda: 5), int)
    assert_type(store.get_transaction_changes(), Changes)


def listeners(store: Store) -> None:
    def changed(
        store: Store,
        table_id: str,
        row_id: str,
        cell_id: str,
        new: Cell | Undefined,
        old: Cell | Undefined,
        *_: object,
    ) -> None:
        print(store, table_id, row_id, cell_id, new, old)

    listener_id = store.add_cell_listener("pets", None, "species", changed)
    assert_type(listener_id, str)
    store.del_listener(listener_id)

    @store.on_cell("pets", None, "species")
    def decorated(*args: object) -> None:
        print(args)

    decorated.unsubscribe()


class Shop(Store):
    """A Store of a user's own: what it calls is given it as what it is."""

    __slots__ = ()


def subclasses(shop: Shop) -> None:
    def opened(shop: Shop, has_tables: bool) -> None:
        print(shop, has_tables)

    def full(shop: Shop) -> bool:
        return shop.get_row_count("pets") > 9

    def any_store(store: Store, *_: object) -> None:
        print(store)

    shop.add_has_tables_listener(opened)
    shop.add_cell_listener(None, None, None, any_store)
    with shop.transaction() as same:
        assert_type(same, Shop)
    entered: Transaction[Shop] = shop.transaction(do_rollback=full)
    with entered:
        pass


def around(store: Store) -> None:
    store.set_tables_schema(to_tables_schema({"pets": Pet}))
    checkpoints = Checkpoints(store)
    assert_type(checkpoints.add_checkpoint("begin"), str)
    middleware = Middleware(store)
    middleware.add_will_set_cell_callback(lambda table_id, row_id, cell_id, cell: cell)


async def live(store: Store) -> None:
    doc = create_doc()
    with YjsMirror(store, doc, layout="flat") as mirror:
        assert_type(mirror, YjsMirror)
        async with YWebsocketProvider(doc, "ws://127.0.0.1:1234", "farm") as provider:
            await provider.wait_synced(timeout=1.5)
            await provider.flush()
            assert_type(provider.synced, bool)
    automerge = AutomergeWebsocketProvider(AutomergeDocument(), "ws://127.0.0.1:1234", open_timeout=1.5)
    async with automerge as joined:
        assert_type(joined.handle, DocHandle)
        handle = joined.add(AutomergeDocument(), joined.document_url)
        assert_type(handle.broadcast({"cursor": [1, None]}), bool)
        handle.presence({"name": "Ada"}).add_listener(lambda peer_id, state: print(peer_id.upper(), state))
