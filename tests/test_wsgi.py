"""The container's WSGI app answers as Functions Framework's own does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

import function
from function.http.routes import ROUTES
from function.wsgi import create_app as create_lean_app
from tests.conftest import AppFactory
from tests.registry import Registry

VOLATILE = {"x-request-id", "server-timing", "content-length"}


@pytest.fixture
def both(create_app: AppFactory, registry: Registry) -> Callable[..., tuple[TestResponse, ...]]:
    """Ask Functions Framework's app and the container's the same."""
    plain = Client(create_app(**registry.environ).application)
    vars(function).pop("handle", None)
    lean = Client(create_lean_app())

    def ask(path: str, **how: Any) -> tuple[TestResponse, ...]:
        return plain.open(path, **how), lean.open(path, **how)

    return ask


def described(reply: TestResponse) -> tuple[int, dict[str, str]]:
    """Status and headers, without what differs from request to request."""
    headers = {key.lower(): value for key, value in reply.headers.items()}
    return reply.status_code, {k: v for k, v in headers.items() if k not in VOLATILE}


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "DELETE"])
@pytest.mark.parametrize("path", [*ROUTES, "/nowhere", "/robots.txt", "/favicon.ico"])
def test_each_path_and_method_is_answered_alike(both: Any, path: str, method: str) -> None:
    both("/predict", method="POST", json={"text": "wait for the model"})
    plain, lean = both(path, method=method)
    assert described(plain) == described(lean)


def test_predictions_are_the_same_bytes(both: Any) -> None:
    plain, lean = both("/predict", method="POST", json={"text": "Crème brûlée, I love it"})
    assert plain.data == lean.data


def test_a_body_over_the_limit_is_413(both: Any) -> None:
    for reply in both("/predict", method="POST", data=b"x" * 1_048_577):
        assert reply.status_code == 413


def test_an_execution_id_is_drawn_where_there_is_none(both: Any) -> None:
    for reply in both("/health", headers={"Function-Execution-Id": "given"}):
        assert reply.status_code == 200


def test_doubled_slashes_reach_handle_instead_of_a_redirect(both: Any) -> None:
    _, lean = both("/health//live")
    assert (lean.status_code, lean.content_type) == (404, "application/problem+json")
