"""Spans for OpenTelemetry: each request, what it asked of the model, and the stages of a load.

Imported where the standard variables ask for traces and nowhere else: the SDK takes longer to
import than all the rest of a start. Names and attributes follow the semantic conventions,
https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanContext, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from function import __version__

FLUSH_SECONDS = 5.0
_LONGEST_STATE = 512
"""Characters of tracestate; the specification asks for at least so many to be passed on."""
Slice = tuple[str, int, int]
"""A stage of a load, from when to when (time.time_ns)."""


class Tracing:
    """Makes spans and sends them, over HTTP, where OTEL_EXPORTER_OTLP_ENDPOINT says."""

    def __init__(self, service_name: str) -> None:
        self._provider = TracerProvider(resource=_resource(service_name))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("function", __version__)
        self._propagator = TraceContextTextMapPropagator()  # baggage is used nowhere here
        self._last_load: SpanContext | None = None

    @contextmanager
    def request(
        self, method: str, route: str, headers: Mapping[str, str], started: float
    ) -> Iterator[Span]:
        """The span of one request, a child of the caller's; ``started`` on time.perf_counter's
        clock. It is the current one in the block, which sets its status."""
        start_ns = time.time_ns() - int(1e9 * (time.perf_counter() - started))
        with self._tracer.start_as_current_span(
            f"{method} {route}",
            self._propagator.extract(_bounded(headers)),
            SpanKind.SERVER,
            {"http.request.method": method, "http.route": route},
            start_time=start_ns,
        ) as span:
            yield span

    @staticmethod
    def answered(span: Span, status: int) -> None:
        """Say how a request ended; a server's error is the span's."""
        span.set_attribute("http.response.status_code", status)
        if status >= 500:
            span.set_attribute("error.type", str(status))
            span.set_status(StatusCode.ERROR)

    @contextmanager
    def span(self, name: str, attributes: Mapping[str, Any]) -> Iterator[None]:
        """A part of the request that is current."""
        with self._tracer.start_as_current_span(name, attributes=attributes):
            yield

    def waited_for_load(self) -> None:
        """Lead from the request that is current to the load that it waited for."""
        if self._last_load is not None:
            trace.get_current_span().add_link(self._last_load)

    def load(
        self, stages: Sequence[Slice], failure: str | None, attributes: Mapping[str, str]
    ) -> None:
        """A load that has ended, as a trace of its own: nobody's request, many may wait for it."""
        start_ns = stages[0][1] if stages else time.time_ns()
        root = self._tracer.start_span(
            "model load", attributes=attributes, start_time=start_ns, context=Context()
        )
        if failure is not None:
            root.set_status(StatusCode.ERROR, failure)
        inside = trace.set_span_in_context(root)
        for name, begun_ns, ended_ns in stages:
            self._tracer.start_span(name, inside, start_time=begun_ns).end(ended_ns)
        root.end(stages[-1][2] if stages else start_ns)
        self._last_load = root.get_span_context()

    @staticmethod
    def fields() -> dict[str, Any]:
        """The current span as the log and the exemplars have it; nothing where there is none."""
        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return {}
        return {
            "trace_id": f"{context.trace_id:032x}",
            "span_id": f"{context.span_id:016x}",
            "trace_sampled": context.trace_flags.sampled,
        }

    def flush(self, seconds: float) -> None:
        """Send what is left, within that time and FLUSH_SECONDS: the SDK's own bound is none."""
        sender = threading.Thread(target=self._provider.force_flush, name="flush", daemon=True)
        sender.start()
        sender.join(min(seconds, FLUSH_SECONDS))


def _bounded(headers: Mapping[str, str]) -> Mapping[str, str]:
    """What a propagator reads: one that is longer than any it would take is a record each time."""
    state = headers.get("tracestate", "")
    found = {"traceparent": headers.get("traceparent", "")}
    return {**found, "tracestate": state} if len(state) <= _LONGEST_STATE else found


def _resource(service_name: str) -> Resource:
    """Who sends; what OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say comes first.

    K_SERVICE and K_REVISION are of Knative's runtime contract.
    """
    service, revision = os.environ.get("K_SERVICE"), os.environ.get("K_REVISION")
    found = {
        "service.name": service or service_name,
        "service.version": __version__,
        "service.instance.id": os.environ.get("HOSTNAME"),
        "faas.name": service,
        "faas.version": revision,
    }
    given = Resource.create({name: value for name, value in found.items() if value})
    return given.merge(OTELResourceDetector().detect())
