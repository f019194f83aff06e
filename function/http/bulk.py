"""``/predict_batch`` of any length: lines in, a line of answer for each, while they arrive.

What is held at a time is one part of the body and its answers. No exception leaves a stream: what
is wrong with a line stands in its place, what is wrong with the body ends the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from function.errors import NotAcceptable, ServiceError, UnsupportedMediaType
from function.http.codings import Deflating, Inflating, Plain
from function.http.endpoints import Service
from function.http.messages import Request
from function.http.negotiation import accepts, accepts_gzip, window_bits_of
from function.model.attempt import LoadedModel
from function.predictor import Answer, answer_each
from function.protocols import sentiment
from function.protocols.csv_lines import CsvLines
from function.protocols.lines import (
    CSV,
    NDJSON,
    NDJSON_TYPES,
    Asked,
    Line,
    Lines,
    error_line,
    parsed_type,
)
from function.protocols.ndjson import NdjsonLines
from function.settings import Settings

SLICE_BYTES, LARGE_SLICE_BYTES = 2_048, 32_768
"""Of lines that are answered together: as others wait for no longer than that takes, and where a
thread does it, for models that do better with many."""
LEFT = "the client left"


class LineStream:
    """One request's messages.Stream."""

    def __init__(self, service: Service, request: Request) -> None:
        """Raises what refuses it: NotAcceptable (406), UnsupportedMediaType (415), and where the
        body begins wrong InvalidInput (422) and MalformedRequest (400)."""
        headers = request.headers
        if not accepts(headers.get("accept", ""), NDJSON_TYPES):
            raise NotAcceptable(f"Lines are answered as {NDJSON}; send an Accept that has it.")
        self._service = service
        self._lines = lines_of(headers.get("content-type", ""), service.settings)
        window_bits = window_bits_of(headers.get("content-encoding", ""))
        self._body = Inflating(window_bits) if window_bits else Plain()
        self._coded = Deflating() if accepts_gzip(headers.get("accept-encoding", "")) else None
        self._has_lines = False
        self._told = self._failed = 0
        self._ended_by: str | None = LEFT
        self.is_over = self.is_broken = False
        self.when_closed: Callable[[Mapping[str, Any]], None] = _nobody
        self._is_whole = request.is_whole
        self._begin(request)

    def _begin(self, request: Request) -> None:
        if request.body:
            self._body.feed(request.body)
            self._lines.add(self._body.take())
            self._has_lines = True
            request.body = b""  # or it would stay in memory to the end
        if self._is_whole and self._body.is_empty:
            self._end()

    def _end(self) -> None:
        self._body.end()
        self._lines.end()

    @property
    def headers(self) -> list[tuple[str, str]]:
        """What the answer's head says of it."""
        coding = [("Content-Encoding", "gzip")] if self._coded is not None else []
        return [("Content-Type", NDJSON), *coding]

    @property
    def is_hungry(self) -> bool:
        return self._body.is_empty and not (self._has_lines or self._is_whole or self.is_over)

    def feed(self, data: bytes) -> None:
        self._body.feed(data)

    def end(self) -> None:
        self._is_whole = True

    def work(self) -> bytes:
        try:
            return self._sent(self._next_answers())
        except ServiceError as error:
            return self.fail(error)
        except BaseException as exc:
            self._service.signals.log.request_failure("request failed", exc)
            return self.fail(ServiceError("The service failed on this request; its log says why."))

    def fail(self, error: ServiceError) -> bytes:
        self.is_over = self.is_broken = True
        self._ended_by = error.title
        return self._sent(f"{self._error_line(error)}\n")

    def close(self) -> None:
        self.is_over = True
        when_closed, self.when_closed = self.when_closed, _nobody
        when_closed({"lines": self._told, "errors": self._failed, "ended_by": self._ended_by})

    def _next_answers(self) -> str:
        model = self._service.model()
        most_bytes = SLICE_BYTES if model.predictor.quick_bytes else LARGE_SLICE_BYTES
        lines = self._lines.take(most_bytes)
        if not lines and not self._body.is_empty:
            self._lines.add(self._body.take())
            lines = self._lines.take(most_bytes)
        elif not lines and self._is_whole:
            self._end()
            lines = self._lines.take(most_bytes)
            if not lines:
                self.is_over, self._ended_by = True, None
        self._has_lines = bool(lines)
        return "\n".join([*self._answers(model, lines), ""]) if lines else ""

    def _answers(self, model: LoadedModel, lines: Sequence[Line]) -> list[str]:
        """What stands in the place of each line."""
        asked = [line for line in lines if isinstance(line, Asked)]
        texts = [line.text for line in asked]
        found = answer_each(model.predictor.predict, texts)
        answers = [answer for answer in found if not isinstance(answer, Exception)]
        self._service.signals.metrics.predicted(answers)
        is_plain = not any([line.with_scores or line.is_explained for line in asked])
        if is_plain and len(answers) == len(lines):
            self._told += len(lines)
            return sentiment.render_each(texts, answers, model.lineage.shown_version)
        given = iter(found)
        return [
            self._answer(model, line, next(given))
            if isinstance(line, Asked)
            else self._error_line(line)
            for line in lines
        ]

    def _answer(self, model: LoadedModel, line: Asked, answer: Answer | Exception) -> str:
        """A line of the answer, with what is asked for besides."""
        if isinstance(answer, Exception):
            return self._told_of(answer)
        shown = model.predictor.labels if line.with_scores else None
        version = model.lineage.shown_version
        rendered = sentiment.render_prediction(line.text, answer, version, shown)
        if line.is_explained:
            from function.model import explaining
            from function.protocols import explanations

            try:
                explanation = explaining.explain(model, line.text, answer)
                rendered = explanations.render(rendered, explanation)
            except ServiceError as error:
                return self._error_line(error)
        self._told += 1
        return rendered

    def _told_of(self, exc: Exception) -> str:
        if not self._failed:  # once is enough
            self._service.signals.log.request_failure("request failed", exc)
        if not isinstance(exc, ServiceError):
            exc = ServiceError("The model failed on this line.")
        return self._error_line(exc)

    def _error_line(self, error: ServiceError) -> str:
        self._told += 1
        self._failed += 1
        return error_line(self._told, error)

    def _sent(self, text: str) -> bytes:
        data = text.encode()
        if self._coded is None or not (data or self.is_over):
            return data
        return self._coded(data, self.is_over)


def lines_of(content_type: str, settings: Settings) -> Lines:
    """What reads a body of this type; raises UnsupportedMediaType (415) for what is no text in
    UTF-8."""
    media_type, parameters = parsed_type(content_type)
    if parameters.get("charset", "utf-8").lower() not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType("Send the lines in UTF-8.")
    if media_type == CSV:
        return CsvLines(settings, has_header=parameters.get("header") != "absent")
    return NdjsonLines(settings)


def _nobody(told: Mapping[str, Any]) -> None:
    pass
