"""The layout and the language of the repository follow CONTRIBUTING.md."""

import ast
import re
import warnings
from pathlib import Path

import pytest
import typer

from stream_ocr.cli.app import app

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "stream_ocr"
MODULES = sorted(path for folder in ("stream_ocr", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FLOATS = {
    "bus/protocol.py": "the heartbeat is part of the protocol",
    "core/color.py": "ITU-R BT.601 and BT.709",
    "evaluation/detection_metrics.py": "avoids division by zero",
    "evaluation/truth.py": "stands for no end",
    "models/detection/dbnet.py": "DBNet, and the normalisation that weights were trained with",
    "models/recognition/calibration.py": "keeps odds finite",
    "models/recognition/ctc.py": "keeps logarithms finite",
    "models/recognition/input_sizes.py": "the shape that weights were trained with",
}
"""Modules of the package with constants of type float, and why these are no thresholds."""
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))


def test_package_holds_at_most_eight_modules() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 8


def test_modules_have_at_most_350_lines() -> None:
    assert [str(path) for path in MODULES if path.read_text().count("\n") > 350] == []


def test_architecture_lists_every_package() -> None:
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    table = (ROOT / "docs" / "architecture.md").read_text().partition("## Packages")[2].partition("## ")[0]
    assert packages - set(re.findall(r"`(\w+)`", table)) == set()


def test_docstrings_start_with_neither_what_nor_whether() -> None:
    wrong = []
    for path in MODULES:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                docstring = ast.get_docstring(node) or ""
                wrong += [f"{path}: {docstring[:60]}"] if re.match(r"(What|Whether)\b", docstring) else []
    assert wrong == []


def is_numeric(node: ast.expr | None) -> bool:
    """Return whether an expression consists of numbers, and of tuples, sets and dictionaries of numbers."""
    match node:
        case ast.Constant(value=value):
            return isinstance(value, int | float) and not isinstance(value, bool)
        case ast.UnaryOp(operand=operand):
            return is_numeric(operand)
        case ast.BinOp(left=left, right=right):
            return is_numeric(left) and is_numeric(right)
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts) | ast.Dict(values=parts):
            return bool(parts) and all(map(is_numeric, parts))
    return False


def is_explained(node: ast.stmt, lines: list[str]) -> bool:
    """Return whether a statement has a comment, or its paragraph begins with one or ends with a docstring."""
    first, last = node.lineno - 1, node.end_lineno or node.lineno
    if any("#" in line for line in lines[first:last]):
        return True
    while first and lines[first - 1].strip():
        first -= 1
    while last < len(lines) and lines[last].strip():
        last += 1
    return lines[first].startswith("#") or lines[last - 1].endswith('"""')


def test_thresholds_stand_in_dataclasses_and_other_numbers_are_explained() -> None:
    floats, unexplained = set(), []
    for path in sorted(set(PACKAGE.rglob("*.py")) - set(PACKAGE.rglob("thresholds.py"))):
        lines, name = path.read_text().splitlines(), path.relative_to(PACKAGE).as_posix()
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and is_numeric(node.value):
                unexplained += [] if is_explained(node, lines) else [f"{name}:{node.lineno}"]
                if any(isinstance(part, ast.Constant) and isinstance(part.value, float) for part in ast.walk(node)):
                    floats.add(name)
    assert floats == set(FLOATS), "a threshold belongs into a dataclass in thresholds.py"
    assert unexplained == [], "a number needs a comment or a docstring with its unit and meaning"


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_decision_has_its_four_parts(path: Path) -> None:
    parts = re.findall(r"^\*\*(Status|Context|Decision|Consequences)", path.read_text(), re.MULTILINE)
    assert parts == ["Status", "Context", "Decision", "Consequences"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_document_names_existing_options(path: Path) -> None:
    root = typer.main.get_command(app)
    for line in re.findall(r"stream-ocr ([a-z][^\n`|#]*)", path.read_text()):
        words = re.sub(r"'[^']*'|\"[^\"]*\"", "VALUE", line).split()
        command = root
        while hasattr(command, "commands") and words and words[0] in command.commands:
            command = command.commands[words.pop(0)]
        if command is root:
            continue  # prose about stream-ocr
        if hasattr(command, "commands"):
            command = command.commands.get("clips", command)  # bench without a command
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        used = {word.rstrip(".,;:)]").split("=")[0].lstrip("[(") for word in words}
        assert {word for word in used if re.match(r"--?[a-z]", word)} <= known | {"--help"}, line


@pytest.mark.parametrize("path", [*DOCUMENTS, *DECISIONS], ids=lambda path: path.stem)
def test_document_has_no_broken_links(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", path.read_text())
    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []
