"""Answers from a model in this process, or in processes made of it, which share its memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

from function.errors import ModelLoadError, ModelOutputError, NotExplainable, ServiceError
from function.model.attempt import Attempt, LoadedModel, load
from function.predicting.chunks import (
    Chunk,
    Engine,
    Fault,
    Format,
    Part,
    Shape,
    Source,
    Unavailable,
)
from function.predictor import Answer, answer_each
from function.protocols import sentiment
from function.protocols.lines import error_line
from function.settings import Settings


class Local:
    """The model that the settings name, loaded; see chunks.Answerer."""

    def __init__(
        self,
        settings: Settings,
        with_scores: bool,
        top: int | None,
        jobs: int | None,
        say: Callable[[str], None],
    ) -> None:
        """``jobs`` is how many processes answer; None is for all cores, where the model is
        compiled: others, and functions of a model's own, bring threads, which do not always survive
        a fork. With ``top`` the answers have so many of the terms that decided them.

        Raises Unavailable.
        """
        self._settings = settings
        self._top = top
        self._model, warnings = _loaded(settings)
        if top is not None:
            _check_explainable(self._model)
        for warning in warnings:
            say(f"warning: {warning}")
        predictor = self._model.predictor
        self._jobs = jobs or (_cores() if predictor.quick_bytes else 1)
        self.shape = Shape(
            predictor.labels or (), predictor.multilabel, with_scores, top is not None
        )

    def engine(self, source: Source, written_as: Format) -> Engine:
        answering = Answering(
            self._model, self._settings, self.shape, self._top, source, written_as
        )
        if self._jobs == 1:
            return answering.parts
        from function.predicting.pool import Pool

        return Pool(answering.part, self._jobs).parts


def _cores() -> int:
    """Those that this process may use, where the system says (macOS does not)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _check_explainable(model: LoadedModel) -> None:
    """Raise Unavailable for a model that only gives answers."""
    from function.model.explaining import explainer_of

    try:
        explainer_of(model)
    except NotExplainable as exc:
        raise Unavailable(f"--explain: {exc.detail}") from exc


def _loaded(settings: Settings) -> tuple[LoadedModel, list[str]]:
    """The model, and what there is to warn of."""
    attempt = Attempt(settings, load)
    try:
        model = attempt.result(settings.load_deadline_seconds)
    except ModelOutputError as exc:
        raise Unavailable(f"the model's answer cannot be read: {exc.returned}") from exc
    except ModelLoadError as exc:
        raise Unavailable(str(exc)) from exc
    except Exception as exc:  # a library's, or the model's own code
        raise Unavailable(f"the model does not load ({type(exc).__name__}: {exc})") from exc
    away = attempt.stages.registry_away
    stale = [f"the registry is away, this is the version last served: {away}"] if away else []
    return model, [*attempt.stages.ran_code, *stale]


class Answering:
    """Chunks to parts, by one model."""

    def __init__(
        self,
        model: LoadedModel,
        settings: Settings,
        shape: Shape,
        top: int | None,
        source: Source,
        written_as: Format,
    ) -> None:
        self._model = model
        self._top = top
        self._version = model.lineage.shown_version
        self._longest = settings.max_text_length
        self._labels = model.predictor.labels if shape.with_scores else None
        self._text = source.text
        self._written_as = written_as

    def parts(self, chunks: Iterator[Chunk]) -> Iterator[Part]:
        """All of them, in this process."""
        return map(self.part, chunks)

    def part(self, chunk: Chunk) -> Part:
        """What the chunk's rows become."""
        checked = [self._checked(self._text(row)) for row in chunk.rows]
        answered = iter(self._answered([text for text in checked if isinstance(text, str)]))
        placed = [next(answered) if isinstance(text, str) else text for text in checked]
        lines = [
            line if isinstance(line, str) else error_line(number, line)
            for number, line in enumerate(placed, chunk.first)
        ]
        return Part.of(chunk, lines, self._written_as)

    def _answered(self, texts: Sequence[str]) -> list[str | ServiceError]:
        """A line for each; of a text that the model cannot take the error, alone."""
        found = answer_each(self._model.predictor.predict, texts)
        answers = [answer for answer in found if not isinstance(answer, Exception)]
        known = [
            text for text, it in zip(texts, found, strict=True) if not isinstance(it, Exception)
        ]
        lines = iter(self._rendered(known, answers))
        return [_told(it) if isinstance(it, Exception) else next(lines) for it in found]

    def _rendered(
        self, texts: Sequence[str], answers: Sequence[Answer]
    ) -> Sequence[str | ServiceError]:
        lines = sentiment.render_each(texts, answers, self._version, self._labels)
        if self._top is None:
            return lines
        return [*map(self._explained, lines, texts, answers)]

    def _explained(self, line: str, text: str, answer: Answer) -> str | ServiceError:
        """The line with its explanation: one text may have none where the next has."""
        from function.model.explaining import explain
        from function.protocols import explanations

        assert self._top is not None
        try:
            return explanations.render(line, explain(self._model, text, answer), self._top)
        except ServiceError as exc:
            return exc

    def _checked(self, text: str | Fault) -> str | ServiceError:
        if isinstance(text, Fault):
            return text.error
        fault = sentiment.fault_of(text, self._longest)
        return text if fault is None else Fault(fault, "/text").error


def _told(exc: Exception) -> ServiceError:
    if isinstance(exc, ServiceError):
        return exc
    return ServiceError(f"The model failed on this line ({type(exc).__name__}).")
