"""Mistakes that a type checker must find: on every line that ends in "wrong", and on no other."""

from __future__ import annotations

from weft import Store
from weft.mirrors.yjs import YjsMirror, create_doc
from weft.providers import AutomergeWebsocketProvider, YWebsocketProvider

store = Store()
store.set_cell("pets", "fido", "legs", {1, 2})  # wrong
store.set_cell("pets", "fido", "legs", b"bytes")  # wrong
store.set_cell("pets", "fido", 1, "dog")  # wrong
store.set_row("pets", "fido", "dog")  # wrong
store.set_value("open", object())  # wrong
store.get_cell("pets", "fido")  # wrong
store.get_row(None, "fido")  # wrong
store.add_cell_listener("pets", None, "species", "print")  # wrong
store.add_tables_listener(lambda store, get_cell_change: store.no_such_method())  # wrong
store.tables["pets"]["fido"]["legs"] = {4}  # wrong
store.no_such_method()  # wrong
legs: int = store.get_cell("pets", "fido", "legs")  # wrong
rows: dict[str, int] = store.get_row_ids("pets")  # wrong
Store(on_invalid="explode")  # wrong
YjsMirror(store, create_doc(), layout="nested")  # wrong
YjsMirror(create_doc(), store)  # wrong
YWebsocketProvider(create_doc(), 1234, "farm")  # wrong
YWebsocketProvider(create_doc(), "ws://127.0.0.1:1234", "farm", open_timeout="1")  # wrong
YWebsocketProvider(create_doc(), "ws://127.0.0.1:1234", "farm", opentimeout=1)  # wrong
AutomergeWebsocketProvider(create_doc(), "ws://127.0.0.1:1234")  # wrong
store.set_cell("pets", "fido", "legs", 4)
