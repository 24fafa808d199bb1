"""Documents of each kind, and the mirrors that keep a Store equal with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from weft import documents, mirrors, providers
from weft.mergeable import MergeableDocument, MergeableMirror

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.changes import Changes
    from weft.facade.kept_store import KeptStore
    from weft.mirrors import AutomergeMirror, YjsMirror
    from weft.providers import Replica

__all__ = ["Kind", "check_layout", "create_document", "create_mirror", "open_replica", "pending_changes"]

Kind: TypeAlias = Literal["yjs", "automerge", "mergeable"]


def check_layout(kind: Kind, layout: object) -> None:
    """Check a layout.

    Raises:
        ValueError: There is none of that name for this kind of document; or it contradicts itself.
        TypeError: A declared layout has something else than names and shapes.
    """
    if layout is None or layout == "tinybase":
        return
    if kind == "mergeable":
        raise ValueError(f"layout is {layout!r:.100}, and a mergeable document has TinyBase's only")
    if not isinstance(layout, str):
        mirrors.check_shapes(layout)
    elif kind == "automerge":
        what = "an Automerge document has TinyBase's, or a dict of shapes"
        raise ValueError(f"layout is {layout!r}, and {what}")
    elif layout != "flat":
        raise ValueError(f"layout is {layout!r}; it must be 'tinybase', 'flat' or a dict of shapes")


def create_document(kind: Kind) -> Any:
    """Make an empty document, as its kind has it, in the calling thread."""
    if kind == "mergeable":
        return MergeableDocument()
    return documents.create_doc() if kind == "yjs" else documents.AutomergeDocument()


async def open_replica(path: str, *, kind: Kind | None, **options: Any) -> Replica:
    """Open the replica in a file.

    Args:
        path: The file.
        kind: Of the document; ``None`` for that of the file, or a Yjs document in a new one.
        options: Of the replica.

    Raises:
        StorageError: It cannot be read, is in use, or holds another document than is asked for.
    """
    return await providers.Replica(path, kind=kind, **options).open()


def create_mirror(
    kind: Kind, store: KeptStore, document: Any, *, layout: Any, on_error: Callable[[Exception], None]
) -> YjsMirror | AutomergeMirror | MergeableMirror:
    """Make the mirror of a Store in a document; it has not been started yet.

    The layout has been checked.
    """
    if kind == "mergeable":
        mirror = MergeableMirror(store, document, on_error=on_error)
        store.stamp_by(mirror)
        return mirror
    if kind == "yjs":
        return mirrors.YjsMirror(store, document, layout=layout or "tinybase", on_error=on_error)
    return mirrors.AutomergeMirror(store, document, layout=layout, on_error=on_error)


def pending_changes(replica: Replica, mirror: Any) -> Changes:
    """What a Store holds at the places of which a replica's server has no word."""
    if replica.kind == "automerge":
        changes: Changes = mirror.changes_in(replica.pending_content())
    else:
        changes = mirror.changes_at(*replica.pending_paths())
    return changes
