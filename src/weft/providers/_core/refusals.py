"""When to stop trying: the same message was refused again and again, at either end.

A message that one end cannot take in is sent again on each new connection, and refused again. To go on for
ever helps nobody, and hides from the user that nothing arrives any more.
"""

from __future__ import annotations

from weft.errors import ConnectionClosedError, RemoteProtocolError

__all__ = ["Refusals"]

# Close codes by which a server says that it cannot take in what it was sent: RFC 6455, section 7.4.1
# (protocol error, unacceptable data, bad payload). The others are a matter of policy, size or patience.
_CODES = frozenset({1002, 1003, 1007})
_INVALID = 1007

# Connections in a row before it is final. With the default back-off they take some three seconds: a server
# that is restarted under the hands of a proxy has been given its time.
_MOST = 6
# Seconds. A connection that held for longer was of use, and its end is no repetition.
_AT_ONCE = 300.0


class Refusals:
    """Counts the connections in a row that ended alike, because one end refused a message."""

    def __init__(self) -> None:
        self._last: tuple[object, ...] = ()
        self._count = 0

    def note(self, error: Exception, seconds: float) -> ConnectionClosedError | None:
        """Note how a connection ended.

        Args:
            error: What ended it.
            seconds: How long it, and the try to make it, took.

        Returns:
            The error that ends all trying; ``None`` while another try may help.
        """
        match error:
            case RemoteProtocolError():
                refused: tuple[object, ...] = ("here", str(error))
                said = f"what the server sends cannot be taken in: {error}"
            case ConnectionClosedError() if error.code in _CODES:
                refused = (error.code, error.reason)
                said = f"the server cannot take in what it is sent: {error.reason or 'it gives no reason'}"
            case _:
                self._last, self._count = (), 0
                return None
        if refused != self._last or seconds > _AT_ONCE:
            self._last, self._count = refused, 0
        self._count += 1
        if self._count < _MOST:
            return None
        code = error.code if isinstance(error, ConnectionClosedError) else _INVALID
        self._last, self._count = (), 0
        reason = f"refused {_MOST} times in a row, as it would be again; {said}"
        return ConnectionClosedError(code, reason, permanent=True)
