"""The report of the soak: requirements, each with what was measured, and one table."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from soak_clients import Key, Subscriber, Viewer
from soak_edits import Edit
from soak_faults import Fault
from soak_texts import EMITTED_WITHIN_S, Verdict, emitted_s

from stream_ocr.events import Event, TextEvent

MAX_DRIFT_PERCENT = 2.0
MAX_DESCRIPTORS = 2
MIN_RIGHT = 0.995
MIN_EMITTED_IN_TIME = 0.99
EXAMPLES = 20


class Requirement(NamedTuple):
    name: str
    wanted: str
    measured: str
    passed: bool


def deliveries(
    stored: Sequence[Event],
    logged: Sequence[Event],
    viewer: Viewer,
    subscriber: Subscriber,
    origin_s: float,
    ended_s: float,
) -> dict[str, Any]:
    """Compare the store, the log, the viewer and the subscriber.

    Events after ``ended_s``, the Unix time at which the run was asked to end, need not reach viewer and subscriber: the
    web process and the bus end, too.
    """
    ids = {_key(event) for event in stored}
    due = {_key(event) for event in stored if _emitted_s(event, origin_s) < ended_s}
    received = {(event.stream, event.seq, event.id) for event in subscriber.received}
    numbers: dict[str, list[int]] = {}
    for event in stored:
        numbers.setdefault(event.stream, []).append(event.seq)
    logged_ids = Counter(_key(event) for event in logged)
    return {
        "stored": len(stored),
        "after_the_end_was_asked_for": len(stored) - len(due),
        "streams_with_gaps_in_seq": [name for name, seq in numbers.items() if sorted(seq) != list(range(len(seq)))],
        "numbers_stored_twice": len(stored) - len({(event.stream, event.seq) for event in stored}),
        "emitted_again_after_kills_of_the_publisher": len(stored) - len({event.id for event in stored}),
        "log": {
            "lacks": len(ids - logged_ids.keys()),
            "repeats": sum(logged_ids.values()) - len(logged_ids),
            "has_more": len(logged_ids.keys() - ids),
        },
        "dashboard": {"lacks": len(due - viewer.received), "has_more": len(viewer.received - ids), **viewer.figures()},
        "bus": {
            "lacks": len(due - received),
            "has_more": len(received - ids),
            "repeats": subscriber.repeated(),
            "gaps": subscriber.gaps(),
            "lost": subscriber.lost,
            "subscriptions": subscriber.lives,
            "failures": dict(subscriber.failures),
        },
    }


def _key(event: Event) -> Key:
    """Return the identity of a delivery. The successor of a publisher that was killed emits texts in view once more."""
    return event.stream, event.seq, event.id


def _emitted_s(event: Event, origin_s: float) -> float:
    if isinstance(event, TextEvent):
        return emitted_s(event, origin_s)
    return origin_s + (event.end or event.start or 0.0)


def unexplained_errors(log: Path, faults: Sequence[Fault], edits: Sequence[Edit]) -> list[str]:
    """Return tracebacks and lines of level error beyond those that the faults and the mistakes must cause."""
    allowed = Counter[str]()
    for fault in faults:
        worker = fault.name.removeprefix("kill -9 of ").partition(" stopped for")[0]
        allowed[f"decode/{fault.stream}" if worker == "decode" else worker] += 1
    allowed["bus"] += allowed["publish"]  # its child
    allowed["settings"] = sum(edit.wanted == "refused" for edit in edits)
    unexplained = []
    for line in log.read_text(errors="replace").splitlines():
        if line.startswith("Traceback"):
            unexplained.append(line)
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if not isinstance(row, dict) or row.get("level") not in ("error", "critical"):
            continue
        cause = _cause(row)
        allowed[cause] -= 1
        if allowed[cause] < 0:
            unexplained.append(line)
    return unexplained


def _cause(row: Mapping[str, Any]) -> str:
    """Return the worker that the line says to be restarted, "settings", or a name that explains nothing."""
    if "restart_in_s" in row:
        return str(row.get("worker"))
    return {"bus died and is restarted": "bus", "settings are not reloaded": "settings"}.get(str(row["event"]), "other")


def requirements(results: Mapping[str, Any], texts: Verdict, edits: Sequence[Edit]) -> list[Requirement]:
    """Return all requirements with what was measured. results: of the soak."""
    delivered, memory = results["deliveries"], results["memory"]
    page, bus = delivered["dashboard"], delivered["bus"]
    wrong_edits = [edit for edit in edits if edit.outcome != edit.wanted]
    emitted = sum(delay <= EMITTED_WITHIN_S for delay in texts.delays_s)
    page_parts, bus_parts = ("lacks", "has_more", "repeated"), ("lacks", "has_more", "repeats", "gaps", "lost")
    edited = f"{len(edits) - len(wrong_edits)} of {len(edits)}"
    return [
        Requirement("the run ended in order", "exit code 0", str(results["exit_code"]), results["exit_code"] == 0),
        Requirement("all faults could be made", "yes", results["fault_failure"] or "yes", not results["fault_failure"]),
        _below("memory, all processes", memory["drift_percent"], memory["total_mb"]),
        _below("memory, processes that lived on", memory["lived_on_drift_percent"], memory["lived_on_mb"]),
        _descriptors(memory["descriptors_changed_by"]),
        _none("streams with gaps in seq", delivered["streams_with_gaps_in_seq"]),
        _zero("events stored twice", {"repeats": delivered["numbers_stored_twice"]}),
        _zero("log (JSONL) against store", delivered["log"]),
        _zero("dashboard against store", {part: page[part] for part in page_parts}),
        _zero("bus against store", {part: bus[part] for part in bus_parts}),
        _none("tracks that do not end once", results["tracks_that_do_not_end_once"]),
        _share("texts right", texts.right, texts.judged, MIN_RIGHT),
        _share("emitted within 0.25 s of being steady", emitted, len(texts.delays_s), MIN_EMITTED_IN_TIME),
        _none("false texts", texts.false),
        Requirement("edits of the settings", "taken, mistakes refused", edited, not wrong_edits),
        _none("errors in the log without a cause", results["errors_without_a_cause"]),
    ]


def _below(name: str, percent: float, mb: Sequence[float]) -> Requirement:
    measured = f"{percent:+.2f} % ({mb[0]:.0f} to {mb[1]:.0f} MB)"
    return Requirement(name, f"< {MAX_DRIFT_PERCENT:g} %", measured, percent < MAX_DRIFT_PERCENT)


def _descriptors(changed_by: int) -> Requirement:
    wanted, measured = f"± {MAX_DESCRIPTORS}", f"at most ± {changed_by}"
    return Requirement("descriptors of each process", wanted, measured, changed_by <= MAX_DESCRIPTORS)


def _none(name: str, found: Sequence[str]) -> Requirement:
    return Requirement(name, "none", f"{len(found)}{f': {found[0][:60]}' if found else ''}", not found)


def _zero(name: str, parts: Mapping[str, int]) -> Requirement:
    measured = ", ".join(f"{part} {value}" for part, value in parts.items())
    return Requirement(name, "the same, each once", measured, not any(parts.values()))


def _share(name: str, part: int, whole: int, least: float) -> Requirement:
    share = part / whole if whole else 0.0
    return Requirement(name, f"≥ {100 * least:g} %", f"{100 * share:.2f} % of {whole}", share >= least)


def show(results: Mapping[str, Any], required: Iterable[Requirement]) -> None:
    """Print one table with a row per requirement, and what is measured without one."""
    load, whole = results["load"], results["texts"]
    table = Table(
        "requirement",
        "wanted",
        "measured",
        "",
        box=None,
        title=f"{results['minutes']:g} minutes, seed {results['seed']}",
    )
    for name, wanted, measured, passed in required:
        table.add_row(name, wanted, measured, "pass" if passed else "FAIL", style=None if passed else "bold red")
    table.add_section()
    table.add_row("faults, edits", "", f"{sum(results['faults_by_kind'].values())}, {len(results['edits'])}", "")
    table.add_row("texts shown, excluded", "", f"{whole['shown']}, {sum(whole['excluded'].values())}", "")
    table.add_row("start error, ms", "", str(whole["start_error_ms"]), "")
    table.add_row("delay after steady, ms", "", str(whole["delay_after_steady_ms"]), "")
    table.add_row(
        "load, mean and maximum", "", f"{load['mean']}, {load['max']} on {results['machine']['cores']} cores", ""
    )
    Console(highlight=False, width=150).print(table)


def describe_faults(faults: Sequence[Fault], started_s: float) -> list[str]:
    """Return a line for each fault. started_s: Unix time of the start of the soak."""
    return [
        f"{fault.start_s - started_s:.1f} to {fault.end_s - started_s:.1f} s: {fault.name}"
        f"{f' ({fault.stream})' if fault.stream else ''}"
        for fault in faults
    ]


def describe_edits(edits: Sequence[Edit], started_s: float) -> list[str]:
    return [f"{e.start_s - started_s:.1f} s: {e.name}: {e.outcome} after {e.took_s:.1f} s" for e in edits]
