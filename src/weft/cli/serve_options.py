"""The options of ``weft serve``."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from weft.cli import values
from weft.limits import DEFAULT_LIMITS, DEFAULT_SERVER_LIMITS, Limits, ServerLimits

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["add_serve_options", "check_serve_options", "serve_arguments"]

# Those of weft.limits.Limits that a server has, and what they mean.
_SIZES = {
    "max_message": "a client may send in one message",
    "max_sent": "leaves in one message, where it can be cut; never more than --max-message",
    "max_outbound": "waits to be sent to one client before it is dropped to a resync",
    "max_string": "is in one string of an update",
    "max_awareness_state": "is in the awareness state of one client",
    "max_ephemeral": "an automerge-repo client may say in one ephemeral message",
}
_COUNTS = {
    "max_depth": "levels of lists and mappings within one another in an update",
    "max_awareness_states": "awareness states in one room",
    "max_awareness_states_per_session": "awareness states that one connection may speak for",
    "max_documents": "documents on one automerge-repo connection",
}
# Those of weft.limits.ServerLimits.
_SERVER_SIZES = {
    "max_waiting": "waits in memory for all clients together, before who has most of it is let go",
    "max_early_bytes": "an automerge-repo client may send before its join message",
}
_SERVER_COUNTS = {
    "max_connections": "connections at a time, and no more than there are descriptors for",
    "max_early_messages": "messages and other frames of an automerge-repo client before its join message",
}
_SERVER_TIMES = {
    "join_timeout": "a connection may take until its client is let in",
    "message_timeout": "one message may take to come",
    "max_stall": "nobody may be served because of one thing, before the log says of which",
}
_TIMES = {
    "unload_delay": (10.0, "a room that nobody is in stays in memory"),
    "stall_timeout": (30.0, "a client that has something to read may make no progress"),
}


def add_serve_options(parser: ArgumentParser) -> None:
    """Tell a parser of the options."""
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add(
        "--port",
        type=values.port,
        default=1234,
        help="port to listen on, 0 for a free one (default: %(default)s)",
    )
    add(
        "--db",
        default="weft.sqlite3",
        type=values.database,
        metavar="ADDRESS",
        help="where all that is served is kept: a SQLite file, memory:, or postgresql://USER@HOST/DATABASE "
        "(default: %(default)s)",
    )
    add(
        "--broker",
        type=values.broker,
        metavar="ADDRESS",
        help="what tells other servers of the same PostgreSQL database at once what this one has stored: "
        "redis://HOST, rediss://HOST (TLS), or nats://HOST",
    )
    add(
        "--broker-prefix",
        default="weft",
        metavar="NAME",
        help="before the names of the broker's channels: servers of different databases need different ones "
        "(default: %(default)s)",
    )
    add(
        "--origin",
        action="append",
        type=values.origin,
        metavar="ORIGIN",
        help="web origin whose pages may connect, such as https://app.example.com; may be repeated; '*' for "
        "all (default: pages of this machine). Programs that are no browsers send none and may connect",
    )
    add(
        "--bridge",
        action="append",
        default=[],
        type=values.room,
        metavar="ROOM",
        help="room that is an Automerge document at the same time, with the same tables; its URL is printed; "
        "may be repeated",
    )
    add(
        "--shared",
        action="store_true",
        help="let other processes read the SQLite file while it is served; at most one server may serve it "
        "all the same",
    )
    add(
        "--metrics-port",
        type=values.port,
        metavar="PORT",
        help="port for /health, /ready and, with weft[metrics], Prometheus's /metrics, 0 for a free one "
        "(default: none)",
    )
    add(
        "--metrics-host",
        default="127.0.0.1",
        metavar="HOST",
        help="address to listen on for those (default: %(default)s)",
    )
    _add_limits(parser)


def _add_limits(parser: ArgumentParser) -> None:
    group = parser.add_argument_group(
        "limits",
        "Sizes are in bytes or with K, M or G behind, times in seconds or with ms, s, m or h behind.",
    )
    for name, meaning in (_SIZES | _SERVER_SIZES).items():
        default = _default(name)
        group.add_argument(
            _option(name),
            type=values.size,
            default=default,
            metavar="SIZE",
            help=f"most that {meaning} (default: {values.shown_size(default)})",
        )
    for name, meaning in (_COUNTS | _SERVER_COUNTS).items():
        group.add_argument(
            _option(name),
            type=values.count,
            default=_default(name),
            metavar="NUMBER",
            help=f"most {meaning} (default: %(default)s)",
        )
    times = _TIMES | {name: (_default(name), meaning) for name, meaning in _SERVER_TIMES.items()}
    for name, (seconds, meaning) in times.items():
        group.add_argument(
            _option(name),
            type=values.seconds,
            default=seconds,
            metavar="TIME",
            help=f"how long {meaning} (default: {seconds:g})",
        )


def check_serve_options(options: Namespace, parser: ArgumentParser) -> None:
    """End with a sentence if the options contradict each other."""
    from weft.server.storage import is_shared

    if options.broker is not None and not is_shared(options.db):
        parser.error(
            f"--broker is for several servers of one database, and {options.db} is one server's alone: "
            "give --db postgresql://USER@HOST/DATABASE"
        )


def serve_arguments(options: Namespace) -> dict[str, Any]:
    """What :func:`weft.cli.serve.serve` is called with."""
    from weft.server import RoomSettings

    return {
        "host": options.host,
        "port": options.port,
        "db": options.db,
        "broker": options.broker,
        "broker_prefix": options.broker_prefix,
        "origins": options.origin,
        "bridge": options.bridge,
        "shared": options.shared,
        "metrics": None if options.metrics_port is None else (options.metrics_host, options.metrics_port),
        "limits": Limits(**{name: getattr(options, name) for name in (*_SIZES, *_COUNTS)}),
        "server_limits": ServerLimits(
            **{each.name: getattr(options, each.name) for each in fields(ServerLimits)}
        ),
        "settings": RoomSettings(**{name: getattr(options, name) for name in _TIMES}),
    }


def _default(name: str) -> Any:
    return getattr(DEFAULT_LIMITS if hasattr(DEFAULT_LIMITS, name) else DEFAULT_SERVER_LIMITS, name)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
