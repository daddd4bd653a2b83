"""Exported weights of a run that goes on: what their manifest entry says of the run, and how another continues it.

A snapshot holds the averaged weights without annealing. Its entry has a section ``training`` with ``state`` "in
training" and the counters. A run that starts from it continues the counters. Finished weights say "annealed"; a run
that starts from them is a new one, and notes their origin as ``begun_from``.
"""

import dataclasses
from typing import Any

IN_TRAINING, ANNEALED = "in training", "annealed"
_DESCRIPTION = ("sha256", "figures", "recipe", "training")


def training_section(state: str, counters: dict[str, Any]) -> dict[str, Any]:
    """Return the section ``training`` of a manifest entry; counters with ``core_s`` in seconds of processor time."""
    rounded = {name: round(value, 1) if isinstance(value, float) else value for name, value in counters.items()}
    hours = {"core_hours": round(counters["core_s"] / 3600, 2)}
    return {"state": state} | rounded | hours


def continued_counters(entry: dict[str, Any], kind: type) -> dict[str, Any]:
    """Return the counters with which a run continues a snapshot, as arguments of a dataclass; empty for a new run."""
    training = entry.get("training", {})
    if training.get("state") != IN_TRAINING:
        return {}
    known = {field.name for field in dataclasses.fields(kind)}
    counters = {name: value for name, value in training.items() if name in known}
    return counters | {"begun_at": training["step"]}


def origin_of(entry: dict[str, Any]) -> dict[str, Any]:
    """Return what the next entry says as ``begun_from``: a snapshot passes its own on, finished weights are named."""
    if entry.get("training", {}).get("state") == IN_TRAINING:
        return dict(entry.get("begun_from", {}))
    return {name: entry[name] for name in (*_DESCRIPTION, "begun_from") if name in entry}
