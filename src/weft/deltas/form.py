"""What is a delta: its form, and the check of one that a caller gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from weft.jsoncodec import check_text

__all__ = ["EMBED", "Attributes", "Delta", "DeltaInput", "check", "check_attributes"]

Delta: TypeAlias = list[dict[str, Any]]
DeltaInput: TypeAlias = Sequence[Mapping[str, Any]]
Attributes: TypeAlias = Mapping[str, Any] | None

EMBED: Final = "\ufffc"
"""The character that stands for an embed in the string of a text: U+FFFC, one unit."""


def check(delta: object) -> None:
    """Let pass only what is a delta.

    Raises:
        TypeError: An operation, a length, what is inserted or the attributes are of another type.
        ValueError: An operation does none or several of inserting, deleting and retaining, a length is not
            positive, or a string has a lone half of a character.
    """
    if isinstance(delta, (str, bytes)) or not isinstance(delta, Sequence):
        raise TypeError(f"a delta must be a list of operations, not {type(delta).__name__}")
    for operation in delta:
        if not isinstance(operation, Mapping):
            raise TypeError(f"an operation of a delta must be a dictionary, not {type(operation).__name__}")
        kinds = [kind for kind in ("insert", "delete", "retain") if kind in operation]
        if len(kinds) != 1 or not operation.keys() <= {kinds[0], "attributes"}:
            raise ValueError(
                f"an operation inserts, deletes or retains, with attributes, not {operation!r:.200}"
            )
        content = operation[kinds[0]]
        if kinds[0] != "insert":
            if type(content) is not int:
                raise TypeError(f"the length of {kinds[0]!r} must be an int, not {type(content).__name__}")
            if content <= 0:
                raise ValueError(f"the length of {kinds[0]!r} must be positive, not {content}")
        elif isinstance(content, str):
            check_text(content)
        elif not isinstance(content, Mapping):
            raise TypeError(f"what is inserted must be a str or a dictionary, not {type(content).__name__}")
        check_attributes(operation.get("attributes"))
        if kinds[0] == "delete" and operation.get("attributes") is not None:
            raise ValueError("what is deleted has no attributes")


def check_attributes(attributes: object) -> None:
    """Let pass only what can be the attributes of an operation, or ``None``.

    Raises:
        TypeError: They are no dictionary with strings for keys.
    """
    if attributes is not None and not (
        isinstance(attributes, Mapping) and all(isinstance(key, str) for key in attributes)
    ):
        raise TypeError(f"attributes must be a dictionary with str keys, not {attributes!r:.100}")
