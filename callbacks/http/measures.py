"""Counters and gauges of one web process, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


Gauge = tuple[str, str, tuple[str, ...], Callable[[], Mapping[tuple[str, ...], float]]]
"""(name, help, label names, how to ask for the values by labels)."""


class _Asked:
    """Gauges whose values are asked for when Prometheus comes."""

    def __init__(self, gauges: Iterable[Gauge]) -> None:
        self._gauges = tuple(gauges)

    def collect(self) -> Iterable[Metric]:
        for name, words, labels, ask in self._gauges:
            family = GaugeMetricFamily(name, words, labels=labels)
            for key, value in ask().items():
                family.add_metric(key, value)
            yield family


class Measures:
    """What is counted per request, and what is asked for at each scrape."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "chengyun_http_requests", "HTTP requests", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "chengyun_http_seconds",
            "Seconds until the last byte of an answer (streams left out)",
            ["route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.messages = Counter(
            "chengyun_messages_accepted",
            "Messages taken by POST /api/v1/messages or /api/v1/devices and put on the bus",
            ["feed", "topic"],
            registry=self.registry,
        )
        self.refused = Counter(
            "chengyun_messages_refused", "Messages refused at these doors", ["reason"], registry=self.registry
        )

    def ask(self, gauges: Iterable[Gauge]) -> None:
        """Add gauges that are asked for at each scrape."""
        self.registry.register(_Asked(gauges))

    def text(self) -> bytes:
        """The exposition text."""
        return generate_latest(self.registry)
