"""What the operator counts, for Prometheus, and where it tells how it is: /metrics, /healthz, /readyz."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from kubectl_sagemaker.errors import Error
from kubectl_sagemaker.kubeconfig import reason

if TYPE_CHECKING:
    from kubectl_sagemaker.aws import Aws

BUCKETS: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


class Metrics:
    """The numbers. Threads share them."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, Histogram, ProcessCollector

        self.registry = CollectorRegistry()
        # What every Python process shows: its memory, CPU, files and garbage.
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.requests = Counter(
            "sagemaker_operator_aws_requests", "Requests to AWS.", ["operation", "outcome"], registry=self.registry
        )
        self.looks = Counter(
            "sagemaker_operator_looks", "Looks at objects.", ["kind", "outcome"], registry=self.registry
        )
        self.seconds = Histogram(
            "sagemaker_operator_look_seconds", "How long looks take.", ["kind"], buckets=BUCKETS, registry=self.registry
        )
        self.due = Gauge("sagemaker_operator_due", "Objects that are due to be looked at.", registry=self.registry)
        self.acting = Gauge("sagemaker_operator_acting", "Whether this replica acts.", registry=self.registry)

    def count(self, states: Callable[[], Iterable[tuple[str, str]]]) -> None:
        """Tell at each scrape how many objects there are, by kind and state."""
        from prometheus_client.core import GaugeMetricFamily
        from prometheus_client.registry import Collector

        class Objects(Collector):
            def collect(self) -> Iterator[Any]:
                family = GaugeMetricFamily("sagemaker_operator_objects", "Objects.", labels=["kind", "state"])
                counts: dict[tuple[str, str], int] = {}
                for key in states():
                    counts[key] = counts.get(key, 0) + 1
                for key, count in sorted(counts.items()):
                    family.add_metric(list(key), count)
                yield family

        self.registry.register(Objects())

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)


class CountedAws:
    """The door to AWS, whose requests are counted."""

    def __init__(self, aws: Aws, metrics: Metrics) -> None:
        self._aws = aws
        self._metrics = metrics
        self.renew = aws.renew

    @property
    def region(self) -> str | None:
        """The region where an object names none."""
        return self._aws.region

    def call(self, service: str, operation: str, parameters: Mapping[str, Any], **place: Any) -> dict[str, Any]:
        """Call one operation, and count it with what came of it."""
        outcome = "ok"
        try:
            return self._aws.call(service, operation, parameters, **place)
        except Error as error:
            outcome = type(error).__name__
            raise
        finally:
            self._metrics.requests.labels(operation, outcome).inc()


class Health:
    """An HTTP server in a thread: `paths` gives what each path answers, a text, or None for 503."""

    def __init__(self, host: str, port: int, paths: Mapping[str, Callable[[], bytes | None]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the name that http.server calls
                answer = paths.get(self.path)
                body = answer() if answer else None
                status = 404 if answer is None else 503 if body is None else 200
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *words: Any) -> None:
                """Say nothing: a probe comes every few seconds."""

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise Error(f"cannot listen on {host}:{port}: {reason(error)}") from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Health:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
