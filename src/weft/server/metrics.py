"""A server's numbers as Prometheus reads them: text format 0.0.4."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.core import Metric

    from weft._support.histogram import Histogram
    from weft.server.statistics import ServerStats

__all__ = ["CONTENT_TYPE", "exposition"]


def exposition(stats: ServerStats, lag: Histogram) -> str:
    """All of it, as text.

    Args:
        stats: What the server is doing.
        lag: Seconds by which its event loop was late.
    """
    registry = CollectorRegistry()  # not the process's: what else there is in it is not the server's
    registry.register(_Numbers(stats, lag))
    return generate_latest(registry).decode()


class _Numbers(Collector):
    def __init__(self, stats: ServerStats, lag: Histogram) -> None:
        self._stats = stats
        self._lag = lag

    def describe(self) -> Iterable[Metric]:
        """Nothing: there is one collector in its registry, and no names to be compared."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The figures of one moment."""
        stats, counters = self._stats, self._stats.counters
        yield _gauge("connections", "Clients that are connected", stats.connections)
        yield _counter("connections_accepted", "Connections that became websockets", stats.accepted)
        closed = CounterMetricFamily(
            "weft_connections_closed", "Connections that are over, by close code", labels=["code"]
        )
        for code, count in sorted(stats.closed.items()):
            closed.add_metric([str(code) if code else "other"], count)
        yield closed
        yield _counter("received_bytes", "Bytes that clients have sent", stats.received)
        rooms = GaugeMetricFamily("weft_rooms", "Rooms in memory", labels=["kind"])
        rooms.add_metric(["yjs"], stats.rooms)
        rooms.add_metric(["automerge"], stats.documents)
        rooms.add_metric(["mergeable"], stats.mergeable)
        yield rooms
        yield _counter("updates", "Updates taken in", counters.updates)
        yield _counter("update_bytes", "Bytes of updates taken in", counters.update_bytes)
        yield _counter("relayed", "Updates told to clients, once for each of them", counters.relayed)
        yield _counter("relayed_bytes", "Bytes of Yjs updates told to clients", counters.relayed_bytes)
        yield _gauge("queued_bytes", "What waits for clients that are behind", stats.queued)
        yield _gauge("longest_queue_bytes", "What waits for one of them at most", stats.longest_queue)
        refused = CounterMetricFamily(
            "weft_refused", "What bounds refused or held up, by the names of the settings", labels=["bound"]
        )
        for bound, count in sorted(stats.refused.items()):
            refused.add_metric([bound], count)
        yield refused
        yield _counter("let_go", "Clients let go as too much waited for all together", stats.let_go)
        yield _counter("stalls", "Times that the event loop served nobody for too long", stats.stalls)
        yield _gauge("unsaved_bytes", "Updates taken in that are not durable yet", stats.unsaved)
        yield _counter("compactions", "Logs that were compacted", counters.compactions)
        yield _counter("compactions_failed", "Logs that could not be", counters.failed_compactions)
        yield _counter("rooms_damaged", "Rooms found damaged when they were opened", counters.damaged)
        yield _counter("rows_set_aside", "Rows that could not be read, set aside", counters.set_aside)
        if (commits := stats.commits) is not None:
            yield _histogram("storage_commit_seconds", "How long commits take", commits.seconds)
            yield _counter("storage_updates", "Updates that were committed", commits.updates)
            yield _counter("storage_update_bytes", "Bytes of them", commits.size)
            yield _counter("storage_failures", "Commits that failed and are tried again", commits.failures)
        if (fanout := stats.fanout) is not None:
            yield _gauge(
                "broker_connected", "Whether the broker is there", int(bool(stats.is_broker_connected))
            )
            yield _gauge("processes", "Other processes heard of", fanout.processes)
            yield _counter("hints", "Commits that other processes told of", fanout.hints)
            yield _histogram("hint_lag_seconds", "From another process's commit to its hint", fanout.lags)
            yield _counter("holes", "Holes in the numbers that did not close by themselves", fanout.holes)
            yield _counter(
                "rows_fetched", "Rows read from storage since no hint brought them", fanout.fetched
            )
            yield _counter(
                "unreadable_hints", "Messages of the broker that are none of ours", fanout.unreadable
            )
        yield _histogram("event_loop_lag_seconds", "How late the event loop comes to what is due", self._lag)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"weft_{name}", meaning, value=value)


def _counter(name: str, meaning: str, value: float) -> Metric:
    return CounterMetricFamily(f"weft_{name}", meaning, value=value)


def _histogram(name: str, meaning: str, histogram: Histogram) -> Metric:
    bounds = [*map(str, histogram.bounds), "+Inf"]
    buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
    return HistogramMetricFamily(f"weft_{name}", meaning, buckets=buckets, sum_value=histogram.total)
