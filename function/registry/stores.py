"""MLFLOW_TRACKING_URI where it names a file or a folder here, and how processes share that file.

mlflow sets a new sqlite file up with dozens of migrations and no lock: of two processes that find
it empty, one fails half-way with "duplicate column name".
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from function.registry import uris

_DATABRICKS = ("databricks", "databricks-uc", "uc")


def is_folder(tracking_uri: str) -> bool:
    """Whether the store is an ``mlruns`` folder."""
    return uris.scheme(tracking_uri) in ("", "file") and tracking_uri not in _DATABRICKS


def local_path(tracking_uri: str) -> Path | None:
    """The store's file or folder on this machine; None where it is neither."""
    if is_folder(tracking_uri):
        return uris.local_path(tracking_uri)
    return _sqlite_file(tracking_uri)


@contextmanager
def others_waiting(tracking_uri: str) -> Iterator[None]:
    """Meanwhile other processes of this service that come to the same sqlite file wait.

    The lock is on the file's folder: closing a descriptor of the file itself would take sqlite's
    own locks away. Where a folder cannot be locked (NFS, say) nobody waits.
    """
    file = _sqlite_file(tracking_uri)
    descriptor = _lock(file.absolute().parent) if file is not None else None
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _sqlite_file(tracking_uri: str) -> Path | None:
    """The file of ``sqlite:///FILE``, whatever the driver; None in memory, or for sqlite's URIs."""
    if uris.scheme(tracking_uri).partition("+")[0] != "sqlite":
        return None
    path = urlsplit(tracking_uri).path.removeprefix("/")
    return None if path in ("", ":memory:") or path.startswith("file:") else Path(path)


def _lock(folder: Path) -> int | None:
    """A descriptor that holds the lock until it is closed."""
    with suppress(OSError, ImportError):
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor
    return None
