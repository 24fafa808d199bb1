"""Who may enter a room, and how: the hook every server must be given.

A decision is a value with a name, never a ``bool``: servers whose hook returned ``True`` have meant both "let
in" and "reject" by it. There is no default; who wants an open server writes ``auth=allow_all``.
"""

from __future__ import annotations

import asyncio
import hmac
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from weft._support.arguments import wrong_kind
from weft.limits import Limits  # noqa: TC001 - part of a public signature that users introspect

__all__ = ["Allow", "Auth", "Decision", "Deny", "Request", "allow_all", "allow_tokens", "decide"]

_log = logging.getLogger("weft.server")

# Websocket close codes. y-websocket and weft's provider take 4400 to 4499 as final; where the hook itself
# failed the client did nothing wrong, so it is told to try again later.
_UNAUTHORIZED = 4401
_FORBIDDEN = 4403
_TRY_AGAIN_LATER = 1013


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is known of a client before it is let in.

    Attributes:
        room: Room asked for, decoded and validated; of an automerge-repo client the id of a document. Such a
            client is asked about each document that it speaks of. Of a TinyBase client what stands in the
            URL, not decoded, and for each of its channels once, with the channel's name behind.
        query: Parameters of the URL; of a repeated one the first. Tokens of y-websocket clients stand here:
            keep them out of logs.
        headers: HTTP headers of the handshake, names in lower case; repeated ones joined by ``", "``.
        origin: ``Origin`` header; ``None`` where there is none, as with clients outside of browsers.
        remote: Address of the peer's end of the socket. Behind a proxy that is the proxy.
        protocol: What the client speaks: ``"yjs"`` (y-websocket), ``"automerge"`` (automerge-repo) or
            ``"tinybase"``. A TinyBase client without channels is known as one by its first message, so about
            it the hook is asked twice: before the upgrade as about a y-websocket client, then as what it is.
    """

    room: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    origin: str | None
    remote: str
    protocol: Literal["yjs", "automerge", "tinybase"] = "yjs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """Let the client into the room, or have the document, that it asked for.

    Attributes:
        user: Who it is, for logs and for later hooks.
        read_only: Whether its changes are refused.
        limits: Bounds for this connection; ``None`` for the server's. For automerge-repo and TinyBase
            clients, which may have many documents on one connection, they are always the server's.
    """

    user: str = ""
    read_only: bool = False
    limits: Limits | None = None


@dataclass(frozen=True, slots=True)
class Deny:
    """Do not let the client in. It learns this as a websocket close code and reason.

    An automerge-repo client learns that the document is unavailable, which is all that its protocol can say;
    code 1013 closes its connection.

    Attributes:
        reason: A fixed phrase for the client, at most 123 bytes in UTF-8; longer ones are cut.
        code: Close code: 4401 (not authenticated) or 4403 (not permitted), both final for y-websocket
            clients; any code from 4000 to 4999, or 1013 to have the client try again.
    """

    reason: str = "not permitted"
    code: int = _FORBIDDEN

    def __post_init__(self) -> None:
        if not (4000 <= self.code <= 4999 or self.code == _TRY_AGAIN_LATER):
            raise ValueError(
                f"close code {self.code} cannot say a refusal; use 4401, 4403 or another of 4000-4999"
            )


Decision = Allow | Deny
Auth = Callable[[Request], Decision | Awaitable[Decision]]


def allow_all(request: Request) -> Allow:
    """Let everybody in with all rights. For servers that only trusted people can reach."""
    return Allow()


def allow_tokens(tokens: Iterable[str]) -> Auth:
    """Make a hook that lets in with all rights who shows one of these tokens, and denies all others (4401).

    A token is the parameter ``token`` of the URL, which browsers' clients can send, or the header
    ``Authorization: Bearer TOKEN``. They are compared in a time that tells nothing of them.

    Args:
        tokens: At least one; none may be empty.

    Raises:
        ValueError: There is none, or an empty one.
        TypeError: One is no text, or a text was given for all of them.
    """
    if isinstance(tokens, str):
        raise wrong_kind("a list of tokens", tokens)
    known = [_bytes(token) for token in tokens]
    if not known or not all(known):
        raise ValueError("give at least one token, and none that is empty")

    def auth(request: Request) -> Decision:
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        given = bearer.strip() if scheme.lower() == "bearer" else request.query.get("token", "")
        shown = _bytes(given)
        # All of them are compared, so that the time does not say which it was.
        if sum(hmac.compare_digest(shown, token) for token in known):
            return Allow()
        return Deny("unknown token" if given else "a token is needed", _UNAUTHORIZED)

    return auth


def _bytes(token: str) -> bytes:
    if not isinstance(token, str):
        raise wrong_kind("a token that is a str", token)
    return token.encode("utf-8", "surrogatepass")


async def decide(auth: Auth, request: Request, *, seconds: float) -> Decision:
    """Ask the hook, and deny whatever is not a clear answer.

    Args:
        auth: The hook, sync or async.
        request: What to decide on.
        seconds: Seconds an async hook has.

    Returns:
        The hook's decision; :class:`Deny` when it raised, whatever that was but an exit of the program, took
        too long, or returned something else.
    """
    deadline = asyncio.timeout(seconds)
    task = asyncio.current_task()
    try:
        async with deadline:
            decision: object = auth(request)
            if inspect.isawaitable(decision):
                decision = await decision
    except (SystemExit, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # a hook that fails lets nobody in, whatever it raised
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise  # it is we who are cancelled, and not something that the hook waited for
        if deadline.expired():
            _log.error("auth of room %.200r gave no answer within %g s; denied", request.room, seconds)
        else:
            _log.exception("auth of room %.200r failed; denied", request.room)
        return Deny("authentication is not available", _TRY_AGAIN_LATER)
    if not isinstance(decision, Allow | Deny):
        _log.error("auth returned %.200r, neither Allow nor Deny; denied", decision)
        return Deny("authentication is not available", _TRY_AGAIN_LATER)
    return decision
