"""Every environment variable of the service: name, type, default, bounds, unit and help.

The table in docs/settings.md is rendered from here, so a setting exists everywhere or nowhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from function.errors import InvalidSetting
from function.variables import Setting, parse, setting

# Under Functions Framework, beyond the threads for requests: probes must be answered while every
# other thread is busy.
PROBE_THREADS = 4
# Python runs one compiled prediction at a time: more threads only take the lock from each other.
MOST_THREADS_FOR_COMPILED = 2
_URI_REFERENCE = r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class Settings:
    """The service's settings, immutable once read.

    No dataclass: importing that module costs a cold start a tenth of its time.
    """

    mlflow_tracking_uri: str = setting(
        "sqlite:///mlflow.db",
        "MLflow tracking and registry: `sqlite:///FILE`, `http(s)://HOST`, or an `mlruns` folder",
    )
    model_uri: str = setting(
        "models:/prod-sentiment-classifier/Production",
        "Model to serve: `models:/name/stage`, `models:/name@alias`, `models:/name/3`,"
        " `models:/name/latest`, `models:/m-<id>`, `runs:/<run>/model`, or a folder",
    )
    compiled_model: str = setting(
        "",
        "Folder that `python -m function.compile` wrote; served instead of `MODEL_URI`, with no"
        " registry and no MLflow in the process",
    )
    model_formats: str = setting(
        "any",
        "What may be loaded beside compiled and published models: scikit-learn's in skops files,"
        " which are data, or code as well (pickles, Python models, `code_paths`)",
        choices=("skops", "any"),
    )
    skops_trusted_types: str = setting(
        "",
        "Types and functions that skops files may hold beside scikit-learn's, as full names with"
        " commas between (`reviews.cleaning.Cleaner`); what a model lists for itself is not"
        " believed",
    )
    allow_model_code: bool = setting(
        False,
        "Whether compiled and published models may run functions of their own, which"
        " `python -m function.compile --allow-code` copies: code of whoever can write them",
    )
    model_refresh_seconds: float = setting(
        0.0,
        "How often to ask the registry whether the alias or stage in `MODEL_URI` means another"
        " version, which then takes over; 0 asks never",
        unit="seconds",
        minimum=0,
        maximum=86_400,
    )
    model_labels_may_change: bool = setting(
        False, "Whether a version with other labels may take over from the one that serves"
    )
    model_cache: str = setting(
        "",
        "Folder where published models are kept: a cold start serves the one last served while the"
        " registry is away; empty keeps none",
    )
    model_cache_megabytes: int = setting(
        1024, "Most that it may hold beside the model that is served", unit="MB", minimum=1
    )
    webhook_secret: str = setting(
        "", "Secret that MLflow signs its webhooks with; `POST /models/refresh` then takes no other"
    )
    labels: str = setting(
        "",
        "Names for the model's classes, as `0=negative,1=positive`; empty keeps them as they are",
    )
    service_name: str = setting(
        "sentiment-inference-service", "Name reported by `/` and `/health`, and in every log record"
    )
    log_level: str = setting("INFO", "Least severe log record written", choices=LOG_LEVELS)
    access_log: str = setting(
        "all",
        "Requests that get a log record: `all`, `errors` (status 400 and above), or `sampled:N`,"
        " the errors and one in N of the others",
    )
    auth: str = setting(
        "none",
        "How a client says who it is: `api-key` wants one of `API_KEYS` or `API_KEYS_FILE`, `jwt` a"
        " token that `JWT_JWKS` verifies",
        choices=("none", "api-key", "jwt"),
    )
    auth_open_paths: str = setting(
        "",
        "Paths that need no key or token, comma-separated, `*` at the end for all that begin so;"
        " `/health*` never does",
    )
    api_keys: str = setting(
        "",
        "Keys, comma-separated, each `ID:SHA256HEX[:SCOPE+SCOPE]` as `python -m function.keys` has"
        " it; without a scope `predict`",
    )
    api_keys_file: str = setting(
        "", "File of such keys, one a line, `#` for remarks; read again when it changes"
    )
    jwt_jwks: str = setting(
        "", "JSON Web Key Set that tokens are verified with: an `https://` URL, or a file"
    )
    jwt_issuer: str = setting("", "What a token's `iss` must be")
    jwt_audience: str = setting("", "What a token's `aud` must be, or hold")
    jwt_leeway_seconds: float = setting(
        0.0,
        "By how much the clocks of issuer and service may differ",
        unit="seconds",
        minimum=0,
        maximum=300,
    )
    cors_allow_origins: str = setting(
        "",
        "Origins whose pages a browser lets ask, comma-separated, as `https://app.example.com`; `*`"
        " is all, empty none",
    )
    max_batch_size: int = setting(
        100, "Most texts in one `/predict_batch` request", unit="texts", minimum=1
    )
    event_type: str = setting(
        "sentiment.prediction", "Type of the CloudEvents that `POST /` answers"
    )
    event_source: str = setting("/sentiment", "Source of these, a URI or a path")
    event_replies: bool = setting(
        True, "Whether they are sent at all; else it answers with nothing"
    )
    max_rows: int = setting(
        10_000,
        "Most texts in one request of the protocols of others (`/invocations`, `/v1`, `/v2`)",
        unit="texts",
        minimum=1,
    )
    max_text_length: int = setting(10_000, "Longest text accepted", unit="characters", minimum=1)
    max_body_bytes: int = setting(
        1_048_576, "Largest request body accepted", unit="bytes", minimum=1
    )
    max_line_bytes: int = setting(
        131_072,
        "Longest line of a `/predict_batch` of lines, which may be of any number",
        unit="bytes",
        minimum=1,
    )
    stream_idle_seconds: float = setting(
        60.0,
        "Longest that a client of these may neither send nor read anything"
        " (`python -m function.serve`)",
        unit="seconds",
        minimum=0.1,
        maximum=86_400,
    )
    load_timeout_seconds: float = setting(
        60.0,
        "Longest a request waits for the model to load",
        unit="seconds",
        minimum=0,
        maximum=3600,
    )
    load_deadline_seconds: float = setting(
        300.0,
        "Longest a load may take before it is given up and, after the pause, begun anew",
        unit="seconds",
        minimum=0.1,
        maximum=86_400,
    )
    load_retry_seconds: float = setting(
        5.0,
        "Pause after a failed load before the next attempt",
        unit="seconds",
        minimum=0,
        maximum=3600,
    )
    max_concurrency: int = setting(
        64,
        "Requests that call the model at a time (at most 2 where it is compiled)",
        unit="requests",
        minimum=1,
    )
    max_queue: int = setting(
        256,
        "Requests that wait for their turn; one more is answered 503 at once"
        " (`python -m function.serve`)",
        unit="requests",
        minimum=0,
    )
    request_timeout_seconds: float = setting(
        75.0,
        "Longest that a request waits and is worked on before it is answered 503"
        " (`python -m function.serve`)",
        unit="seconds",
        minimum=0.1,
        maximum=3600,
    )
    read_timeout_seconds: float = setting(
        10.0,
        "Longest that a request may stall while it arrives before it is answered 408, or its answer"
        " while it leaves (`python -m function.serve`)",
        unit="seconds",
        minimum=0.1,
        maximum=3600,
    )
    max_connections: int = setting(
        2048,
        "Connections kept open; beyond them the one that is idle longest is closed"
        " (`python -m function.serve`)",
        unit="connections",
        minimum=1,
    )
    max_connection_age_seconds: float = setting(
        0.0,
        "Age after which a connection's next answer ends it, so that clients spread over new pods;"
        " 0 keeps it (`python -m function.serve`)",
        unit="seconds",
        minimum=0,
    )
    drain_seconds: int = setting(
        30,
        "Longest that SIGTERM waits for the requests under way (`python -m function.serve`)",
        unit="seconds",
        minimum=1,
    )
    host: str = setting("0.0.0.0", "Address to listen on")
    port: int = setting(8080, "Port to listen on", minimum=1, maximum=65_535)

    def __init__(self, *given: Any, **named: Any) -> None:
        values = dict(zip(_SPECS, given, strict=False)) | named
        if unknown := values.keys() - _SPECS.keys():
            raise TypeError(f"no such settings: {sorted(unknown)}")
        for name, (_, spec) in _SPECS.items():
            self.__dict__[name] = values.get(name, spec.default)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("settings do not change; make others with replace()")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settings) and self.__dict__ == other.__dict__

    def replace(self, **changes: Any) -> Self:
        """The same settings but for ``changes``."""
        return type(self)(**self.__dict__ | changes)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings; a variable that is unset or empty keeps its default.

        Raises InvalidSetting, naming variable and value, for the first bad one.
        """
        source = os.environ if environ is None else environ
        given: dict[str, Any] = {}
        for name, (type_name, spec) in _SPECS.items():
            text = source.get(name.upper(), "").strip()
            if text:
                given[name] = parse(name.upper(), text, type_name, spec)
        if "host" in given:  # as in a URL: gunicorn wants an IPv6 address so, sockets do not
            given["host"] = given["host"].removeprefix("[").removesuffix("]")
        settings = cls(**given)
        settings.label_names()
        settings.logged_one_in()
        settings.trusted_types()
        if not re.fullmatch(_URI_REFERENCE, settings.event_source):
            expected = "a URI reference: no spaces, and others than ASCII as %.."
            raise InvalidSetting("EVENT_SOURCE", settings.event_source, expected)
        return settings

    @property
    def threads(self) -> int:
        """How many requests Functions Framework's server hands to Python at a time."""
        return self.max_concurrency + PROBE_THREADS

    def logged_one_in(self) -> int:
        """Of how many requests without an error one gets a log record; 0 where none does."""
        kind, _, number = self.access_log.lower().partition(":")
        if not number and kind in ("all", "errors"):
            return int(kind == "all")
        if kind != "sampled" or not re.fullmatch("0*[1-9][0-9]{0,8}", number):
            raise InvalidSetting("ACCESS_LOG", self.access_log, "all, errors or sampled:N")
        return int(number)

    def label_names(self) -> dict[str, str]:
        """``LABELS`` as a mapping from the model's class (as text) to the name to show."""
        names: dict[str, str] = {}
        for pair in filter(None, (part.strip() for part in self.labels.split(","))):
            key, separator, name = (part.strip() for part in pair.partition("="))
            if not (key and separator and name) or key in names or name in names.values():
                expected = "class=name pairs, each class and each name once"
                raise InvalidSetting("LABELS", self.labels, expected)
            names[key] = name
        return names

    def trusted_types(self) -> list[str]:
        """The names in ``SKOPS_TRUSTED_TYPES``."""
        text = self.skops_trusted_types
        names = [*filter(None, (part.strip() for part in text.split(",")))]
        for parts in (name.split(".") for name in names):
            if len(parts) < 2 or not all(part.isidentifier() for part in parts):
                expected = "full names, module and type, with commas between"
                raise InvalidSetting("SKOPS_TRUSTED_TYPES", text, expected)
        return names


