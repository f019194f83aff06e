"""Settings: defaults, strict values, and one line that names what is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from function.errors import InvalidSetting
from function.settings import Settings, markdown_table, specs
from tests.documents import DOCUMENTS

ROOT = Path(__file__).parents[1]


def test_defaults_are_the_documented_ones() -> None:
    settings = Settings.from_environ({})
    assert settings.mlflow_tracking_uri == "sqlite:///mlflow.db"
    assert settings.model_uri == "models:/prod-sentiment-classifier/Production"
    assert settings.service_name == "sentiment-inference-service"
    assert (settings.host, settings.port, settings.log_level) == ("0.0.0.0", 8080, "INFO")
    assert (settings.max_batch_size, settings.max_text_length) == (100, 10_000)
    assert settings.max_body_bytes == 1_048_576


def test_values_are_read_from_the_environment() -> None:
    environ = {"MAX_BATCH_SIZE": " 7 ", "LOG_LEVEL": "debug", "LOAD_RETRY_SECONDS": "0.5"}
    settings = Settings.from_environ(environ)
    assert (settings.max_batch_size, settings.log_level) == (7, "DEBUG")
    assert settings.load_retry_seconds == 0.5


@pytest.mark.parametrize("given", ["skops", "SKOPS", "Skops"])
def test_a_choice_is_taken_in_any_case_and_kept_as_it_is_documented(given: str) -> None:
    assert Settings.from_environ({"MODEL_FORMATS": given}).model_formats == "skops"


def test_trusted_types_are_full_names_with_commas_between() -> None:
    settings = Settings.from_environ({"SKOPS_TRUSTED_TYPES": " a.B, c.d.e ,"})
    assert settings.trusted_types() == ["a.B", "c.d.e"]
    assert Settings().trusted_types() == []


@pytest.mark.parametrize(("given", "host"), [("::1", "::1"), ("[::1]", "::1"), ("a", "a")])
def test_an_ipv6_address_may_have_brackets(given: str, host: str) -> None:
    assert Settings.from_environ({"HOST": given}).host == host


def test_an_empty_variable_keeps_the_default() -> None:
    assert Settings.from_environ({"PORT": "", "MODEL_URI": "  "}) == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "tcp://10.96.0.7:8080"),
        ("LOAD_DEADLINE_SECONDS", "0"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "80.5"),
        ("MAX_BATCH_SIZE", "0"),
        ("MAX_BATCH_SIZE", "-1"),
        ("MAX_BODY_BYTES", "1MB"),
        ("LOAD_TIMEOUT_SECONDS", "nan"),
        ("LOAD_TIMEOUT_SECONDS", "inf"),
        ("LOAD_RETRY_SECONDS", "-0.1"),
        ("LOG_LEVEL", "LOUD"),
        ("ACCESS_LOG", "none"),
        ("ACCESS_LOG", "sampled"),
        ("ACCESS_LOG", "sampled:0"),
        ("ACCESS_LOG", "sampled:1.5"),
        ("ACCESS_LOG", "errors:2"),
        ("EVENT_SOURCE", "not a uri"),
        ("EVENT_SOURCE", "/é"),
        ("MODEL_FORMATS", "pickle"),
        ("SKOPS_TRUSTED_TYPES", "Cleaner"),
        ("SKOPS_TRUSTED_TYPES", "a.B;c.D"),
        ("SKOPS_TRUSTED_TYPES", "reviews.*"),
        ("LABELS", "0"),
        ("LABELS", "0=a,0=b"),
        ("LABELS", "=a"),
        ("LABELS", "0=a,1=a"),
        ("LOAD_TIMEOUT_SECONDS", "1e300"),
        ("MAX_BODY_BYTES", "1_0"),
        ("MAX_BODY_BYTES", "١٢"),
    ],
)
def test_a_bad_value_names_variable_and_value(name: str, value: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        Settings.from_environ({name: value})
    assert name in str(caught.value)
    assert repr(value) in str(caught.value)
    assert "expected" in str(caught.value)


def test_a_bad_value_stops_the_start_with_one_line() -> None:
    command = [str(Path(sys.executable).with_name("functions-framework")), "--target=handle"]
    ended = subprocess.run(
        command, cwd=ROOT, env={"MAX_BATCH_SIZE": "many"}, capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.splitlines() == [
        "MAX_BATCH_SIZE='many' is not valid: expected a whole number of texts, at least 1"
    ]


def test_labels_map_classes_to_names() -> None:
    settings = Settings.from_environ({"LABELS": "0=negative, 1 = positive"})
    assert settings.label_names() == {"0": "negative", "1": "positive"}


def test_the_readme_has_the_settings_table_and_every_setting_has_help() -> None:
    assert markdown_table() in DOCUMENTS
    assert all(spec.help for _, spec in specs())
