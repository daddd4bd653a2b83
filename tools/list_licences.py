"""List the licences of all dependencies and of the weights.

``python tools/list_licences.py docs/licences.md`` writes the list, from the metadata of the installed packages.
"""

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_ROOT = Path(__file__).parents[1]
_TRAINED = "torch"  # not locked, see locks/README.md
_UNDECLARED = {
    "axe-playwright-python": "MIT; includes axe-core: MPL-2.0",
    "kiwisolver": "BSD-3-Clause",
    "mergedeep": "MIT",
}
"""Licences that stand in a file of the package but not in its metadata."""
_NAMES = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD License": "BSD",
    "BSD-3": "BSD-3-Clause",
    "ISC License": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""SPDX identifiers of names that packages use. Many do not say which of the BSD licences they mean."""
_PARTS = {
    "av": "wheels include FFmpeg: LGPL-3.0-or-later, and x264 and x265: GPL-2.0-or-later",
    "opencv-python-headless": "wheels include FFmpeg: LGPL-2.1-or-later",
    "numpy": "wheels include OpenBLAS: BSD-3-Clause",
    "pyzmq": "wheels include libzmq: MPL-2.0, and libsodium: ISC",
    "rapidocr": "wheels include the weights of PP-OCR: Apache-2.0",
    "shapely": "wheels include GEOS: LGPL-2.1",
}
"""Libraries in the wheels of a package that have another licence."""


def document() -> str:
    """Return the list as Markdown. Raise ValueError for a package whose licence is unknown."""
    direct = _direct()
    lines = [
        "# Licences",
        "",
        "Of stream_ocr, its weights and all packages that an installation brings. `make licences` writes this from",
        "the metadata of the packages in their locked versions (`locks/dev.txt`).",
        "",
        "stream_ocr: Apache-2.0.",
        "",
        "## Weights",
        "",
        "| weights | licence |",
        "|---|---|",
        *_weights(),
        "",
        "## Packages",
        "",
        "*plain*: `pip install .` brings it; otherwise the extra that names it. Packages that others need have none.",
        "",
        "| package | licence | named by |",
        "|---|---|---|",
        *(_line(name, direct) for name in _packages(direct)),
    ]
    return "\n".join(lines) + "\n"


def direct_lines() -> list[str]:
    """Return the lines of the weights and of the packages that pyproject.toml names."""
    direct = _direct()
    return [*_weights(), *(_line(name, direct) for name in direct)]


def licence(name: str) -> str:
    """Return the licence of an installed package. Raise ValueError if its metadata names none."""
    fields = metadata.metadata(name).json  # which has only the fields that are there
    found = _UNDECLARED.get(name) or str(fields.get("license_expression") or "")
    if not found:
        classifiers = [line for line in fields.get("classifier") or () if line.startswith("License ::")]
        kinds = [line.rpartition(" :: ")[2] for line in classifiers]
        kinds = [kind for kind in kinds if kind not in ("OSI Approved", "DFSG approved")]
        declared = str(fields.get("license") or "").partition("\n")[0].strip()
        short = declared if 0 < len(declared) <= 40 and not declared.startswith("Copyright") else ""
        names = [_NAMES.get(kind, kind) for kind in (kinds if not short or len(kinds) > 1 else [short])]
        found = " OR ".join(dict.fromkeys(names))
    if not found:
        raise ValueError(f"{name} declares no licence; read it and add it to _UNDECLARED in tools/list_licences.py.")
    return f"{found}; {_PARTS[name]}" if name in _PARTS else found


def _line(name: str, direct: dict[str, list[str]]) -> str:
    return f"| {name} | {licence(name)} | {', '.join(direct.get(name, ()))} |"


def _direct() -> dict[str, list[str]]:
    """Return by package which extras name it."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named: dict[str, list[str]] = {}
    for extra, requirements in {"plain": project["dependencies"], **project["optional-dependencies"]}.items():
        for requirement in requirements:
            extras = named.setdefault(canonicalize_name(Requirement(requirement).name), [])
            if extra not in extras:
                extras.append(extra)
    return named


def _packages(direct: dict[str, list[str]]) -> list[str]:
    """Return the packages that are locked for this system, and torch."""
    lines = (_ROOT / "locks" / "dev.txt").read_text(encoding="utf-8").splitlines()
    locked = [Requirement(line.removesuffix("\\")) for line in lines if re.match(r"\w", line)]
    here = {canonicalize_name(each.name) for each in locked if each.marker is None or each.marker.evaluate()}
    return sorted({*here, *direct, _TRAINED})


def _weights() -> Iterator[str]:
    entries = json.loads((_ROOT / "weights" / "manifest.json").read_text(encoding="utf-8"))
    return (f"| {name} | {entry['licence']} |" for name, entry in sorted(entries.items()))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(), encoding="utf-8")
