"""Print the accuracy of all contestants side by side, with a row per clip."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

_CLIP_WIDTH, _CONTESTANT_WIDTH = 60, 80  # characters at most, if standard output is not a terminal
_COLUMNS = ("F1", "P", "R", "dup.", "start ms", "end ms", "speed")


def show_accuracy(results: Mapping[str, Any]) -> None:
    """Print F1, precision, recall, duplicates, median and 95th percentile of the time errors, and speed (× real time).

    The last row has the means over the clips with text, time errors over all words and the speed over all clips.
    """
    contestants = [name for name in results["total"] if any("score" in row["runs"][name] for row in results["clips"])]
    table = Table(box=None, pad_edge=False)
    table.add_column("\nclip", no_wrap=True)
    for contestant in contestants:
        for column, group in zip(_COLUMNS, (contestant, *[""] * len(_COLUMNS)), strict=False):
            table.add_column(f"{group}\n{column}", justify="right", no_wrap=True)
    for row in results["clips"]:
        if has_text(row):
            runs = [row["runs"][contestant] for contestant in contestants]
            table.add_row(row["clip"], *(cell for run in runs for cell in _cells(run["score"], run["speed"])))
    totals = [results["total"][contestant] for contestant in contestants]
    table.add_row("mean", *(cell for total in totals for cell in _cells(total, total["speed"])))
    width = None if sys.stdout.isatty() else _CLIP_WIDTH + _CONTESTANT_WIDTH * len(contestants)
    console = Console(width=width, highlight=False)
    console.print(table)
    for line in (*_text_free(results, contestants), *comparisons(results)):
        console.print(line)


def has_text(row: Mapping[str, Any]) -> bool:
    """Return True if the results of a clip have a score and its truth has words."""
    return any(run.get("score", {}).get("true_words") for run in row["runs"].values())


def comparisons(results: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each other contestant with a score: in which clips its F1 is higher than ours."""
    rows = [row for row in results["clips"] if has_text(row) and "ours" in row["runs"]]
    for other in results["total"]:
        compared = [row for row in rows if other != "ours" and "score" in row["runs"][other]]
        if compared:
            f1 = {row["clip"]: [row["runs"][name]["score"]["f1"] for name in ("ours", other)] for row in compared}
            worse = [f"{clip} ({ours:.3f}, {others:.3f})" for clip, (ours, others) in f1.items() if ours < others]
            sentence = f"ours is worse than {other} in {len(worse)} of {len(compared)} clips"
            yield f"{sentence}: {', '.join(worse)}" if worse else sentence


def _text_free(results: Mapping[str, Any], contestants: list[str]) -> Iterator[str]:
    """Yield a sentence on the words that are reported where there is no text."""
    rows = [row for row in results["clips"] if not has_text(row) and "score" in row["runs"][contestants[0]]]
    if rows:
        words = {name: sum(row["runs"][name]["score"]["predicted_words"] for row in rows) for name in contestants}
        yield f"words in {len(rows)} clips without text: " + ", ".join(f"{name} {n}" for name, n in words.items())


def _cells(score: Mapping[str, Any], speed: float) -> Iterator[str]:
    for name in ("f1", "precision", "recall", "duplicates"):
        yield "" if score[name] is None else f"{score[name]:.3f}"
    for name in ("start_ms", "end_ms"):
        yield "" if score[name] is None else "/".join(f"{error:.0f}" for error in score[name])
    yield f"{speed:.2f}"