_SPECS: dict[str, tuple[str, Setting]] = {
    name: (type_name, vars(Settings)[name]) for name, type_name in Settings.__annotations__.items()
}


def specs() -> Iterator[tuple[str, Setting]]:
    """Each setting's variable and declaration, in the order they are documented."""
    return ((name.upper(), spec) for name, (_, spec) in _SPECS.items())


def settings_or_exit() -> Settings:
    """The settings from the environment; a bad one ends the process with one line (status 1)."""
    with exit_where_invalid():
        return Settings.from_environ()


@contextmanager
def exit_where_invalid() -> Iterator[None]:
    """InvalidSetting ends the process with its one line."""
    try:
        yield
    except InvalidSetting as exc:
        from function.security.redaction import Redaction

        raise SystemExit(Redaction()(str(exc))) from None


def markdown_table() -> str:
    """The settings as the Markdown table of docs/settings.md."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, spec in specs():
        default = str(spec.default).lower() if spec.default is False else spec.default
        default = f"`{default}`" if default != "" else "*(empty)*"
        unit = f" ({spec.unit})" if spec.unit else ""
        one_of = f": {', '.join(spec.choices)}" if spec.choices else ""
        rows.append(f"| `{name}` | {default} | {spec.help}{one_of}{unit} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":  # python -m function.settings: the table of docs/settings.md
    print(markdown_table(), end="")
