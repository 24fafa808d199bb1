"""The kinds of documents that a replica keeps, each imported where it is wanted: most need an extra."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, TypeAlias

from weft.documents.mergeable import MergeableDocument
from weft.providers.replica.mergeable import MergeableReplicaContent

if TYPE_CHECKING:
    from weft.providers.replica.automerge import AutomergeContent
    from weft.providers.replica.meta import Kind
    from weft.providers.replica.yjs import YjsContent

__all__ = ["KINDS", "Content", "content_of", "new_author"]

Content: TypeAlias = "YjsContent | AutomergeContent | MergeableReplicaContent"

KINDS: Final = ("yjs", "automerge", "mergeable")


def content_of(kind: Kind) -> type[Content]:
    """The class of a replica's document."""
    if kind == "automerge":
        from weft.providers.replica.automerge import AutomergeContent  # noqa: PLC0415 - an extra

        return AutomergeContent
    if kind == "mergeable":
        return MergeableReplicaContent
    from weft.providers.replica.yjs import YjsContent  # noqa: PLC0415 - an extra

    return YjsContent


def new_author(kind: Kind) -> str:
    """Draw an id to write under: a client id in decimal, an actor, or the client's part of stamps."""
    if kind == "automerge":
        return secrets.token_hex(16)
    if kind == "mergeable":
        return MergeableDocument().clock.client_id
    from weft.documents.yjs import create_doc  # noqa: PLC0415 - an extra

    return str(create_doc().client_id)
