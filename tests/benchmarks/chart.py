"""The chart for the README: one panel per metric, one bar per competitor, as plain SVG.

It brings its own background and both colour schemes, so that it is legible wherever it is embedded.
"""

from __future__ import annotations

import math
from html import escape

from tests.benchmarks.summary import BY_NAME, Metric, Row, Summary

_PANELS = (
    "cold_start_s",
    "c1_p50_ms",
    "c16_rps",
    "batches_per_s",
    "memory_loaded_mb",
    "memory_after_mb",
)
_COLUMNS = 2
_PANEL_WIDTH, _MARGIN = 470, 20
_LABEL_WIDTH, _VALUE_WIDTH = 222, 56
_BAR_HEIGHT, _BAR_STEP, _TITLE_HEIGHT = 15, 21, 40
_LEGEND_HEIGHT = 44
_DESCRIPTION = "Benchmark: this project and other ways of serving the same MLflow model"

_STYLE = """
  .background { fill: #ffffff; }
  text { font: 12px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 14px; }
  .note { fill: #59636e; }
  .ours { fill: #0969da; } .server { fill: #8c959f; }
  .hand { fill: #bf8700; } .floor { fill: #4a9c5d; }
  .track { stroke: #d1d9e0; }
  @media (prefers-color-scheme: dark) {
    .background { fill: #0d1117; }
    text { fill: #f0f6fc; }
    .note { fill: #9198a1; }
    .ours { fill: #4493f8; } .server { fill: #6e7681; }
    .hand { fill: #d29922; } .floor { fill: #3fb950; }
    .track { stroke: #3d444d; }
  }
"""
_CLASSES = {"ours": "ours", "server": "server", "by hand": "hand", "floor": "floor"}
_LEGEND = {
    "ours": "this project",
    "server": "usual ways to serve",
    "by hand": "written by hand",
    "floor": "no model at all",
}


def render(summary: Summary) -> str:
    """The chart as an SVG document."""
    panels = [(BY_NAME[name], rows) for name in _PANELS if (rows := _measured(summary, name))]
    most = max((len(rows) for _, rows in panels), default=0)
    panel_height = _TITLE_HEIGHT + most * _BAR_STEP + 14
    width = _COLUMNS * (_PANEL_WIDTH + _MARGIN) + _MARGIN
    height = _LEGEND_HEIGHT + math.ceil(len(panels) / _COLUMNS) * panel_height + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label="{_DESCRIPTION}">',
        f"<style>{_STYLE}</style>",
        f'<rect class="background" width="{width}" height="{height}" rx="6"/>',
        *_legend(),
    ]
    for number, (metric, rows) in enumerate(panels):
        left = _MARGIN + number % _COLUMNS * (_PANEL_WIDTH + _MARGIN)
        top = _LEGEND_HEIGHT + number // _COLUMNS * panel_height
        parts += [f'<g transform="translate({left} {top})">', *_panel(metric, rows), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _measured(summary: Summary, metric: str) -> list[Row]:
    """The rows of a panel, best first."""
    rows = [row for row in summary.rows.values() if metric in row.values]
    return sorted(rows, key=lambda row: row.values[metric], reverse=BY_NAME[metric].more_is_better)


def _legend() -> list[str]:
    parts, left = [], _MARGIN
    for kind, name in _LEGEND.items():
        parts += [_rectangle(_CLASSES[kind], left, 14, 12, 12), _text(left + 18, 24, name)]
        left += 150
    return parts


def _panel(metric: Metric, rows: list[Row]) -> list[str]:
    better = "more is better" if metric.more_is_better else "less is better"
    largest = max(row.values[metric.name] for row in rows) or 1
    bottom = _TITLE_HEIGHT + len(rows) * _BAR_STEP - 4
    parts = [
        f'<text class="title" y="24">{escape(metric.title)}'
        f' <tspan class="note">({better})</tspan></text>',
        f'<path class="track" d="M{_LABEL_WIDTH} {_TITLE_HEIGHT - 4}V{bottom}"/>',
    ]
    for number, row in enumerate(rows):
        value = row.values[metric.name]
        length = max(1, (_PANEL_WIDTH - _LABEL_WIDTH - _VALUE_WIDTH) * value / largest)
        top = _TITLE_HEIGHT + number * _BAR_STEP
        base = top + _BAR_HEIGHT - 3
        parts += [
            _text(_LABEL_WIDTH - 8, base, row.competitor.title, anchor="end"),
            _rectangle(_CLASSES[row.competitor.kind], _LABEL_WIDTH, top, length, _BAR_HEIGHT),
            _text(_LABEL_WIDTH + length + 6, base, f"{value:,.{metric.digits}f}"),
        ]
    return parts


def _rectangle(shade: str, left: float, top: float, width: float, height: float) -> str:
    place = f'x="{left}" y="{top}" width="{width:.1f}" height="{height}"'
    return f'<rect class="{shade}" {place} rx="2"/>'


def _text(left: float, base: float, content: str, anchor: str = "start") -> str:
    return f'<text x="{left:.1f}" y="{base}" text-anchor="{anchor}">{escape(content)}</text>'
