"""What can be an id: any text that UTF-8 can carry."""

from __future__ import annotations

from weft.errors import InvalidIdError, InvalidIdTypeError

__all__ = ["check_id"]


def check_id(id_: object) -> str:
    """Check an id, and reduce a subclass of ``str`` to its text.

    Ids are never converted: JavaScript's ``"" + 1`` hides more mistakes than it helps.

    Raises:
        InvalidIdTypeError: It is no ``str``.
        InvalidIdError: It contains a lone surrogate, which no document could carry.
    """
    if not isinstance(id_, str):
        raise InvalidIdTypeError(id_, f"an id must be a str, not {type(id_).__name__}")
    text = id_ if type(id_) is str else str.__str__(id_)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidIdError(id_, "an id must not contain lone surrogates") from None
    return text
