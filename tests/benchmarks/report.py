"""The Markdown report: medians, ratios, targets, vocabulary sizes, how each one was run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tests.benchmarks import sizes, targets
from tests.benchmarks.competitors import OWN
from tests.benchmarks.summary import BY_NAME, METRICS, Metric, Row, Summary

_RATIO_METRICS = (
    "cold_start_s",
    "c1_p50_ms",
    "c1_p99_ms",
    "c16_rps",
    "batches_per_s",
    "memory_loaded_mb",
)
_BARE = ("bare-loop", "bare-granian-wsgi", "bare-granian-rsgi")
_FLOOR_METRICS = ("cold_start_s", "c1_p50_ms", "c16_rps", "memory_loaded_mb")


def render(summary: Summary) -> str:
    """The whole report."""
    parts = [
        _heading(summary),
        "## Medians\n\n" + _medians(summary),
        "## Ratios\n\n" + _ratios(summary),
        "## To reach\n\n" + _targets(summary),
        _distances(summary),
        _sizes(summary),
        "## How each was run\n\n" + _settings(summary),
        _failures(summary),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], rule: str = "---:") -> str:
    """A Markdown table, the first column aligned left, the others right unless `rule` differs."""
    lines = [
        _line(header),
        _line(["---", *[rule] * (len(header) - 1)]),
        *(_line(row) for row in rows),
    ]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _heading(summary: Summary) -> str:
    results = summary.results
    machine, settings, model = results.machine, results.settings, results.model
    return (
        f"# Benchmark of {results.started[:10]}\n\n"
        f"One scikit-learn text pipeline ({model['term_count']:,} terms, {len(model['labels'])} "
        f"classes, logged in MLflow's {model['format']} format), the same for all, one worker "
        f"each. {machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
        f"{machine['system']}, Python {machine['python']}; server on one core, "
        f"{machine['load_generator']} on another. Medians of {settings['rounds']} rounds, a fresh "
        "server in each, all competitors taking turns; "
        f"{settings['load_seconds']} s per load. Cold start: from exec to the first 200 of the "
        "prediction endpoint, files already in the page cache. Memory: PSS of all the server's "
        "processes, after the first prediction and after "
        f"{settings['memory_requests']:,} more (fewer where a server answers fewer in 45 seconds)."
    )


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _medians(summary: Summary) -> str:
    header = [
        "",
        *(metric.title for metric in METRICS),
        "growth %",
        "after 1,000 requests",
        "labels differing",
        "probabilities differ by",
    ]
    return table([*header, "errors"], (_median_cells(row) for row in summary.rows.values()))


def _median_cells(row: Row) -> list[str]:
    cells = [row.competitor.title]
    cells += [_number(row.values.get(metric.name), metric.digits) for metric in METRICS]
    cells += [
        _number(row.growth_percent, 1),
        _number(row.late_growth_percent, 1),
        *_agreement_cells(row),
        str(row.errors) if row.values else "-",
    ]
    if row.record.failure:
        cells[0] += " (failed, see below)"
    if row.record.skipped:
        cells[0] += " (skipped, see below)"
    return cells


def _agreement_cells(row: Row) -> list[str]:
    found = row.record.agreement
    if not found:
        return ["-", "-"]
    if "refused" in found:
        return ["refused a text", "-"]
    labels = f"{found['labels_differing']} of {found['texts']:,}"
    if found["batch_labels_differing"] != found["labels_differing"]:
        labels += f" ({found['batch_labels_differing']} in batches)"
    difference = found["largest_difference"]
    return [labels, "labels only" if difference is None else f"{difference:.0e}"]


def _ratios(summary: Summary) -> str:
    ratios = [BY_NAME[name] for name in _RATIO_METRICS]
    floors = [BY_NAME[name] for name in _FLOOR_METRICS]
    header = ["times better than ..."]
    header += [f"best peer: {_without_unit(metric)}" for metric in ratios]
    header += [f"floor: {_without_unit(metric)}" for metric in floors]
    lines = [
        "Above 1 is better. The best peer is the best of the serving products in that column "
        "alone; the floor is the Functions Framework hello world on the same kind of server.",
        "",
        table(
            header,
            (
                _ratio_cells(summary, row, ratios, floors)
                for row in summary.rows.values()
                if row.values
            ),
        ),
    ]
    return "\n".join(lines)


def _without_unit(metric: Metric) -> str:
    return metric.title.removesuffix(" ms").removesuffix(" s").replace("MB", "memory")


def _ratio_cells(
    summary: Summary, row: Row, ratios: list[Metric], floors: list[Metric]
) -> list[str]:
    floor = summary.row(row.competitor.floor)
    values = [row.ratio(summary.best_server(metric.name), metric.name) for metric in ratios]
    values += [row.ratio(floor, metric.name) for metric in floors]
    return [row.competitor.title, *(_number(value, 2) for value in values)]


def _targets(summary: Summary) -> str:
    found = targets.evaluate(summary)
    rows = ([target.title, target.wanted, target.found, target.verdict] for target in found)
    return table(["target", "wanted", "measured", ""], rows)


def _distances(summary: Summary) -> str:
    """How far this project is from a server that has nothing to do."""
    ours = summary.row("compiled")
    bare = [row for name in _BARE if (row := summary.row(name)) and "c16_rps" in row.values]
    if not (ours and "c16_rps" in ours.values and bare):
        return ""
    cost = 1e6 / ours.values["c16_rps"]
    rows = ([row.competitor.title, *_distance_cells(cost, row)] for row in bare)
    header = ["", "c16 requests/s", "microseconds each", "this project's share", "the rest"]
    return (
        "## From the bare server\n\nThis project, compiled, takes "
        f"{cost:.1f} microseconds of one core for a `/predict` at 16 connections. A server that "
        "answers a constant is the limit: the rest is the prediction, its JSON, ids and the log.\n"
        "\n" + table(header, rows)
    )


def _distance_cells(cost: float, row: Row) -> list[str]:
    limit = 1e6 / row.values["c16_rps"]
    share, rest = f"{limit / cost:.0%}", f"{cost - limit:.1f} microseconds"
    return [_number(row.values["c16_rps"], 0), _number(limit, 1), share, rest]


def _sizes(summary: Summary) -> str:
    measured = sizes.summarise(summary.results)
    if not measured:
        return ""
    rows = (
        [
            f"{size.term_count:,}",
            _number(size.cold_start_seconds, 2),
            _number(size.load_seconds, 3),
            _number(size.memory_mb, 0),
            _number(size.c1_p50_ms, 2),
            _number(size.c1_p99_ms, 2),
        ]
        for size in measured
    )
    header = [
        "terms",
        "cold start s",
        "load s (as reported)",
        "MB after load",
        "c1 p50 ms",
        "c1 p99 ms",
    ]
    return "## Vocabulary sizes, this project, compiled\n\n" + table(header, rows)


def _settings(summary: Summary) -> str:
    rows = (
        [
            row.competitor.title,
            row.competitor.settings,
            "`requirements.txt`"
            if row.competitor.requirements == OWN
            else ", ".join(row.competitor.requirements),
        ]
        for row in summary.rows.values()
    )
    return table(["", "settings", "packages asked for"], rows, rule="---")


def _failures(summary: Summary) -> str:
    sections = [*_told(summary)]
    return "## Not measured\n\n" + "\n\n".join(sections) if sections else ""


def _told(summary: Summary) -> Iterator[str]:
    for name, record in (*summary.results.records.items(), *summary.results.sizes.items()):
        row = summary.row(name)
        title = row.competitor.title if row else name
        if record.skipped:
            yield f"{title}: skipped, {record.skipped}."
        if record.failure:
            yield f"{title}:\n\n```\n{record.failure}\n```"
        if record.agreement and "refused" in record.agreement:
            yield f"{title}: {record.agreement['refused']}"
