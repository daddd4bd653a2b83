import os
import subprocess
import sys
import tomllib
from pathlib import Path

from stream_ocr.cli.doctor_checks import EXTRAS

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
PROGRAM = "import sys\n{}\nfrom stream_ocr.cli import main\nsys.argv = ['stream-ocr', 'doctor']\nmain()"


def doctor(tmp_path: Path, before: str = "") -> subprocess.CompletedProcess:
    """Run the command with a folder of its own on Python's path, after a few lines."""
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    program = [sys.executable, "-c", PROGRAM.format(before)]
    environment = os.environ | {"PYTHONPATH": path, "STREAM_OCR_DEVICE": "cpu"}
    return subprocess.run(program, env=environment, capture_output=True, text=True, check=False)


def test_doctor_lists_the_extras_that_users_install() -> None:
    extras = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    assert set(EXTRAS) == set(extras) - {"bench", "docs", "dev"}
    for extra, (package, _) in EXTRAS.items():
        assert any(requirement.startswith(package) for requirement in extras[extra]), extra


def test_doctor_reports_two_builds_of_opencv(tmp_path: Path) -> None:
    assert doctor(tmp_path).returncode == 0
    folder = tmp_path / "opencv_python-4.10.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: opencv-python\nVersion: 4.10.0\n")
    done = doctor(tmp_path)
    (problem,) = [line for line in done.stdout.splitlines() if line.startswith("NO")]
    assert "opencv-python-headless and opencv-python share one folder" in problem
    assert "pip install opencv-python-headless" in problem
    assert done.returncode == 1


def test_doctor_needs_neither_torch_nor_onnx_runtime(tmp_path: Path) -> None:
    done = doctor(tmp_path, "sys.modules.update(torch=None, onnxruntime=None, safetensors=None)")
    assert done.returncode == 0, done.stdout + done.stderr
    (recogniser,) = [line for line in done.stdout.splitlines() if line.startswith("ok  recogniser ")]
    assert "mnn on cpu" in recogniser
    assert sum(line.startswith("ok  weights") for line in done.stdout.splitlines()) == 3
