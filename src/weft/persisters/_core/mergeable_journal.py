"""The side of a Store that merges: what a place lacks of its document, and how what a place holds is merged.

A place keeps the document's content, with stamps, and not what the Store shows of it. To load is to merge, so
nothing has to win: the later stamp does, also over what was edited meanwhile, and what a place lacks is not
deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from weft.documents.mergeable import MergeableDocument
from weft.errors import RemoteProtocolError, StorageError
from weft.persisters._core.store_journal import StoreJournal

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.changes import Content
    from weft.documents.mergeable import MergeableEvent
    from weft.persisters._core.adapter import PlaceAdapter
    from weft.persisters._core.unsaved import RawContent, StoredChanges
    from weft.store import Store
    from weft.store.replica import Paths

__all__ = ["MergeableJournal", "create_journal", "document_of", "is_mergeable_form"]


class _MergeableStore(Protocol):
    def set_default_content(self, content: Content | Callable[[], Content]) -> object:
        """Set content that any other write beats."""


def is_mergeable_form(content: Any) -> bool:
    """Whether content, or changes, are of the mergeable form: stamps, which are lists, and no tables."""
    return isinstance(content, (list, tuple)) and bool(content) and isinstance(content[0], (list, tuple))


def document_of(store: Store) -> MergeableDocument | None:
    """The document of a Store that merges; ``None`` of any other."""
    document = getattr(store, "document", None)
    return document if isinstance(document, MergeableDocument) else None


def create_journal(
    place: PlaceAdapter, store: Store, edited: Callable[[], None], report: Callable[[Exception], object]
) -> StoreJournal:
    """Make the journal of a Store, of the kind that it is; arguments as of :class:`StoreJournal`.

    Raises:
        TypeError: The Store merges, and the place cannot keep it.
    """
    document = document_of(store)
    if document is None:
        return StoreJournal(store, edited, report)
    if not place.keeps_mergeable:
        raise TypeError(
            f"{type(place).__name__} has no room for the stamps of a MergeableStore: use a persister that"
            " keeps the whole as text (FilePersister, SqliteJsonPersister, PostgresJsonPersister, …), and a"
            " mirror to keep it equal with a Yjs or Automerge document"
        )
    return MergeableJournal(store, document, edited, report, place)


class MergeableJournal(StoreJournal):
    """Journals what is stamped in the document of a Store that merges, and merges what places bring.

    Args:
        store: The Store.
        document: Its document.
        edited: Called after each transaction in which something was stamped that no place has brought; also
            where the Store shows nothing of it.
        report: As of the base class.
        place: What errors name.

    Attributes:
        doubts_hashes: Whether the place may hold hashes that are not its content's, to be put right.
    """

    doubts_hashes = False

    def __init__(
        self,
        store: Store,
        document: MergeableDocument,
        edited: Callable[[], None],
        report: Callable[[Exception], object],
        place: PlaceAdapter | None = None,
    ) -> None:
        super().__init__(store, edited, report)
        self.document = document
        self._place = place

    def _listen(self) -> Callable[[], None]:
        return self.document.subscribe(self._stamped, but=self)

    def _stamped(self, event: MergeableEvent) -> None:
        (tables, *_), (values, *_), _ = event.changes
        paths = {
            table_id: {row_id: row[0] for row_id, row in table[0].items()}
            for table_id, table in tables.items()
        }
        for unsaved in (self.dirty, self._since):
            if unsaved is not None:
                unsaved.add(paths, values)
        self._edited()

    # -- out ---------------------------------------------------------------------------------------------

    def content(self) -> Any:
        """The document's content, with stamps and hashes."""
        return self.document.get_content()

    def changes(self, paths: Paths) -> Any:
        """The stamps at these paths, with hashes: TinyBase's ``MergeableChanges``."""
        if paths.everything:
            return [*self.document.get_content(), 1]
        return self.document.get_hashed_stamps(paths.tables, paths.values)

    # -- in ----------------------------------------------------------------------------------------------

    def replace(self, content: Any) -> bool:
        """Merge what a place holds; plain content is written as by the user, and deletes nothing.

        Returns:
            ``True``: what the Store cannot show stays in the document.

        Raises:
            StorageError: It is malformed, or from a clock that is ahead. Nothing was merged.
        """
        if not is_mergeable_form(content):
            return self._take_over(content)
        was_empty = not self.dirty and self.document.get_content_hashes() == [0, 0]
        self._apply_stamps(content)
        # To make all hashes costs as much as to load, so not where all that there is was loaded.
        if not self.dirty and (self.doubts_hashes or not was_empty):
            there = [stamp[-1] for stamp in content[:2]]
            self.dirty.everything = self.document.get_content_hashes() != there
        return True

    def merge(self, changes: Any) -> bool:
        """Merge changes of a place; plain ones as the base class does.

        Raises:
            StorageError: As for :meth:`replace`.
        """
        if not is_mergeable_form(changes):
            return super().merge(changes)
        self._apply_stamps(changes)
        return True

    def join(self, content: Any) -> None:
        """Merge what was found in the place before it is written.

        Raises:
            StorageError: As for :meth:`replace`; or it is plain content, which only a load takes over.
        """
        if not is_mergeable_form(content):
            raise self._refused(
                "is the content of a plain Store: load() takes it over, save() writes over it"
            )
        self._apply_stamps(content)

    def set_initial(self, content: Content | Callable[[], Content]) -> None:
        """Set initial content, which loses to whatever else was written anywhere."""
        cast("_MergeableStore", self.replica.store).set_default_content(content)

    def _apply_stamps(self, changes: Any) -> None:
        try:
            self.document.apply(changes, origin=self)
        except RemoteProtocolError as error:
            raise self._refused(f"cannot be merged: {error}") from error

    def _refused(self, reason: str) -> StorageError:
        name = self._place.place if self._place is not None else ""
        return StorageError(f"{name}: what is stored {reason}" if name else f"what is stored {reason}")

    def _take_over(self, content: RawContent) -> bool:
        shaped, _ = self._shaped(content)
        if self._since is not None:
            self.dirty = self._since  # older edits give way to what is loaded
        super().merge(cast("StoredChanges", (*shaped, 1)))
        self.dirty.everything = True  # the place is to have stamps
        return True
