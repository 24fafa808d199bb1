"""The mirror of a Store in an Automerge document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.mirrors.automerge.inspecting import inspect_document as inspect_document
    from weft.mirrors.automerge.keys import genesis as genesis
    from weft.mirrors.automerge.mirror import AutomergeMirror as AutomergeMirror
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "inspecting": "inspect_document",
            "keys": "genesis",
            "mirror": "AutomergeMirror",
        },
        extra="automerge",
    )
