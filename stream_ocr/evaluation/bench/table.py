"""Print benchmark results as a table."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

_DEFAULT_WIDTH = 200  # columns, if standard output is not a terminal
_COLUMNS = (
    "clip", "contestant", "wall s", "CPU s", "peak MB", "× real time", "running ×", "detected", "read",
    "texts", "F1", "CER", "dup.", "start ms", "end ms",
)  # fmt: skip


def show(results: Mapping[str, Any]) -> None:
    """Print a row for each clip and contestant, then the totals."""
    console = Console(width=None if sys.stdout.isatty() else _DEFAULT_WIDTH, highlight=False)
    table = Table(*_COLUMNS, box=None, pad_edge=False)
    for row in results["clips"]:
        for contestant, run in row["runs"].items():
            table.add_row(row["clip"], contestant, *_cells(run, run.get("score", {})))
    for contestant, run in results["total"].items():
        table.add_row("total", contestant, *_cells(run, run))
    console.print(table)
    for line in comparisons(results):
        console.print(line)


def comparisons(results: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each other contestant: how many times as fast ours is."""
    total = results["total"]
    for other in total:
        if other != "ours" and "ours" in total:
            whole, running = (total["ours"][kind] / total[other][kind] for kind in ("speed", "running_speed"))
            yield f"ours is {whole:.2f} × as fast as {other} ({running:.2f} × without the start of the processes)"


def _cells(run: Mapping[str, Any], score: Mapping[str, Any]) -> Iterator[str]:
    yield _number(run.get("wall_s"), 1)
    yield _number(run.get("cpu_s"), 1)
    yield _number(run.get("peak_mb"), 0)
    yield _number(run.get("speed"), 2)
    yield _number(run.get("running_speed"), 2)
    yield _number(run.get("detection_ratio"), 4)
    yield _number(run.get("reading_ratio"), 4)
    yield _number(run.get("texts"), 0)
    for name in ("f1", "cer", "duplicates"):
        yield _number(score.get(name), 3)
    for name in ("start_ms", "end_ms"):
        errors = score.get(name)
        yield f"{errors[0]:.0f}/{errors[1]:.0f}" if errors else ""


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
