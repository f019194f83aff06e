"""Serve a text classifier from the MLflow Model Registry as one HTTP function, ``handle``.

Importing this package imports neither mlflow, pandas, scikit-learn nor numpy, and reads no
environment; asking for ``handle`` builds it from the environment, once. ``publish`` is for training
scripts: it compiles what they logged, and keeps that beside the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from function.handler import Handle
    from function.publishing import publish

    handle: Handle

__all__ = ["__version__", "handle", "publish"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "publish":
        from function import publishing

        return publishing.publish
    if name != "handle":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from function import framework
    from function.handler import create_handle
    from function.settings import settings_or_exit

    settings = framework.prepare(settings_or_exit())
    globals()["handle"] = created = create_handle(settings)
    return created
