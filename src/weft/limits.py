"""Bounds on what peers and stored bytes may ask of us, each with its unit and its reason."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_LIMITS", "DEFAULT_SERVER_LIMITS", "Limits", "ServerLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one connection, room or document.

    They bound what a peer may add at once, not what a document may become: one that was made of many messages
    may be larger than each of them, and is sent in parts.

    Attributes:
        max_message: Bytes in one received message; a larger one ends the connection with the code 1009. The
            first sync of a 100,000-cell document is about 2.5 MB, so the 1 MiB default of ``websockets``
            would refuse it.
        max_sent: Bytes in one sent message, where it can be cut: what a document has to say beyond that goes
            out in several. Never more than ``max_message``, as peers mostly have the same. Lower it for a
            server that takes less. One value is never cut.
        max_depth: Nesting of JSON-like content in a Yjs update, and of shared types in a document, of which
            never more than 255. yrs recurses without a limit and overflows a 512 KiB stack at about 1,650
            levels; 64 is more than data ever needs.
        max_string: Bytes in one string on the wire.
        max_awareness_states: Client ids kept per room. Each costs about 400 bytes for good.
        max_awareness_states_per_session: Client ids one connection may speak for; a y-websocket
            client speaks for itself, a relay for a few.
        max_awareness_state: Bytes of JSON in one awareness state.
        max_clients: Yjs client ids in one document, in one update, and in one state vector. Each session of
            an editor is one; a server keeps about 700 bytes for each, and every transaction of a JavaScript
            client takes 12 ms longer for 20,000. What is there already is kept and served.
        max_new_clients: Client ids that one connection may bring to a room that the room did not have. An
            editor brings one, a copy of a document all that have ever edited it.
        max_crowd: Client ids of one update that write at one place without having heard of each other. 10,000
            take the binding 0.4 s, and twice as many four times as long; sessions that set a key before they
            know the document add up to a crowd in a room that has existed for long.
        max_held: Bytes of updates of one document that wait for what they build upon, with what must be noted
            of them; one client may have half. A resync that closes the gap brings again what was refused.
        max_frame_messages: y-websocket messages in one frame. Known senders put one or two into it.
        max_frame_questions: Questions among them. A frame of 16 MB could ask for everything a million times.
        max_answers: Answers that wait for one client before no more is read of it. A question is a few bytes,
            and an answer can be the whole document; who flushes has one or two under way.
        max_documents: Documents on one automerge-repo connection; further ones are unavailable to the client.
            One that asks for one that nobody has costs the server about 20 KB for it, as long as it is
            connected.
        max_ephemeral: Bytes that an automerge-repo client may have sent in one ephemeral message to everybody
            who has the document open.
        max_outbound: Bytes waiting to be sent to one connection before it is dropped to a resync.
    """

    max_message: int = 16 * 1024 * 1024
    max_sent: int = 16 * 1024 * 1024
    max_depth: int = 64
    max_string: int = 16 * 1024 * 1024
    max_awareness_states: int = 1_000
    max_awareness_states_per_session: int = 64
    max_awareness_state: int = 4 * 1024
    max_clients: int = 200_000
    max_new_clients: int = 100_000
    max_crowd: int = 10_000
    max_held: int = 32 * 1024 * 1024
    max_frame_messages: int = 1_000
    max_frame_questions: int = 8
    max_answers: int = 64
    max_documents: int = 1_000
    max_ephemeral: int = 64 * 1024
    max_outbound: int = 16 * 1024 * 1024

    @property
    def max_part(self) -> int:
        """Bytes in one part of what is sent: the lower one of ``max_sent`` and ``max_message``."""
        return min(self.max_sent, self.max_message)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """Bounds of a server and of every connection to it, whoever it lets in.

    No honest client meets them; each says what would.

    Attributes:
        join_timeout: Seconds from the connect until a client is let in, whatever it sends: a y-websocket
            client by the hook, which may take longer only where ``auth_timeout`` says so; an automerge-repo
            client by its ``join``, which it sends at once. A bad radio link takes two or three.
        max_early_bytes: Bytes that an automerge-repo client may send before its ``join`` has come, which has
            some 150; and that of a client are kept while it is decided on and its room is loaded.
        max_early_messages: Messages and other frames likewise.
        message_timeout: Seconds that one message may take from its first byte to its last; up to 20 more pass
            until that is seen. 16 MiB in 120 seconds are 1.2 Mbit/s.
        max_waiting: Bytes that wait in memory for all connections together: what is to be sent, messages of
            which a part has come, and what waits to be taken in. What several wait for counts once. Beyond it
            who has most of it is let go. More than the largest document is needed, as it waits as a whole.
        max_unsaved: Bytes of one room that were taken in and are not durable, each update with 2 KiB more.
            With more of them the room's clients are not read until storage has caught up: it sets the pace
            then, and the writes of other rooms wait for one commit of this one, not for ten.
        max_openings: Documents of one automerge-repo client that are opened at a time. What it says of them
            waits in memory.
        ping_interval: Seconds between two pings of the websocket, which find clients that are gone without a
            word. Mobile networks forget connections after some minutes.
        ping_timeout: Seconds that a pong may take; a bad radio link takes two or three.
        close_timeout: Seconds that a client has to answer a close frame, or to take what is on its way.
        max_stall: Seconds that the event loop may be at one thing, in which it serves nobody, before the log
            says where it is. A person notices from a quarter of a second on.
        max_connections: Connections at a time, from the first byte on; fewer where the process may not have
            as many descriptors, of which some are kept free. One process serves some thousands well.
        max_connections_per_address: Of one address; of IPv6 of one network of 64 bits. A company behind one
            address has hundreds, a proxy that is not told of with ``Server(proxies=…)`` has all there are.
        max_connections_per_user: Of one ``Allow.user``, where it is not empty. A person has some tabs, a
            service that edits for others has a connection for each.
        max_rooms_per_address: Rooms and documents that the clients of an address hold open, each counted once
            for each connection. A document that nobody has costs some 20 KB.
        max_rooms_per_user: Likewise of one ``Allow.user``.
        byte_rate: Bytes a second from one connection. 128 Mbit/s; who sends faster is read from that fast.
        frame_rate: Frames of the websocket a second, whole messages, parts of such, and control frames.
        message_rate: Messages a second. A person makes 60 at most, by dragging; a program that loads
            100,000 cells one by one does it at once, with what is saved up in ``rate_burst``.
        ping_rate: Frames that bring nothing, a second: pings, pongs and texts. Clients send one in some
            seconds. Only here does it end the connection to go on: who owes more than ``max_owed``.
        question_rate: Questions a second: SyncStep1, QueryAwareness and automerge-repo's requests. A client
            that waits for the storage after each write asks as often as that commits.
        join_rate: Rooms and documents entered a second; by one automerge-repo client as many as
            ``max_documents`` at once.
        time_share: Part of the time that the messages of one connection may take, of which the server's
            thread has 1 for all.
        rate_burst: Seconds for which rates are saved up while less comes.
        time_burst: Likewise for ``time_share``. A document of 16 MiB takes two or three.
        max_owed: Seconds of rate that frames which bring nothing may be ahead, beyond ``rate_burst``.
        user_rates: Times as much as one connection that all of a user have of each rate.
        address_rates: Likewise those of an address, behind which a whole office may be.
    """

    join_timeout: float = 10.0
    max_early_bytes: int = 64 * 1024
    max_early_messages: int = 16
    message_timeout: float = 120.0
    max_waiting: int = 256 * 1024 * 1024
    max_unsaved: int = 2 * 1024 * 1024
    max_openings: int = 32
    ping_interval: float = 20.0
    ping_timeout: float = 20.0
    close_timeout: float = 5.0
    max_stall: float = 0.25
    max_connections: int = 100_000
    max_connections_per_address: int = 10_000
    max_connections_per_user: int = 1_000
    max_rooms_per_address: int = 100_000
    max_rooms_per_user: int = 10_000
    byte_rate: int = 16 * 1024 * 1024
    frame_rate: int = 10_000
    message_rate: int = 5_000
    ping_rate: int = 50
    question_rate: int = 500
    join_rate: int = 50
    time_share: float = 0.5
    rate_burst: float = 20.0
    time_burst: float = 5.0
    max_owed: float = 10.0
    user_rates: int = 4
    address_rates: int = 16


DEFAULT_LIMITS = Limits()
DEFAULT_SERVER_LIMITS = ServerLimits()
