"""How an environment variable is declared and read: its type, bounds, choices and unit."""

from __future__ import annotations

from typing import Any, NamedTuple

from function.errors import InvalidSetting


class Setting(NamedTuple):
    """One setting's default, help, unit, bounds (both inclusive) and choices."""

    default: Any
    help: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()


def setting(default: Any, help: str, **rules: Any) -> Any:
    """Declare one; the environment variable is the field's name in capitals."""
    return Setting(default, help, **rules)


_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def parse(name: str, text: str, type_name: str, spec: Setting) -> Any:
    """The value that a variable's text means; raises InvalidSetting where it means none."""
    if spec.choices:
        by_folded = {choice.lower(): choice for choice in spec.choices}
        if text.lower() not in by_folded:
            raise InvalidSetting(name, text, f"one of {', '.join(spec.choices)}")
        return by_folded[text.lower()]
    if type_name == "str":
        return text
    if type_name == "bool":
        if text.lower() not in _BOOLEANS:
            raise InvalidSetting(name, text, "true or false")
        return _BOOLEANS[text.lower()]
    number = int if type_name == "int" else float
    expected = _expected(number, spec)
    try:
        value = number(text)
        if not text.isascii() or "_" in text:  # Python's own liberties: 1_000, other digits
            raise ValueError
    except ValueError:
        raise InvalidSetting(name, text, expected) from None
    low, high = spec.minimum, spec.maximum
    if not (low is None or value >= low) or not (high is None or value <= high) or value - value:
        raise InvalidSetting(name, text, expected)  # value - value is NaN for NaN and infinity
    return value


def _expected(number: type, spec: Setting) -> str:
    kind = "a whole number" if number is int else "a number"
    unit = f" of {spec.unit}" if spec.unit else ""
    if spec.maximum is not None:
        return f"{kind}{unit} from {spec.minimum} to {spec.maximum}"
    return f"{kind}{unit}, at least {spec.minimum}" if spec.minimum is not None else kind
