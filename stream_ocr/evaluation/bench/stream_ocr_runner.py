"""Contestant ``ours``: this package, with a process per stage.

python -m stream_ocr.evaluation.bench.stream_ocr_runner FILE EVENTS [NAME=VALUE …]
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from stream_ocr.runtime import fork_client


def main(file: str, events: str, overrides: Sequence[str]) -> None:
    """Read a file, write its events to a log and the summary to standard output as JSON."""
    # Imported here, not above: the workers are prepared meanwhile, as by ``stream-ocr read``.
    from stream_ocr.api import Pipeline
    from stream_ocr.config.settings import Settings

    with Pipeline([file], Settings.load(overrides=overrides)) as pipeline, Path(events).open("wb") as log:
        for event in pipeline.events():
            log.write(event.to_json() + b"\n")
        summary = pipeline.summary()
    ratios = {"detection_ratio": summary.detection_ratio, "reading_ratio": summary.reading_ratio}
    counts = {name: value for name, value in asdict(summary).items() if name != "wall_s"}
    sys.stdout.write(json.dumps({**counts, **ratios, "running_s": summary.wall_s}))


if __name__ == "__main__":
    with fork_client.prestart():
        main(sys.argv[1], sys.argv[2], sys.argv[3:])
