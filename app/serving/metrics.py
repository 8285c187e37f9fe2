"""Figures for Prometheus, on a port of their own that strangers do not reach."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, start_http_server

Stage = Literal["decode", "encode", "search"]
_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Requests, the queue, seconds of each stage, failures, and the process itself."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "rspnet_requests", "Requests by route", ["method", "route", "status"], registry=self.registry
        )
        self._request_seconds = Histogram(
            "rspnet_request_seconds",
            "Seconds until a request was answered",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._events = Counter("rspnet_events", "Events of the page and the API", ["outcome"], registry=self.registry)
        self._queue = Gauge("rspnet_queue_waiting", "Events that wait for their turn", registry=self.registry)
        self._stages = Histogram(
            "rspnet_stage_seconds",
            "Seconds of decoding, encoding and searching",
            ["stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._failures = Counter(
            "rspnet_failures", "Stages that ended with an error", ["stage"], registry=self.registry
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered; ``route`` is a row of the table, so that no client can make up another."""
        known = method if method in ("GET", "HEAD", "POST") else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def event_taken(self) -> None:
        """An event has a place in the queue."""
        self._events.labels("taken").inc()

    def event_refused(self) -> None:
        """The queue was full."""
        self._events.labels("refused").inc()

    def watch_queue(self, waiting: Callable[[], int]) -> None:
        """Ask ``waiting`` for the queue's length at each look."""
        self._queue.set_function(waiting)

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:
        """Time a block, and count it as failed where it raises."""
        with self._failures.labels(name).count_exceptions(), self._stages.labels(name).time():
            yield

    def serve(self, host: str, port: int) -> Callable[[], None]:
        """Answer GET /metrics in a thread until the function that is returned is called. Raises OSError."""
        server, thread = start_http_server(port, host, self.registry)

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return stop
