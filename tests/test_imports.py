"""Imports point one way (import-linter), and nothing heavy is imported where it is not used."""

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


def test_few_modules_lie_in_the_package_itself():
    assert len(list(PACKAGE.glob("*.py"))) <= 8


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module


def test_nothing_is_pickled():
    for file in PACKAGE.rglob("*.py"):
        assert not {"pickle", "dill", "marshal"} & set(imported(ast.parse(file.read_text()))), file.name


@pytest.mark.parametrize("heavy", ["numpy", "cv2"])
def test_a_program_that_leaves_reading_to_processes_imports_nothing_that_computes(heavy):
    program = f"import sys, stream_ocr.cli.read_files, stream_ocr.cli.app; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("heavy", ["torch", "onnxruntime"])
def test_the_package_is_imported_without_the_networks(heavy):
    program = f"import sys, stream_ocr, stream_ocr.cli; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
