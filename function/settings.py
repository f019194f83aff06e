"""Every environment variable of the service: name, type, default, bounds, unit and help.

The README's table is rendered from here, so a setting exists everywhere or nowhere.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from function.errors import InvalidSetting

# Beyond the threads for requests: probes must be answered while every other thread is busy.
PROBE_THREADS = 4
# A compiled model is there within milliseconds, and then Python answers one request at a time:
# more threads than these few only take memory, and the interpreter's lock from each other.
MOST_THREADS_FOR_COMPILED = 8
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def setting(
    default: Any,
    help: str,
    *,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """Declare one setting; the environment variable is the field's name in capitals."""
    return field(
        default=default,
        metadata={
            "help": help,
            "unit": unit,
            "minimum": minimum,
            "maximum": maximum,
            "choices": choices,
        },
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """The service's settings, immutable once read."""

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
    labels: str = setting(
        "",
        "Names for the model's classes, as `0=negative,1=positive`; empty keeps them as they are",
    )
    service_name: str = setting(
        "sentiment-inference-service", "Name reported by `/` and `/health`, and in every log record"
    )
    log_level: str = setting("INFO", "Least severe log record written", choices=LOG_LEVELS)
    max_batch_size: int = setting(
        100, "Most texts in one `/predict_batch` request", unit="texts", minimum=1
    )
    max_text_length: int = setting(10_000, "Longest text accepted", unit="characters", minimum=1)
    max_body_bytes: int = setting(
        1_048_576, "Largest request body accepted", unit="bytes", minimum=1
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
        "Requests answered at a time (at most 8 where `COMPILED_MODEL` is set); more wait their"
        " turn, or, while the model loads, are told to come back",
        unit="requests",
        minimum=1,
    )
    drain_seconds: int = setting(
        30,
        "Longest that SIGTERM waits for the requests under way (`python -m function.serve`)",
        unit="seconds",
        minimum=1,
    )
    host: str = setting("0.0.0.0", "Address to listen on")
    port: int = setting(8080, "Port to listen on", minimum=1, maximum=65_535)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings; a variable that is unset or empty keeps its default.

        Raises InvalidSetting, naming variable and value, for the first bad one.
        """
        source = os.environ if environ is None else environ
        given: dict[str, Any] = {}
        for spec in fields(cls):
            text = source.get(spec.name.upper(), "").strip()
            if text:
                given[spec.name] = _parse(spec.name.upper(), text, spec.type, spec.metadata)
        if "host" in given:  # as in a URL: gunicorn wants an IPv6 address so, sockets do not
            given["host"] = given["host"].removeprefix("[").removesuffix("]")
        settings = cls(**given)
        settings.label_names()
        return settings

    @property
    def threads(self) -> int:
        """How many requests the server hands to Python at a time."""
        threads = self.max_concurrency + PROBE_THREADS
        return min(threads, MOST_THREADS_FOR_COMPILED) if self.compiled_model else threads

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


def settings_or_exit() -> Settings:
    """The settings from the environment; a bad one ends the process with one line (status 1)."""
    try:
        return Settings.from_environ()
    except InvalidSetting as exc:
        from function.security.redaction import Redaction

        raise SystemExit(Redaction()(str(exc))) from None


def _parse(name: str, text: str, type_name: Any, rules: Mapping[str, Any]) -> Any:
    if type_name == "str":
        value: Any = text.upper() if rules["choices"] else text
        if rules["choices"] and value not in rules["choices"]:
            raise InvalidSetting(name, text, f"one of {', '.join(rules['choices'])}")
        return value
    number = int if type_name == "int" else float
    expected = _expected(number, rules)
    try:
        value = number(text)
        if not text.isascii() or "_" in text:  # Python's own liberties: 1_000, other digits
            raise ValueError
    except ValueError:
        raise InvalidSetting(name, text, expected) from None
    low, high = rules["minimum"], rules["maximum"]
    if not (low is None or value >= low) or not (high is None or value <= high) or value - value:
        raise InvalidSetting(name, text, expected)  # value - value is NaN for NaN and infinity
    return value


def _expected(number: type, rules: Mapping[str, Any]) -> str:
    kind = "a whole number" if number is int else "a number"
    unit = f" of {rules['unit']}" if rules["unit"] else ""
    if rules["maximum"] is not None:
        return f"{kind}{unit} from {rules['minimum']} to {rules['maximum']}"
    return f"{kind}{unit}, at least {rules['minimum']}" if rules["minimum"] is not None else kind


def markdown_table() -> str:
    """The settings as the Markdown table that the README shows."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for spec in fields(Settings):
        default = f"`{spec.default}`" if spec.default != "" else "*(empty)*"
        unit = f" ({spec.metadata['unit']})" if spec.metadata["unit"] else ""
        choices = spec.metadata["choices"]
        one_of = f": {', '.join(choices)}" if choices else ""
        rows.append(
            f"| `{spec.name.upper()}` | {default} | {spec.metadata['help']}{one_of}{unit} |"
        )
    return "\n".join(rows) + "\n"


if __name__ == "__main__":  # python -m function.settings: the table for the README
    print(markdown_table(), end="")
