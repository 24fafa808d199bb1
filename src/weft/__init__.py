"""weft: a reactive, tabular Store whose content lives in a CRDT document.

The names of everyday use are here. What needs an extra, and the packages, are imported when they are first
asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft import errors as errors
from weft._support.lazy import lazy_exports
from weft.changes import Changes as Changes, Content as Content
from weft.errors import WeftError as WeftError
from weft.store import Checkpoints as Checkpoints, Store as Store
from weft.values import UNDEFINED as UNDEFINED, Cell as Cell, Undefined as Undefined, Value as Value

if TYPE_CHECKING:
    from weft import (
        documents as documents,
        mergeable as mergeable,
        mirrors as mirrors,
        notebook as notebook,
        persisters as persisters,
        protocols as protocols,
        providers as providers,
        server as server,
        sync as sync,
        testing as testing,
    )
    from weft.documents import AutomergeDocument as AutomergeDocument, create_doc as create_doc
    from weft.facade import connect as connect, inspect as inspect, open as open  # noqa: A004 - as io.open
    from weft.mergeable import MergeableStore as MergeableStore
    from weft.mirrors import (
        ArrayOfMaps as ArrayOfMaps,
        AutomergeMirror as AutomergeMirror,
        MapOfMaps as MapOfMaps,
        MapOfValues as MapOfValues,
        Nested as Nested,
        SharedText as SharedText,
        YjsMirror as YjsMirror,
    )
    from weft.providers import (
        AutomergeWebsocketProvider as AutomergeWebsocketProvider,
        Replica as Replica,
        TinyBaseProvider as TinyBaseProvider,
        YWebsocketProvider as YWebsocketProvider,
    )
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "documents": "",
            "mergeable": "",
            "mirrors": "",
            "notebook": "",
            "persisters": "",
            "protocols": "",
            "providers": "",
            "server": "",
            "sync": "",
            "testing": "",
            "weft.documents": "AutomergeDocument create_doc",
            "weft.facade": "connect inspect open",
            "weft.mergeable": "MergeableStore",
            "weft.mirrors": "ArrayOfMaps AutomergeMirror MapOfMaps MapOfValues Nested SharedText YjsMirror",
            "weft.providers": "AutomergeWebsocketProvider Replica TinyBaseProvider YWebsocketProvider",
        },
        own="UNDEFINED Cell Changes Checkpoints Content Store Undefined Value WeftError errors",
    )
