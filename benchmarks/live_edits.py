"""Edit the settings file of a run again and again: hostile files, and plausible ones with broken cameras.

    python benchmarks/live_edits.py --edits 300 --seed 1 --out benchmarks/results/live-edits.json

Fails if an edit ends the run, is not answered, or if the run does not read its camera afterwards.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fuzz.live_edits import REPORTED_EDITS, edited_run, generated_edits

from stream_ocr.synthetic.scene import Scene, Text, render

SETTLE_S = 20.0
"""For the workers of removed cameras to end, in seconds."""


def main() -> None:
    """Make the edits and print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edits", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="file of the report")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = folder / "gate.mp4"
        render(Scene((Text("GATE 12", 0, 3600, (40, 60), height=30),), 3600.0, (160, 96), fps=1), clip)
        hostile = iter([*map(str.encode, REPORTED_EDITS), *generated_edits(options.edits, options.seed)])
        with edited_run(folder, clip) as run:
            process = psutil.Process(run.program.pid)
            before = process.memory_info().rss, process.num_fds()
            for _ in range(options.edits):
                run.edit(next(hostile) if rng.random() < 0.5 else run.plausible(rng))
            run.restore()
            time.sleep(SETTLE_S)
            after = process.memory_info().rss, process.num_fds()
            run.finish()
            report = {
                "edits": options.edits,
                "seed": options.seed,
                "outcomes": dict(run.edits),
                "minutes": round((time.monotonic() - started_s) / 60, 1),
                "slowest_answer_s": round(run.slowest_s, 2),
                "supervisor_mb": [round(rss / 1e6, 1) for rss in (before[0], after[0])],
                "supervisor_descriptors": [before[1], after[1]],
            }
    text = json.dumps(report, indent=1)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
