"""Panels of a Grafana dashboard as plain SVG: lines or stacked areas over time.

Each is drawn as its JSON says, as far as that goes here: title, unit, bounds, stacking, steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape
from typing import Any, NamedTuple

from tests.monitoring.prometheus import Points

_COLUMNS, _WIDTH, _HEIGHT, _MARGIN = 3, 314, 202, 14
_LEFT, _TOP, _PLOT_WIDTH, _PLOT_HEIGHT = 44, 34, 264, 112
_HEADER, _LEGEND_TOP, _LEGEND_STEP, _LETTER = 58, 174, 15, 6.3
_COLOURS = {
    "light": ["#0969da", "#bf8700", "#4a9c5d", "#cf222e", "#8250df", "#1b7c83", "#8c959f"],
    "dark": ["#4493f8", "#d29922", "#3fb950", "#f85149", "#ab7df8", "#39c5cf", "#9198a1"],
}
_STEPS = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)
_STYLE = """
  .background { fill: #ffffff; }
  text { font: 11px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 13px; }
  .note { fill: #59636e; }
  .grid { stroke: #d1d9e0; }
  .line { fill: none; stroke-width: 1.4; stroke-linejoin: round; }
"""
_DARK = """
    .background { fill: #0d1117; }
    text { fill: #f0f6fc; }
    .note { fill: #9198a1; }
    .grid { stroke: #3d444d; }
"""


class Panel(NamedTuple):
    """A panel's JSON, and its series by what the legend calls them."""

    told: dict[str, Any]
    series: dict[str, Points]


class _Scale(NamedTuple):
    """From what was measured to a place in the plot."""

    start: float
    end: float
    top: float

    def place(self, when: float, value: float) -> str:
        across = _LEFT + _PLOT_WIDTH * (when - self.start) / (self.end - self.start)
        return f"{across:.1f} {self.height(value):.1f}"

    def height(self, value: float) -> float:
        return _TOP + _PLOT_HEIGHT * (1 - min(value / self.top, 1))


def render(title: str, note: str, panels: list[Panel], start: float, end: float) -> str:
    """The panels as one SVG document, in both colour schemes."""
    width = _COLUMNS * (_WIDTH + _MARGIN) + _MARGIN
    height = _HEADER + math.ceil(len(panels) / _COLUMNS) * (_HEIGHT + _MARGIN)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label="{escape(title)}">',
        f"<style>{_STYLE}{_shades('light')}",
        f"  @media (prefers-color-scheme: dark) {{{_DARK}{_shades('dark')}  }}\n</style>",
        f'<rect class="background" width="{width}" height="{height}" rx="6"/>',
        f'<text class="title" x="{_MARGIN}" y="24">{escape(title)}</text>',
        f'<text class="note" x="{_MARGIN}" y="43">{escape(note)}</text>',
    ]
    for number, panel in enumerate(panels):
        left = _MARGIN + number % _COLUMNS * (_WIDTH + _MARGIN)
        top = _HEADER + number // _COLUMNS * (_HEIGHT + _MARGIN)
        parts += [f'<g transform="translate({left} {top})">', *_panel(panel, start, end), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _shades(scheme: str) -> str:
    """Lines in each colour, and areas in it at seven tenths."""
    paper = {"light": 0xFF, "dark": 0x0D}[scheme]
    styles = ""
    for number, colour in enumerate(_COLOURS[scheme]):
        parts = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
        faded = "".join(f"{round(0.7 * part + 0.3 * paper):02x}" for part in parts)
        styles += f"  .s{number} {{ stroke: {colour}; }} .f{number} {{ fill: #{faded}; }}\n"
    return styles


def _panel(panel: Panel, start: float, end: float) -> list[str]:
    defaults = panel.told["fieldConfig"]["defaults"]
    is_stacked = "stacking" in defaults["custom"]
    layers = _stacked(panel.series) if is_stacked else panel.series
    most = max((value for points in layers.values() for _, value in points), default=0)
    scale = _Scale(start, end, defaults.get("max") or _round_up(most))
    is_stepped = defaults["custom"].get("lineInterpolation") == "stepAfter"
    parts = [f'<text class="title" x="0" y="16">{escape(panel.told["title"])}</text>']
    parts += _axes(scale, _UNITS[defaults["unit"]])
    # The topmost layer first: those below lie upon it.
    for number, name in reversed([*enumerate(layers)]):
        line = _path(layers[name], scale, is_stepped)
        if is_stacked:
            feet = [scale.place(layers[name][at][0], 0) for at in (-1, 0)]
            parts.append(f'<path class="f{number}" d="{line}L{"L".join(feet)}Z"/>')
        else:
            parts.append(f'<path class="line s{number}" d="{line}"/>')
    return parts + _legend([*layers])


def _stacked(series: dict[str, Points]) -> dict[str, Points]:
    """Each series upon those before it; where one has no point it adds nothing."""
    times = sorted({when for points in series.values() for when, _ in points})
    below = dict.fromkeys(times, 0.0)
    layers = {}
    for name, points in series.items():
        found = dict(points)
        below = {when: below[when] + found.get(when, 0) for when in times}
        layers[name] = [*below.items()]
    return layers


def _path(points: Points, scale: _Scale, is_stepped: bool) -> str:
    places = [scale.place(*points[0])]
    for before, (when, value) in zip(points, points[1:], strict=False):
        if value == before[1] and (when, value) != points[-1]:
            continue  # on the same height: the next corner draws it
        if is_stepped or before[1] == value:
            places.append(scale.place(when, before[1]))
        elif places[-1] != scale.place(*before):
            places.append(scale.place(*before))
        places.append(scale.place(when, value))
    return "M" + "L".join(places)


def _axes(scale: _Scale, unit: Callable[[float], str]) -> list[str]:
    parts = []
    for share in (0.0, 0.5, 1.0):
        value = share * scale.top
        height = scale.height(value)
        parts += [
            f'<path class="grid" d="M{_LEFT} {height:.1f}h{_PLOT_WIDTH}"/>',
            _text(_LEFT - 6, height + 4, unit(value), "note", "end"),
        ]
    length = scale.end - scale.start
    for seconds in range(0, int(length) + 1, 30):
        left = _LEFT + _PLOT_WIDTH * seconds / length
        shown = f"{seconds // 60}:{seconds % 60:02}"
        parts.append(_text(left, _TOP + _PLOT_HEIGHT + 14, shown, "note", "middle"))
    return parts


def _legend(names: list[str]) -> list[str]:
    parts, left, line = [], float(_LEFT - 10), 0
    for number, name in enumerate(names):
        width = 24 + _LETTER * len(name)
        if left + width > _WIDTH and left > _LEFT:
            left, line = float(_LEFT - 10), line + 1
        base = _LEGEND_TOP + line * _LEGEND_STEP
        place = f'x="{left:.1f}" y="{base - 8}" width="9" height="9"'
        parts += [f'<rect class="f{number}" {place} rx="2"/>', _text(left + 13, base, name)]
        left += width
    return parts


def _text(left: float, base: float, content: str, kind: str = "", anchor: str = "start") -> str:
    return (
        f'<text class="{kind}" x="{left:.1f}" y="{base:.1f}" text-anchor="{anchor}">'
        f"{escape(content)}</text>"
    )


def _round_up(value: float) -> float:
    """The next number of few digits."""
    power = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(step * power for step in _STEPS if step * power >= value)


def _seconds(value: float) -> str:
    return f"{1000 * value:g} ms" if value < 1 else f"{value:g} s"


_UNITS: dict[str, Callable[[float], str]] = {
    "short": "{:g}".format,
    "reqps": "{:g}/s".format,
    "percentunit": lambda value: f"{100 * value:g} %",
    "s": _seconds,
    "bytes": lambda value: f"{value / 1e6:g} MB",
}
