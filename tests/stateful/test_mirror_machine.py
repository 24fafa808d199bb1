"""Two mirrored Stores against plain dictionaries, with synchronisation, stopping and rollback as rules."""

from __future__ import annotations

from typing import Any

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from support.mirrors import HIGH, KINDS, LOW, Kind, Peer, exchange, make_peer

Tables = dict[str, dict[str, dict[str, Any]]]

ids = st.sampled_from(["", "a", "b", "a.b", "__proto__", "\x1f", "é😀"])
numbers = st.one_of(
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, -0.0, 1e21, 1e-7, 2.0**53, 0.1, 5e-324]),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, st.text(st.characters(codec="utf-8"), max_size=5))
cells = st.one_of(
    scalars,
    st.lists(scalars, max_size=3),
    st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=3), scalars, max_size=3),
).filter(lambda cell: not (isinstance(cell, str) and cell[:1] in "\ufffc\ufffd" and cell != ""))
rows = st.dictionaries(ids, cells, min_size=1, max_size=3)
sides = st.sampled_from([0, 1])


def normal(cell: Any) -> Any:
    """A cell as the Store gives it back."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return int(cell)
    if isinstance(cell, list):
        return [normal(part) for part in cell]
    if isinstance(cell, dict):
        return {key: normal(part) for key, part in cell.items()}
    return cell


def typed(content: Any) -> Any:
    """Content in which ``True`` and ``1`` differ."""
    if isinstance(content, dict):
        return {key: typed(part) for key, part in content.items()}
    if isinstance(content, list | tuple):
        return [typed(part) for part in content]
    return (type(content).__name__, content)


class MirrorMachine(RuleBasedStateMachine):
    """While the peers are apart each has a model of its own; after an exchange both take what came out."""

    @initialize(kind=st.sampled_from(KINDS), swapped=st.booleans())
    def begin(self, kind: Kind, swapped: bool) -> None:
        self.peers = [make_peer(kind, number) for number in ((HIGH, LOW) if swapped else (LOW, HIGH))]
        self.stores = [peer.store for peer in self.peers]
        self.models: list[tuple[Tables, dict[str, Any]]] = [({}, {}), ({}, {})]

    @rule(side=sides, table=ids, row=ids, cell=ids, value=cells)
    def set_cell(self, side: int, table: str, row: str, cell: str, value: Any) -> None:
        self.stores[side].set_cell(table, row, cell, value)
        self.models[side][0].setdefault(table, {}).setdefault(row, {})[cell] = normal(value)

    @rule(side=sides, table=ids, row=ids, content=rows)
    def set_row(self, side: int, table: str, row: str, content: dict[str, Any]) -> None:
        self.stores[side].set_row(table, row, content)
        self.models[side][0].setdefault(table, {})[row] = {key: normal(cell) for key, cell in content.items()}

    @rule(side=sides, table=ids, content=st.dictionaries(ids, rows, min_size=1, max_size=3))
    def set_table(self, side: int, table: str, content: dict[str, dict[str, Any]]) -> None:
        self.stores[side].set_table(table, content)
        self.models[side][0][table] = {
            row: {key: normal(cell) for key, cell in cells_.items()} for row, cells_ in content.items()
        }

    @rule(side=sides, table=ids, row=ids, cell=ids)
    def del_cell(self, side: int, table: str, row: str, cell: str) -> None:
        self.stores[side].del_cell(table, row, cell)
        model = self.models[side][0]
        model.get(table, {}).get(row, {}).pop(cell, None)
        if not model.get(table, {}).get(row, {0: 0}):
            self._drop_row(model, table, row)

    @rule(side=sides, table=ids, row=ids)
    def del_row(self, side: int, table: str, row: str) -> None:
        self.stores[side].del_row(table, row)
        self._drop_row(self.models[side][0], table, row)

    @staticmethod
    def _drop_row(model: Tables, table: str, row: str) -> None:
        model.get(table, {}).pop(row, None)
        if not model.get(table, {0: 0}):
            del model[table]

    @rule(side=sides, table=ids)
    def del_table(self, side: int, table: str) -> None:
        self.stores[side].del_table(table)
        self.models[side][0].pop(table, None)

    @rule(side=sides, value_id=ids, value=cells)
    def set_value(self, side: int, value_id: str, value: Any) -> None:
        self.stores[side].set_value(value_id, value)
        self.models[side][1][value_id] = normal(value)

    @rule(side=sides, value_id=ids)
    def del_value(self, side: int, value_id: str) -> None:
        self.stores[side].del_value(value_id)
        self.models[side][1].pop(value_id, None)

    @rule(side=sides, table=ids, row=ids, content=rows)
    def roll_back(self, side: int, table: str, row: str, content: dict[str, Any]) -> None:
        updates = self.peers[side].updates()
        store = self.stores[side]
        store.transaction(
            lambda: (store.set_row(table, row, content), store.del_tables(), store.del_values()),
            lambda _store: True,
        )
        assert updates == []

    @rule(side=sides)
    def stop_and_start(self, side: int) -> None:
        self.peers[side].mirror.stop()
        self.peers[side].mirror.start()

    @rule(side=sides, table=ids, row=ids, cell=ids, value=cells)
    def write_the_document(self, side: int, table: str, row: str, cell: str, value: Any) -> None:
        """Somebody else's mirror on the same document."""
        other = Peer(self.peers[side].kind, self.peers[side].doc)
        other.store.set_cell(table, row, cell, value)
        other.mirror.stop()
        assert other.errors == []
        self.models[side][0].setdefault(table, {}).setdefault(row, {})[cell] = normal(value)

    @rule()
    def synchronise(self) -> None:
        before = [typed(model) for model in self.models]
        exchange(*self.peers)
        content = [tuple(store.get_content()) for store in self.stores]
        assert typed(content[0]) == typed(content[1])
        if before[0] == before[1]:
            assert typed(content[0]) == before[0]
        tables, values = content[0]
        self.models = [(self.stores[side].get_tables(), self.stores[side].get_values()) for side in (0, 1)]
        assert values == self.models[1][1]
        assert tables == self.models[1][0]

    @invariant()
    def stores_documents_and_models_agree(self) -> None:
        if not hasattr(self, "stores"):
            return
        for peer, model in zip(self.peers, self.models, strict=True):
            assert peer.errors == []
            assert typed(peer.content) == typed(model)
            assert typed(peer.content) == typed(peer.project())


TestMirrorMachine = MirrorMachine.TestCase
TestMirrorMachine.settings = settings(max_examples=90, stateful_step_count=30, deadline=None)
