"""What every Store has whose writes are stamped in a mergeable document: TinyBase's methods for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from weft._support.arguments import wrong_kind
from weft.errors import RemoteProtocolError
from weft.store import Store
from weft.values import EncodedCell

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.changes import TablesInput, ValuesInput
    from weft.documents.mergeable import MergeableChanges, MergeableContent, MergeableDocument
    from weft.mirrors.mergeable import MergeableMirror

__all__ = ["StampedStore"]

Hashes = Mapping[str, int]


class StampedStore(Store):
    """A :class:`~weft.store.Store` that may have a mirror in a mergeable document."""

    __slots__ = ("_mirror",)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._mirror: MergeableMirror | None = None

    @property
    def document(self) -> MergeableDocument:
        """Its content with stamps, as providers and persisters take it.

        What an open transaction has written is in it when that has ended.

        Raises:
            AttributeError: The Store is kept in another form, and so is what all methods of stamps read.
        """
        return self._stamping.document

    def is_mergeable(self) -> bool:
        """Tell whether its writes are stamped, so that it merges by itself."""
        return self._mirror is not None

    @property
    def _stamping(self) -> MergeableMirror:
        if self._mirror is None:
            raise AttributeError(
                "only a MergeableStore, and one from tinybase+ws:// or opened with mergeable=True, has stamps"
                " in a document; store.sync.document is what a shared Store is kept in"
            )
        return self._mirror

    def _free_type(self) -> type[Store]:
        return Store  # a copy with the same stamps and client would be taken for this one

    # -- content and hashes ----------------------------------------------------------------------------------

    def get_mergeable_content(self) -> MergeableContent:
        """Get everything with stamps and hashes: ``[[tables, hlc, hash], [values, hlc, hash]]``."""
        return _decoded(self._read().get_content())

    def get_mergeable_content_hashes(self) -> list[int]:
        """Get the hashes of all tables and of all values; those of two equal Stores are equal."""
        return self._read().get_content_hashes()

    def get_mergeable_table_hashes(self) -> dict[str, int]:
        """Get the hash of each table."""
        return self._read().get_table_hashes()

    def get_mergeable_table_diff(self, other_table_hashes: Hashes) -> list[Any]:
        """Get what another Store lacks of the tables.

        Args:
            other_table_hashes: :meth:`get_mergeable_table_hashes` of the other one.

        Returns:
            The stamps of the tables that it has not got, objects as encoded text; and the hashes of those
            that differ.
        """
        return self._read().get_table_diff(other_table_hashes)

    def get_mergeable_row_hashes(self, other_table_hashes: Hashes) -> dict[str, dict[str, int]]:
        """Get the hash of each row of the tables that another Store has and that differ."""
        return self._read().get_row_hashes(other_table_hashes)

    def get_mergeable_row_diff(self, other_table_row_hashes: Mapping[str, Hashes]) -> list[Any]:
        """Get what another Store lacks of the rows: as :meth:`get_mergeable_table_diff`."""
        return self._read().get_row_diff(other_table_row_hashes)

    def get_mergeable_cell_hashes(
        self, other_table_row_hashes: Mapping[str, Hashes]
    ) -> dict[str, dict[str, dict[str, int]]]:
        """Get the hash of each cell of the rows that another Store has and that differ."""
        return self._read().get_cell_hashes(other_table_row_hashes)

    def get_mergeable_cell_diff(
        self, other_table_row_cell_hashes: Mapping[str, Mapping[str, Hashes]]
    ) -> list[Any]:
        """Get the stamps of the cells that differ, objects as encoded text."""
        return self._read().get_cell_diff(other_table_row_cell_hashes)

    def get_mergeable_value_hashes(self) -> dict[str, int]:
        """Get the hash of each value."""
        return self._read().get_value_hashes()

    def get_mergeable_value_diff(self, other_value_hashes: Hashes) -> list[Any]:
        """Get the stamps of the values that differ, objects as encoded text."""
        return self._read().get_value_diff(other_value_hashes)

    def get_transaction_mergeable_changes(self, with_hashes: bool = False) -> MergeableChanges:
        """Get the stamps of what the running, or just finishing, transaction has written so far.

        Unlike :meth:`~weft.store.Store.get_transaction_changes` this tells of what was changed back, too.

        Args:
            with_hashes: Whether to give the hashes as well.
        """
        return _decoded(self._stamping.transaction_changes(with_hashes=with_hashes))

    def _read(self) -> MergeableDocument:
        """The document, with what the open transaction has written so far."""
        self._stamping.catch_up()
        return self._stamping.document

    # -- merging ---------------------------------------------------------------------------------------------

    def set_mergeable_content(self, mergeable_content: object) -> Self:
        """Replace everything, stamps included, by content of another Store.

        Args:
            mergeable_content: As :meth:`get_mergeable_content` gives it, with all hashes; they are made anew.

        Raises:
            RemoteProtocolError: It is malformed, or has a stamp more than five minutes ahead of the clock
                here. Nothing changed.
        """
        return self._merge(self._stamping.document.set_content, mergeable_content)

    def apply_mergeable_changes(self, mergeable_changes: object) -> Self:
        """Merge changes or content of another Store: of each cell and value the later stamp wins.

        What was merged stays merged where it was done in a transaction that is rolled back.

        Args:
            mergeable_changes: As :meth:`get_mergeable_content`, :meth:`get_transaction_mergeable_changes` and
                the diffs give it.

        Raises:
            RemoteProtocolError: It is malformed, or has a stamp more than five minutes ahead of the clock
                here. Nothing changed.
        """
        return self._merge(self._stamping.document.apply, mergeable_changes)

    def merge(self, mergeable_store: StampedStore) -> Self:
        """Merge with another Store, both ways.

        Raises:
            RemoteProtocolError: The clocks of the two are more than five minutes apart. The Store whose clock
                is ahead may have taken what the other one has.
        """
        if not isinstance(mergeable_store, StampedStore):
            raise wrong_kind("a weft.mergeable.MergeableStore", mergeable_store)
        ours, theirs = self._read().get_content(), mergeable_store._read().get_content()
        mergeable_store.apply_mergeable_changes(ours)
        return self.apply_mergeable_changes(theirs)

    def _merge(self, merge: Callable[[object], object], given: object) -> Self:
        if self._depth < 0:
            self._refuse_write()
            return self
        try:
            with self._stamping.inside():
                merge(given)
        except RemoteProtocolError:
            if self._raising:
                raise
        return self

    def set_default_content(
        self,
        content: tuple[TablesInput, ValuesInput] | Callable[[], tuple[TablesInput, ValuesInput]],
    ) -> Self:
        """Set content that everything else beats, as if each peer had it from the beginning.

        What somebody has written or deleted stays as it is.

        Args:
            content: ``(tables, values)``, or a function that gives it.
        """
        with self.transaction(), self._stamping.defaults():
            self.set_content(content)
        return self


def _decoded(stamps: list[Any]) -> list[Any]:
    """Content or changes, which are nobody else's, with objects decoded."""
    for table in stamps[0][0].values():
        for row in table[0].values():
            _decode(row)
    _decode(stamps[1])
    return stamps


def _decode(things: list[Any]) -> None:
    for stamp in things[0].values():
        if type(stamp[0]) is EncodedCell:
            stamp[0] = stamp[0].decode()
