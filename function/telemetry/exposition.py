"""The counts as Prometheus reads them: text, or OpenMetrics with exemplars where it asks for that.

``prometheus_client`` is imported here and nowhere else, when somebody scrapes for the first time.
https://prometheus.io/docs/instrumenting/exposition_formats, https://prometheus.io/docs/practices/naming
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector, exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import InfoMetricFamily, Metric
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

from function.telemetry.metrics import (
    BATCH_BOUNDS,
    CONFIDENCE_BOUNDS,
    LATENCY_BOUNDS,
    Example,
    Histogram,
    Metrics,
)

PREFIX = "sentiment"
_EXEMPLAR_FIELDS = ("trace_id", "span_id")


class ModelFacts(NamedTuple):
    """What the scrape says of the model: its names, the seconds of each stage of its load, and of
    the terms in its texts, how many there were and how many it did not know, where it counts."""

    info: Mapping[str, str]
    stages: Mapping[str, float]
    terms: tuple[int, int] | None


def render(
    metrics: Metrics, model: ModelFacts | None, cold_start_seconds: float | None, accept: str
) -> tuple[str, bytes]:
    """The content type and the text of one scrape, in the format that ``accept`` asks for."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(metrics, model, cold_start_seconds))
    ProcessCollector(registry=registry)
    try:
        encode, content_type = exposition.choose_encoder(accept)
    except (TypeError, ValueError):  # a version that is none
        encode, content_type = exposition.choose_encoder("")
    return content_type, encode(registry)


class Buckets(NamedTuple):
    """A histogram's numbers at one moment, not yet added up."""

    counts: Sequence[int]
    total: float
    exemplars: Mapping[int, Example]

    @classmethod
    def of(cls, histogram: Histogram) -> Buckets:
        """What it has now."""
        return cls(*histogram.buckets(), dict(histogram.exemplars))

    @classmethod
    def together(cls, several: Sequence[Buckets]) -> Buckets:
        """All that several have; each bucket shows one of their exemplars."""
        counts = [*map(sum, zip(*(one.counts for one in several), strict=True))]
        exemplars = {place: shown for one in several for place, shown in one.exemplars.items()}
        return cls(counts, sum(one.total for one in several), exemplars)


class _Collector:
    """One scrape's metrics (prometheus_client.registry.Collector)."""

    def __init__(
        self, metrics: Metrics, model: ModelFacts | None, cold_start_seconds: float | None
    ) -> None:
        self._metrics = metrics
        self._model = model
        self._cold_start_seconds = cold_start_seconds

    def collect(self) -> Iterator[Metric]:
        yield from self._requests()
        yield from self._predictions()
        yield from self._loads()
        if self._model is not None:
            yield from _of_model(self._model)

    def _requests(self) -> Iterator[Metric]:
        answered = dict(self._metrics.answered)  # others may add to it
        requests = CounterMetricFamily(
            f"{PREFIX}_requests",
            "Requests answered",
            labels=("route", "method", "status"),
        )
        by_route: dict[str, list[Buckets]] = {}
        for (route, method, status), latencies in answered.items():
            buckets = Buckets.of(latencies)
            requests.add_metric((route, method, str(status)), sum(buckets.counts))
            by_route.setdefault(route, []).append(buckets)
        yield requests
        durations = HistogramMetricFamily(
            f"{PREFIX}_request_duration_seconds",
            "From a request that has arrived whole to its answer",
            labels=("route",),
        )
        for route, several in by_route.items():
            _add(durations, (route,), LATENCY_BOUNDS, Buckets.together(several))
        yield durations
        for name, told, ask in self._metrics.gauges:
            yield GaugeMetricFamily(f"{PREFIX}_{name}", told, ask())
        yield CounterMetricFamily(
            f"{PREFIX}_requests_shed",
            "Requests answered 503 because there was too much at once",
            self._metrics.shed,
        )

    def _predictions(self) -> Iterator[Metric]:
        metrics = self._metrics
        predictions = metrics.predictions()  # first: it sorts what the histograms have, too
        sizes = HistogramMetricFamily(f"{PREFIX}_batch_size", "Texts in a request for predictions")
        _add(sizes, (), BATCH_BOUNDS, Buckets.of(metrics.batch_sizes))
        yield sizes
        yield _by("predictions", "Predictions by the label they gave", "label", predictions)
        confidences = HistogramMetricFamily(
            f"{PREFIX}_confidence", "Probability of the label that was predicted"
        )
        _add(confidences, (), CONFIDENCE_BOUNDS, Buckets.of(metrics.confidences))
        yield confidences

    def _loads(self) -> Iterator[Metric]:
        metrics, seconds = self._metrics, self._cold_start_seconds
        yield _by("model_loads", "Attempts to load a model", "outcome", metrics.loads)
        yield _by(
            "model_refreshes",
            "Looks at which version the registry means",
            "outcome",
            metrics.refreshes,
        )
        if seconds is not None:
            yield GaugeMetricFamily(
                f"{PREFIX}_cold_start_seconds",
                "From the start of the process to a model that answers",
                seconds,
            )


def _of_model(model: ModelFacts) -> Iterator[Metric]:
    info = InfoMetricFamily(f"{PREFIX}_model", "The model that answers")
    info.add_metric((), dict(model.info))
    yield info
    stages = GaugeMetricFamily(
        f"{PREFIX}_model_load_stage_seconds",
        "What loading the model that answers took, by stage",
        labels=("stage",),
    )
    for stage, seconds in model.stages.items():
        stages.add_metric((stage,), seconds)
    yield stages
    if model.terms is not None:
        met, unknown = model.terms
        yield CounterMetricFamily(f"{PREFIX}_terms", "Terms in the texts of requests", met)
        yield CounterMetricFamily(
            f"{PREFIX}_unknown_terms", "Of these, the ones that the model does not know", unknown
        )


def _by(name: str, told: str, label: str, counts: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"{PREFIX}_{name}", told, labels=(label,))
    for value, count in dict(counts).items():
        family.add_metric((value,), count)
    return family


def _add(
    family: HistogramMetricFamily, labels: Sequence[str], bounds: Sequence[float], values: Buckets
) -> None:
    """Add the histogram as Prometheus has them: each bucket counts what is below it, too."""
    names = [*map(floatToGoString, bounds), "+Inf"]
    buckets = [
        (name, count, *_exemplar(values.exemplars.get(place)))
        for place, (name, count) in enumerate(zip(names, accumulate(values.counts), strict=True))
    ]
    family.add_metric(labels, buckets=buckets, sum_value=values.total)


def _exemplar(given: Example | None) -> tuple[()] | tuple[Exemplar]:
    if given is None:
        return ()
    trace, value, when = given
    labels = {name: trace[name] for name in _EXEMPLAR_FIELDS if trace.get(name)}
    return (Exemplar(labels, value, when),)
