"""Docstrings say ``:meth:`open```, which editors follow; the pages of the site show the name alone."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

__all__ = ["DocstringRoles"]

_ROLE = re.compile(r":\w+:`~?([^`]+)`")


class DocstringRoles(Extension):
    """A Griffe extension, named in ``zensical.toml``."""

    def on_object(self, *, obj: Object, **_others: Any) -> None:
        """Change what is to be shown of a docstring."""
        if obj.docstring is not None:
            obj.docstring.value = _ROLE.sub(r"`\1`", obj.docstring.value)
