"""Weights on disk: one fp16 ``safetensors`` file per network, and ``manifest.json``, which describes them.

An entry of the manifest holds ``kind`` ("detector" or "recognizer"), ``architecture``, ``parameters`` (arguments of
the class), ``charset``, ``preprocessing``, ``calibration`` (of recognisers: the ``temperature`` of confidences),
``recipe``, ``data``, ``licence``, ``figures``, and the ``sha256`` of the file, which every load checks. If the
network has been exported into the same folder, ``onnx_sha256`` or ``mnn_sha256`` is that of the export. The entry of
the kind "language model" is no network but a table of n-grams, ``.npz``. Reading the manifest needs no torch.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from stream_ocr.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

MANIFEST = "manifest.json"
ExportFormat = Literal["onnx", "mnn"]
"""File formats into which a network may be exported beside its weights."""

_PACKAGE_FOLDER = Path(__file__).resolve().parents[1]


def weights_folder() -> Path:
    """Return the folder of the weights: in the installed package, or beside it in a checkout. Raise WeightsError."""
    for candidate in (_PACKAGE_FOLDER / "_weights", _PACKAGE_FOLDER.parent / "weights"):
        if candidate.is_dir():
            return candidate
    raise WeightsError(
        f"no weights beside {_PACKAGE_FOLDER}; reinstall stream-ocr, or run from a checkout with weights/"
    )


def manifest(folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """Return the manifest's entries by network name; empty when nothing has been saved. Raise WeightsError."""
    path = (folder or weights_folder()) / MANIFEST
    if not path.is_file():
        return {}
    try:
        entries: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(f"{path} is not valid JSON ({error}); restore it from the release or from git") from None
    return entries


def is_network(entry: Mapping[str, Any]) -> bool:
    """Return True if an entry of the manifest describes a network, not a language model."""
    return entry["kind"] != "language model"


def load_net(name: str, folder: Path | None = None) -> tuple[dict[str, Any], dict[str, "Tensor"]]:
    """Return a network's manifest entry and its state dict in fp32, verified by checksum. Raise WeightsError."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    folder = folder or weights_folder()
    entries = manifest(folder)
    if name not in entries:
        raise WeightsError(f"{_unknown_name(name, folder, entries)}; choose one of these or train them")
    path = folder / f"{name}.safetensors"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"{path} cannot be read ({error.strerror}); reinstall stream-ocr or train the weights"
        ) from None
    if hashlib.sha256(data).hexdigest() != entries[name].get("sha256"):
        raise WeightsError(
            f"{path} does not match its checksum in {MANIFEST}; fetch it again, it is damaged or partly updated"
        )
    try:
        state = load(data)
    except SafetensorError as error:
        raise WeightsError(f"{path} is not a safetensors file ({error}); fetch it again") from None
    return entries[name], {key: _to_fp32(tensor) for key, tensor in state.items()}


def save(name: str, state: Mapping[str, "Tensor"], entry: Mapping[str, Any], folder: Path | None = None) -> Path:
    """Write ``<name>.safetensors`` (floats as fp16) and the manifest, each atomically; return the file's path.

    Processes may save different networks into one folder at the same time.
    """
    from safetensors.torch import save as serialise

    folder = folder or weights_folder()
    folder.mkdir(parents=True, exist_ok=True)
    data = serialise({key: _to_fp16(tensor) for key, tensor in state.items()})
    path = folder / f"{name}.safetensors"
    with _locked(folder):
        entries = manifest(folder)
        entries[name] = {**entry, "sha256": hashlib.sha256(data).hexdigest()}
        _replace(path, data)
        _write(entries, folder)
    return path


def has_export(name: str, file_format: ExportFormat, folder: Path | None = None) -> bool:
    """Return True if a network has been exported in a format since its weights were last saved."""
    return f"{file_format}_sha256" in manifest(folder).get(name, {})


def verified_path(name: str, file_format: ExportFormat, folder: Path | None = None) -> Path:
    """Return the path of a network's export after checking its checksum. Raise WeightsError."""
    folder = folder or weights_folder()
    path, expected = folder / f"{name}.{file_format}", manifest(folder).get(name, {}).get(f"{file_format}_sha256")
    if not path.is_file() or sha256(path) != expected:
        raise WeightsError(
            f"{path} is missing or does not match its checksum in {MANIFEST}; export it or fetch it again"
        )
    return path


def verify(name: str, folder: Path | None = None) -> tuple[str, ...]:
    """Check the checksums of an entry's files; return their formats. Needs no torch. Raise WeightsError."""
    folder = folder or weights_folder()
    entry = manifest(folder)[name]
    main_format = "safetensors" if is_network(entry) else "npz"
    path = folder / f"{name}.{main_format}"
    if not path.is_file() or sha256(path) != entry.get("sha256"):
        raise WeightsError(
            f"{path} is missing or does not match its checksum in {MANIFEST}; reinstall stream-ocr or fetch it again"
        )
    exports = tuple(file_format for file_format in get_args(ExportFormat) if has_export(name, file_format, folder))
    for file_format in exports:
        verified_path(name, file_format, folder)
    return (main_format, *exports)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def update_entry(name: str, values: Mapping[str, Any], folder: Path | None = None) -> None:
    """Merge values into the manifest's entry of a network. Raise WeightsError if it has none."""
    folder = folder or weights_folder()
    with _locked(folder):
        entries = manifest(folder)
        if name not in entries:
            raise WeightsError(_unknown_name(name, folder, entries))
        entries[name] |= values
        _write(entries, folder)


def _write(entries: Mapping[str, Any], folder: Path) -> None:
    _replace(folder / MANIFEST, (json.dumps(entries, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode())


def _unknown_name(name: str, folder: Path, entries: Mapping[str, Any]) -> str:
    return f"no weights named {name!r} in {folder} (there are: {', '.join(sorted(entries)) or 'none'})"


def _to_fp16(tensor: "Tensor") -> "Tensor":
    import torch

    tensor = tensor.detach().cpu()
    if not tensor.is_floating_point():
        return tensor.contiguous()
    largest = torch.finfo(torch.float16).max
    return tensor.clamp(-largest, largest).half().contiguous()


def _to_fp32(tensor: "Tensor") -> "Tensor":
    return tensor.float() if tensor.is_floating_point() else tensor


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.replace(path)
