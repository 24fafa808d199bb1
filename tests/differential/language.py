"""The language in which programs of Store calls are written, and the form of what they report.

A program is JSON, so that the very same text runs on weft (runner.py) and on TinyBase under Node
(interop/store_driver.mjs)::

    {"seed": 7, "corrections": [], "probes": {"cells": [[t, r, c], ...], "values": [v, ...]}, "ops": [...]}

An operation is ``{"op": name, ...}``. Most names are those of Store methods, with ``args``. The others:

- ``transaction`` (``ops``, ``returns``, ``rollback``), ``finish_transaction`` (``rollback``). A rollback is
  ``{"returns": ..., "ops": [...], "throw": label}`` and becomes the ``do_rollback`` function.
- ``throw`` (``label``): raise. ``"catch": false`` on any operation lets its error go on into the code
  around it; at the top, errors are always caught.
- ``add_listener`` (``kind``, ``ids`` with ``null`` as wildcard, ``mutator``, ``label``): the listener logs
  its call. In its first ``budget`` calls it also runs ``ops`` and then raises ``throw``.
- ``get_sorted_row_ids`` and the listener kind ``sorted_row_ids`` (``sort``, ``form``: ``args`` for the
  object form, otherwise positional).
- ``get_listener_stats``, ``for_each`` (``level``, ``args``).
- ``middleware`` (``kind``, ``label``, ``do``, ``budget``, ``throw``), ``destroy_middleware``.
- ``checkpoints`` (``name``, ``args``), ``checkpoint_listener`` (``kind``, ``ids``, ``label``),
  ``for_each_checkpoint``.

Values are JSON, apart from objects, which always carry a tag ``$``: ``o`` is an object as a list of pairs;
``undefined nan inf -inf -0 bigint function date set instance cyclic`` are what JSON cannot say; ``arg``
(``i``) is the i-th id a listener was called with; ``mapper`` is a function of the old value.

A trace is a list of events, each a list that starts with its kind: ``O`` an operation begins, ``R`` it
returned, ``E`` it raised (with the label of a ``throw``, otherwise empty), ``L`` a listener was called,
``M`` a middleware callback, ``F`` a mapper, ``K`` a ``do_rollback``, ``C`` a checkpoints listener, ``D``
the content after an operation, where it changed: JSON text, ids in their order, counts.
"""

from __future__ import annotations

import math
from datetime import date
from typing import TYPE_CHECKING, Any

from weft.values import UNDEFINED

if TYPE_CHECKING:
    from weft.values import Undefined

__all__ = [
    "CYCLIC",
    "DATE",
    "EMPTY_SET",
    "FUNCTION",
    "INSTANCE",
    "Event",
    "Instance",
    "Op",
    "Program",
    "Trace",
    "Value",
    "in_js_order",
    "obj",
    "odd",
    "odd_number",
]

Program = dict[str, Any]
Op = dict[str, Any]
Value = Any  # a value in the coding above
Event = list[Any]
Trace = list[Event]

CYCLIC: list[Any] = []
CYCLIC.append(CYCLIC)


def FUNCTION(*_args: object) -> Undefined:  # noqa: N802 - a constant that happens to be a function
    """Stand for a function where a cell should be; as a mapper it gives nothing, as in JavaScript."""
    return UNDEFINED


class Instance:
    """Stand for an object of a class where a cell should be."""


INSTANCE = Instance()
DATE = date(1970, 1, 1)
EMPTY_SET: frozenset[str] = frozenset()


def odd(tag: str, **more: Any) -> Value:
    """Write a value that JSON cannot say."""
    return {"$": tag, **more}


def obj(content: dict[str, Value]) -> Value:
    """Write an object."""
    return {"$": "o", "v": [[key, content[key]] for key in in_js_order(content)]}


def _is_index(key: str) -> bool:
    # An array index of ECMAScript: canonical, and below 2**32 - 1.
    return key.isascii() and key.isdigit() and (key[0] != "0" or key == "0") and int(key) < 2**32 - 1


def in_js_order(keys: Any) -> list[str]:
    """Return the keys in the order in which a JavaScript object made from them has them."""
    listed = list(keys)
    indices = sorted((key for key in listed if _is_index(key)), key=int)
    return indices + [key for key in listed if not _is_index(key)] if indices else listed


def odd_number(number: float) -> Value | None:
    """Write a number that JSON cannot say, or return ``None`` for one that it can."""
    if math.isnan(number):
        return odd("nan")
    if math.isinf(number):
        return odd("inf" if number > 0 else "-inf")
    if number == 0 and math.copysign(1, number) < 0:
        return odd("-0")
    return None
