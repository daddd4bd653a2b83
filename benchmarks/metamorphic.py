"""Read harmless variants of clips and report what changes: F1, and texts that are lost, new or at other times.

    python benchmarks/metamorphic.py CLIP … [--only padded,crf36] [--out FOLDER] [--json FILE] [--set NAME=VALUE …]

The truth of each clip is the .json file beside it. Variants and event logs are written into the folder.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from stream_ocr.evaluation.bench.process import measure
from stream_ocr.evaluation.event_score import score
from stream_ocr.evaluation.metamorphic import VARIANTS, Variant, compare, write_variant
from stream_ocr.evaluation.timed_text import predicted_texts
from stream_ocr.evaluation.truth import Truth, read_truth
from stream_ocr.events import Event, read_jsonl

RUNNER = "stream_ocr.evaluation.bench.stream_ocr_runner"


def read(video: Path, log: Path, overrides: list[str]) -> list[Event]:
    """Read a video with whole processes; return its events, which are also written to a log."""
    measure(RUNNER, [video, log, *overrides])
    return list(read_jsonl(log))


def run(clip: Path, variants: list[Variant], folder: Path, overrides: list[str], *, keep: bool) -> dict[str, Any]:
    """Read a clip and its variants; return scores and differences."""
    truth = read_truth(clip.with_suffix(".json"))
    original = read(clip, folder / f"{clip.stem}.original.jsonl", overrides)
    texts = list(predicted_texts(original, truth.duration_s))
    rows = {"original": score(truth, original).metrics()}
    show(clip.stem, "original", rows["original"])
    for variant in variants:
        path = folder / f"{clip.stem}.{variant.name.replace(' ', '-')}{variant.suffix}"
        change = write_variant(clip, variant, path)
        events = read(path, path.with_suffix(".jsonl"), overrides)
        if not keep:
            path.unlink()
        varied: Truth = change.truth(truth)
        expected = [text for text in map(change.text, texts) if text.end > text.start]
        differences = compare(expected, list(predicted_texts(events, varied.duration_s)), change.frame_s)
        rows[variant.name] = {**score(varied, events).metrics(), "differences": differences.to_json()}
        show(clip.stem, variant.name, rows[variant.name])
        sys.stdout.writelines(f"    {line}\n" for line in differences.lines())
        sys.stdout.flush()
    return {"clip": clip.stem, "variants": rows}


def show(clip: str, variant: str, row: dict[str, Any]) -> None:
    """Print the scores of one variant."""
    found = row.get("differences", {})
    counts = ", ".join(f"{len(texts)} {name}" for name, texts in found.items() if texts)
    print(f"{clip} {variant}: F1 {row['f1']:.3f}, starts {row['start_ms']}, ends {row['end_ms']}; {counts}", flush=True)


def show_table(results: list[dict[str, Any]], names: list[str]) -> None:
    """Print F1, and the numbers of lost, new and retimed texts, with a row per variant and a column per clip."""
    table = Table("variant", *(result["clip"] for result in results), "mean F1", "worst", box=None, pad_edge=False)
    for name in ("original", *names):
        rows = [result["variants"][name] for result in results]
        f1 = [row["f1"] for row in rows]
        table.add_row(name, *map(cell, rows), f"{sum(f1) / len(f1):.3f}", f"{min(f1):.3f}")
    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)
    console.print(table, "F1, −lost +new ~retimed texts")


def cell(row: dict[str, Any]) -> str:
    """Return the scores of one variant of one clip."""
    found = row.get("differences")
    counts = f" −{len(found['lost'])} +{len(found['new'])} ~{len(found['retimed'])}" if found else ""
    return f"{row['f1']:.3f}{counts}"


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--only", help="comma-separated variants: " + ", ".join(one.name for one in VARIANTS))
    parser.add_argument("--out", type=Path, default=Path("metamorphic"), help="folder for variants and event logs")
    parser.add_argument("--keep", action="store_true", help="keep the variants")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting; repeatable")
    args = parser.parse_args()
    names = args.only.split(",") if args.only else [variant.name for variant in VARIANTS]
    if unknown := set(names) - {variant.name for variant in VARIANTS}:
        parser.error(f"no such variant: {', '.join(sorted(unknown))}")
    args.out.mkdir(parents=True, exist_ok=True)
    variants = [variant for variant in VARIANTS if variant.name in names]
    results = [run(clip, variants, args.out, args.set, keep=args.keep) for clip in args.clips]
    show_table(results, [variant.name for variant in variants])
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
