"""The hybrid logical clock of TinyBase (10.0.1, ``getHlcFunctions``): stamps that sort by time.

A stamp is 16 characters of an alphabet in the order of its codes, 6 bits each: 7 of milliseconds since 1970
(42 bits, which end in the year 2109), 4 of a counter, 5 of the client. Comparing two stamps as text compares
their times, then their counters, then their clients.
"""

from __future__ import annotations

import re
import time
from secrets import token_bytes
from typing import TYPE_CHECKING, Final

from weft._support.arguments import check_callable, wrong_kind
from weft.documents.mergeable.hashes import get_hash

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAX_AHEAD", "Clock", "decode_hlc", "encode_hlc", "get_unique_id", "is_hlc", "latest_allowed"]

MAX_AHEAD: Final = 5 * 60 * 1000
"""Milliseconds that a stamp may lie ahead of one's own time: TinyBase's bound."""

_ALPHABET = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_DIGITS = {character: number for number, character in enumerate(_ALPHABET)}
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_COUNTERS = 2**24
_match = re.compile(r"[-0-9A-Z_a-z]{16}").fullmatch


def _encode(number: int, length: int) -> str:
    return "".join([_ALPHABET[number >> 6 * place & 63] for place in range(length - 1, -1, -1)])


def _decode(text: str) -> int:
    number = 0
    for character in text:
        number = number << 6 | _DIGITS[character]
    return number


def _client_of(unique_id: str) -> str:
    """The client part of a store's id: the low 30 bits of its hash."""
    return _encode(get_hash(unique_id), 5)


def get_unique_id(length: int = 16) -> str:
    """Draw a random id of so many characters, as TinyBase does: 6 bits each."""
    return "".join([_ALPHABET[byte & 63] for byte in token_bytes(length)])


def encode_hlc(logical_time: int, counter: int, unique_id: str) -> str:
    """Write a stamp.

    Args:
        logical_time: Milliseconds since 1970, below 2**42.
        counter: Below 2**24.
        unique_id: The id of the store whose stamp it is, of any length.
    """
    return _encode(logical_time, 7) + _encode(counter, 4) + _client_of(unique_id)


def decode_hlc(hlc: object) -> tuple[int, int, str]:
    """Read a stamp.

    Returns:
        Its time in milliseconds since 1970, its counter and the five characters of its client.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(hlc, str) or not _match(hlc):
        raise ValueError(f"{hlc!r:.100} is no stamp of a hybrid logical clock: 16 characters of -0-9A-Z_a-z")
    return _decode(hlc[:7]), _decode(hlc[7:11]), hlc[11:]


def is_hlc(hlc: object, latest: str = "z" * 16) -> bool:
    """Whether something is a stamp that is not later than another one, or the empty one."""
    return isinstance(hlc, str) and (not hlc or (hlc <= latest and _match(hlc) is not None))


def latest_allowed(now: int) -> str:
    """The last stamp that is believed at a time, in milliseconds since 1970."""
    return _encode(min(now + MAX_AHEAD, 2**42 - 1), 7) + "z" * 9


def _system_time() -> int:
    return time.time_ns() // 1_000_000


class Clock:
    """Gives stamps, each later than all it gave and all it saw.

    Args:
        unique_id: The store's id, from which the client's part of the stamps is made; random if ``None``.
        get_now: Gives the time in milliseconds since 1970; the machine's when ``None``.

    Attributes:
        client_id: The five characters that end its stamps.
    """

    __slots__ = ("_counter", "_get_now", "_prefix", "_time", "client_id")

    def __init__(self, unique_id: str | None = None, get_now: Callable[[], float] | None = None) -> None:
        if unique_id is not None and not isinstance(unique_id, str):
            raise wrong_kind("a str for unique_id", unique_id)
        check_callable("get_now", get_now)
        self.client_id = get_unique_id(5) if unique_id is None else _client_of(unique_id)
        self._get_now = _system_time if get_now is None else get_now
        self._time = 0
        self._counter = -1
        self._prefix = _encode(0, 7)

    def __repr__(self) -> str:
        return f"<Clock {self.client_id}, {self._time} ms, {self._counter}>"

    @property
    def now(self) -> int:
        """Milliseconds since 1970, of the machine's clock or the one that was given."""
        return int(self._get_now())

    def next(self) -> str:
        """Give the next stamp."""
        now = int(self._get_now())
        if now > self._time:
            self._set_time(now, -1)
        self._counter = counter = self._counter + 1
        if counter == _COUNTERS:
            self._set_time(self._time + 1, 0)
            counter = 0
        return self._prefix + _PAIRS[counter >> 12] + _PAIRS[counter & 4095] + self.client_id

    def skip(self, count: int) -> None:
        """Pass over as many stamps as writes were rolled back: they may have been seen."""
        if count:
            self.next()
            time_steps, self._counter = divmod(self._counter + count - 1, _COUNTERS)
            if time_steps:
                self._set_time(self._time + time_steps, self._counter)

    def seen(self, hlc: str) -> None:
        """Give later stamps than this one from now on; what is no stamp, or too far ahead, is passed over."""
        now = self.now
        if not hlc:  # nobody's time, but one's own has been looked at
            if now > self._time:
                self._set_time(now, -1)
            return
        if not is_hlc(hlc, latest_allowed(now)):
            return
        seen_time, seen_counter, _ = decode_hlc(hlc)
        latest = max(self._time, seen_time, now)
        if latest == self._time:
            if latest == seen_time and seen_counter > self._counter:
                self._counter = seen_counter
        else:
            self._set_time(latest, seen_counter if latest == seen_time else -1)

    def resume(self, hlc: str) -> None:
        """Give later stamps than one that was believed before, wherever one's own time stands now."""
        if hlc and (there := decode_hlc(hlc)[:2]) > (self._time, self._counter):
            self._set_time(*there)

    def _set_time(self, milliseconds: int, counter: int) -> None:
        self._time = milliseconds
        self._counter = counter
        self._prefix = _encode(milliseconds, 7)
