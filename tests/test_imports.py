"""Imports follow the layers (import-linter), and heavy modules are imported only where they are used."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "stream_ocr"


def test_imports_follow_the_layers():
    program = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    ran = subprocess.run([sys.executable, "-c", program, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_package_root_has_at_most_eight_modules():
    assert len(list(PACKAGE.glob("*.py"))) <= 8


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module


def test_package_does_not_use_pickle():
    for file in PACKAGE.rglob("*.py"):
        assert not {"pickle", "dill", "marshal"} & set(imported(ast.parse(file.read_text()))), file.name


@pytest.mark.parametrize("heavy", ["numpy", "cv2", "av", "structlog", "rich", "pysubs2", "sqlite3", "regex"])
def test_cli_with_worker_processes_does_not_import(heavy):
    program = f"import sys, stream_ocr.cli.read_files, stream_ocr.cli.app; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("heavy", ["torch", "onnxruntime"])
def test_package_does_not_import(heavy):
    program = f"import sys, stream_ocr, stream_ocr.cli; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(
    ("contestant", "unneeded"),
    [("decode_only", "numpy"), ("decode_only", "pydantic"), ("stream_ocr_runner", "pydantic")],
)
def test_contestant_of_a_benchmark_does_not_import_the_benchmark(contestant, unneeded):
    program = f"import sys, stream_ocr.evaluation.bench.{contestant}; sys.exit({unneeded!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
