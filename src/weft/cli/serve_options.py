"""``weft serve`` and its options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from weft.cli import values
from weft.cli.command import command, verbose
from weft.limits import DEFAULT_LIMITS, DEFAULT_SERVER_LIMITS, Limits, ServerLimits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["serve", "serve_arguments", "serve_options"]

# Those of weft.limits.Limits that a server has, and what they mean.
_SIZES = {
    "max_message": "a client may send in one message",
    "max_sent": "leaves in one message, where it can be cut; never more than --max-message",
    "max_outbound": "waits to be sent to one client before it is dropped to a resync",
    "max_string": "is in one string of an update",
    "max_held": "of one room waits for what it builds upon",
    "max_awareness_state": "is in the awareness state of one client",
    "max_ephemeral": "an automerge-repo client may say in one ephemeral message",
}
_COUNTS = {
    "max_depth": "levels of lists and mappings within one another in an update",
    "max_awareness_states": "awareness states in one room",
    "max_awareness_states_per_session": "awareness states that one connection may speak for",
    "max_clients": "Yjs client ids in one document, update or state vector",
    "max_new_clients": "Yjs client ids that one connection may bring to a room",
    "max_crowd": "Yjs client ids of one update that write at one place unknown to each other",
    "max_frame_messages": "y-websocket messages in one frame",
    "max_frame_questions": "questions in one frame",
    "max_answers": "answers that wait for one client before no more is read of it",
    "max_documents": "documents on one automerge-repo connection",
}
# Those of weft.limits.ServerLimits.
_SERVER_SIZES = {
    "max_waiting": "waits in memory for all clients together, before who has most of it is let go",
    "max_early_bytes": "an automerge-repo client may send before its join message",
    "max_unsaved": "was taken in of one room and is not durable, before its clients have to wait",
    "byte_rate": "one connection may send in a second",
}
_SERVER_COUNTS = {
    "max_connections": "connections at a time, and no more than there are descriptors for",
    "max_openings": "documents of one automerge-repo client that are opened at a time",
    "max_early_messages": "messages and other frames of an automerge-repo client before its join message",
    "max_connections_per_address": "connections from one address at a time",
    "max_connections_per_user": "connections of one user that the auth hook names",
    "max_rooms_per_address": "rooms and documents that the clients of one address hold open",
    "max_rooms_per_user": "rooms and documents that the clients of one user hold open",
    "frame_rate": "frames from one connection in a second",
    "message_rate": "messages from one connection in a second",
    "ping_rate": "pings and other frames that bring nothing, from one connection in a second",
    "question_rate": "questions for what a room has, from one connection in a second",
    "join_rate": "rooms and documents that one connection enters in a second",
    "user_rates": "of these rates that all connections of a user have together, as a multiple",
    "address_rates": "of these rates that all connections from an address have together, as a multiple",
}
_SERVER_PARTS = {
    "time_share": "part of the server's time that the messages of one connection may take",
}
_SERVER_TIMES = {
    "rate_burst": "rates are saved up while less comes",
    "time_burst": "--time-share is saved up likewise",
    "max_owed": "pings and other frames that bring nothing may be ahead of their rate",
    "join_timeout": "a connection may take until its client is let in",
    "ping_interval": "passes between two pings of a connection",
    "ping_timeout": "a client may take to answer one",
    "close_timeout": "a client may take to answer a close frame",
    "message_timeout": "one message may take to come",
    "max_stall": "nobody may be served because of one thing, before the log says of which",
}
_TIMES = {
    "unload_delay": (10.0, "a room that nobody is in stays in memory"),
    "stall_timeout": (30.0, "a client that has something to read may make no progress"),
}


Decorated = Callable[..., Any]


def serve_options(function: Decorated) -> Decorated:
    """Give a command the options; it is called with what :func:`serve_arguments` takes."""
    for option in reversed([*_general(), *_limits()]):
        function = option(function)
    return function


def _general() -> Iterator[Callable[[Decorated], Decorated]]:
    option = click.option
    yield option("--host", default="127.0.0.1", show_default=True, help="address to listen on")
    yield option(
        "--port",
        type=values.port,
        default="1234",
        show_default=True,
        metavar="PORT",
        help="port to listen on, 0 for a free one",
    )
    yield option(
        "--db",
        default="weft.sqlite3",
        show_default=True,
        type=values.database,
        metavar="ADDRESS",
        help="where all that is served is kept: a SQLite file, memory:, or postgresql://USER@HOST/DATABASE",
    )
    yield option(
        "--broker",
        type=values.broker,
        metavar="ADDRESS",
        help="what tells other servers of the same PostgreSQL database at once what this one has stored: "
        "redis://HOST, rediss://HOST (TLS), or nats://HOST",
    )
    yield option(
        "--broker-prefix",
        default="weft",
        show_default=True,
        metavar="NAME",
        help="before the names of the broker's channels: servers of different databases need different ones",
    )
    yield option(
        "--token",
        "tokens",
        multiple=True,
        envvar="WEFT_TOKEN",
        metavar="TOKEN",
        help="let in only who shows it, as ?token=TOKEN or as a bearer token; may be repeated (default: "
        "$WEFT_TOKEN, which nobody sees in the list of processes; without any, everybody)",
    )
    yield option(
        "--origin",
        "origins",
        multiple=True,
        type=values.origin,
        metavar="ORIGIN",
        help="web origin whose pages may connect, such as https://app.example.com; may be repeated; '*' for "
        "all (default: pages of this machine). Programs that are no browsers send none and may connect",
    )
    yield option(
        "--bridge",
        multiple=True,
        type=values.room,
        metavar="ROOM",
        help="room whose tables Yjs, TinyBase and automerge-repo clients edit together; the URL of the "
        "Automerge document is printed; may be repeated",
    )
    yield option(
        "--shared",
        is_flag=True,
        help="let other processes read the SQLite file while it is served; at most one server may serve it "
        "all the same",
    )
    yield option(
        "--proxy",
        "proxies",
        multiple=True,
        type=values.network,
        metavar="ADDRESS",
        help="address or network of a proxy in front of it, whose X-Forwarded-For counts; may be repeated",
    )
    yield option(
        "--metrics-port",
        type=values.port,
        metavar="PORT",
        help="port for /health, /ready and, with weft[metrics], Prometheus's /metrics, 0 for a free one "
        "(default: none)",
    )
    yield option(
        "--metrics-host",
        default="127.0.0.1",
        show_default=True,
        metavar="HOST",
        help="address to listen on for those",
    )


def _limits() -> Iterator[Callable[[Decorated], Decorated]]:
    """Sizes, then numbers, then times."""
    for name, meaning in (_SIZES | _SERVER_SIZES).items():
        yield _limit(name, values.size, values.shown_size(_default(name)), "SIZE", f"most that {meaning}")
    for name, meaning in (_COUNTS | _SERVER_COUNTS).items():
        yield _limit(name, values.count, str(_default(name)), "NUMBER", f"most {meaning}")
    for name, meaning in _SERVER_PARTS.items():
        yield _limit(name, values.part, f"{_default(name):g}", "PART", f"most {meaning}")
    times = _TIMES | {name: (_default(name), meaning) for name, meaning in _SERVER_TIMES.items()}
    for name, (seconds, meaning) in times.items():
        yield _limit(name, values.seconds, f"{seconds:g}", "TIME", f"how long {meaning}")


def _limit(
    name: str, kind: Callable[[str], object], default: str, metavar: str, help_text: str
) -> Callable[[Decorated], Decorated]:
    return click.option(
        f"--{name.replace('_', '-')}",
        type=kind,
        default=default,
        show_default=True,
        metavar=metavar,
        help=help_text,
    )


def _default(name: str) -> Any:
    return getattr(DEFAULT_LIMITS if hasattr(DEFAULT_LIMITS, name) else DEFAULT_SERVER_LIMITS, name)


@command(epilog="Sizes are in bytes or with K, M or G behind, times in seconds or with ms, s, m or h behind.")
@serve_options
@verbose
def serve(**options: Any) -> None:
    """Serve rooms to Yjs and TinyBase clients and documents to Automerge clients.

    Rooms for y-websocket clients and TinyBase's synchronizers are at ws://HOST:PORT/ROOM, documents for
    automerge-repo clients all at ws://HOST:PORT (where weft[automerge] is installed). Without --token who
    can connect may edit. A server with users is a few lines of Python, see weft.server.
    """
    import asyncio

    from weft.cli.event_loop import new_event_loop
    from weft.cli.output import say
    from weft.cli.serve import serve as run
    from weft.server.storage import is_shared

    if options["broker"] is not None and not is_shared(options["db"]):
        raise click.UsageError(
            f"--broker is for several servers of one database, and {options['db']} is one server's alone: "
            "give --db postgresql://USER@HOST/DATABASE"
        )
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(run(**serve_arguments(options), say=say))


def serve_arguments(options: Mapping[str, Any]) -> dict[str, Any]:
    """What :func:`weft.cli.serve.serve` is called with."""
    from weft.server import RoomSettings

    plain = ("host", "port", "db", "broker", "broker_prefix", "bridge", "shared", "proxies", "tokens")
    return {name: options[name] for name in plain} | {
        "origins": options["origins"] or None,
        "metrics": (
            None if options["metrics_port"] is None else (options["metrics_host"], options["metrics_port"])
        ),
        "limits": Limits(**{name: options[name] for name in (*_SIZES, *_COUNTS)}),
        "server_limits": ServerLimits(**{each.name: options[each.name] for each in fields(ServerLimits)}),
        "settings": RoomSettings(**{name: options[name] for name in _TIMES}),
    }
