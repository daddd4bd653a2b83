"""Fuzz every parser with random inputs, by default for an hour; ``make fuzz`` keeps the figures.

    python benchmarks/fuzzing.py --minutes 60 --out benchmarks/results/fuzz.json [--only store --only video]

Each round runs one target of tests/fuzz/targets.py in a process of its own, so that a crash of native code is found as
well. Exits with 1 if any input caused another error than the documented ones; the report then holds the smallest one.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ROUND_S = 20.0
"""Approximate duration of a round in seconds."""
HANG_S = 600.0


def main() -> None:
    """Run rounds until the time is over, and write the report."""
    options = _options()
    if options.round:
        _round(*options.round)
        return
    report = _fuzz(options.minutes * 60, options.only)
    text = json.dumps(report, indent=1, ensure_ascii=False)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")
    sys.exit(bool(report["failures"]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--out", type=Path, help="file of the report")
    parser.add_argument("--only", action="append", help="name of a target; repeatable")
    parser.add_argument("--round", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def _fuzz(duration_s: float, only: list[str] | None) -> dict[str, Any]:
    targets = _targets()
    names = only or list(targets)
    started_s = time.monotonic()
    rounds, examples = Counter[str](), Counter[str]()
    failures: list[dict[str, Any]] = []
    while time.monotonic() - started_s < duration_s:
        name = min(names, key=lambda name: rounds[name])
        seed = random.randrange(2**32)
        command = [sys.executable, __file__, "--round", name, str(seed)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, check=False)
            code, out, err = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired as error:
            code, out, err = -1, "", f"hangs: {error}"
        rounds[name] += 1
        examples[name] += int(out.split()[-1]) if out.strip() else 0
        if code:
            trace, _, case = err.partition("Failing test case")
            failures.append({"target": name, "seed": seed, "exit": code, "error": trace[-2000:], "input": case[:500]})
    return {
        "minutes": round((time.monotonic() - started_s) / 60, 1),
        "rounds": dict(rounds),
        "examples": dict(examples),
        "total": sum(examples.values()),
        "failures": failures,
    }


def _round(name: str, seed: str) -> None:
    """Check random inputs for ``ROUND_S``, and print their number."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    target = _targets()[name]
    started_s, count = time.monotonic(), 0

    @seeded(int(seed))
    @settings(
        max_examples=1_000_000,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(target.inputs)
    def check(value: object) -> None:
        nonlocal count
        if time.monotonic() - started_s > ROUND_S:
            raise KeyboardInterrupt
        target.check(value)
        count += 1

    try:
        check()
    except KeyboardInterrupt:
        pass
    finally:
        print(count)


def _targets() -> dict[str, Any]:
    sys.path.insert(0, str(ROOT / "tests"))
    from fuzz.targets import TARGETS

    return {target.name: target for target in TARGETS}


if __name__ == "__main__":
    main()
