"""Imports point one way: a module imports from the rows above its own; parts of one row do not know each other."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "stream_ocr"

ROWS = [
    {"errors", "clock", "section", "urls", "hours", "outlines"},
    {"geometry", "frames", "vocabulary", "events", "given", "devices"},
    {"feeds"},
    {"outputs", "publication"},
    {"settings"},
    {"messages", "spans", "telemetry", "progress", "engines", "weights", "store"},
    {"scoring", "mnn_engine"},
    {"sources", "detection", "tracking", "recognition", "sinks", "drawing", "bus"},
    {"models"},
    {"own"},
    {"networks", "soundtrack", "thumbnails", "notebook", "journal", "client", "reference"},
    {"annotate", "still", "report", "listing", "onnx_export"},
    {"training"},
    {"stages"},
    {"oracles"},
    {"runtime"},
    {"operation"},
    {"api", "testing", "doctor"},
    {"terminal", "bench"},
    {"dashboard", "board"},
    {"cli"},
]


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module="stream_ocr", names=names):
                yield from (f"stream_ocr.{name.name}" for name in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
            case ast.ImportFrom():
                raise AssertionError("relative import")


def row_of(part: str) -> int:
    return next((i for i, row in enumerate(ROWS) if part in row), -1)


def parts() -> list[str]:
    found = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")}
    return sorted(found - {"__init__", "__main__"})


@pytest.mark.parametrize("part", parts())
def test_imports_point_one_way(part):
    assert row_of(part) >= 0, f"give {part} a place in ROWS"
    path = PACKAGE / part
    for file in path.rglob("*.py") if path.is_dir() else [path.with_suffix(".py")]:
        for name in imported(ast.parse(file.read_text())):
            _, _, other = name.partition("stream_ocr.")
            other = other.split(".")[0]
            if other and other != part:
                assert row_of(other) < row_of(part), f"{file.relative_to(PACKAGE)} imports {name}"


def test_no_stage_knows_of_sockets_or_processes():
    for file in (PACKAGE / "stages").glob("*.py"):
        known = {name.split(".")[0] for name in imported(ast.parse(file.read_text()))}
        assert not known & {"zmq", "multiprocessing", "subprocess", "signal", "threading"}, file.name


def test_nothing_is_pickled():
    for file in PACKAGE.rglob("*.py"):
        assert not {"pickle", "dill", "marshal"} & set(imported(ast.parse(file.read_text()))), file.name


@pytest.mark.parametrize("heavy", ["numpy", "cv2"])
def test_a_program_that_leaves_reading_to_processes_imports_nothing_that_computes(heavy):
    program = f"import sys, stream_ocr.terminal, stream_ocr.cli.commands; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("heavy", ["torch", "onnxruntime"])
def test_the_package_is_imported_without_the_networks(heavy):
    program = f"import sys, stream_ocr, stream_ocr.cli; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
