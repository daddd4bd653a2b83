"""Weights on disk: one fp16 `safetensors` file a network, and one `manifest.json` that says what each of them is.

A manifest entry holds `kind` ("detector" or "recognizer"), `architecture`, `parameters` (arguments of the net's
class), `charset`, `preprocessing`, `calibration` (of recognisers: the `temperature` of their confidences), `recipe`,
`data`, `licence`, `figures`, and the file's `sha256`, which is checked whenever the file is loaded; `onnx_sha256` or
`mnn_sha256` where the network has been exported into the same folder. The manifest alone is read without torch.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stream_ocr.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

MANIFEST = "manifest.json"
Form = Literal["onnx", "mnn"]
"""What a network may be there as, beside its weights."""

_PACKAGE = Path(__file__).resolve().parents[1]


def folder() -> Path:
    """Where the weights are: inside the installed package, or beside it in a checkout. Raises WeightsError."""
    for candidate in (_PACKAGE / "_weights", _PACKAGE.parent / "weights"):
        if candidate.is_dir():
            return candidate
    raise WeightsError(f"no weights beside {_PACKAGE}; reinstall stream-ocr, or run from a checkout that has weights/")


def manifest(where: Path | None = None) -> dict[str, dict[str, Any]]:
    """Every network's entry by name; empty when nothing has been saved yet."""
    path = (where or folder()) / MANIFEST
    if not path.is_file():
        return {}
    try:
        entries: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(f"{path} is not valid JSON ({error}); restore it from the release or from git") from None
    return entries


def load_net(name: str, where: Path | None = None) -> tuple[dict[str, Any], dict[str, "Tensor"]]:
    """A network's manifest entry and its state, verified and in fp32. Raises WeightsError."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    where = where or folder()
    entries = manifest(where)
    if name not in entries:
        known = ", ".join(sorted(entries)) or "none"
        raise WeightsError(
            f"no weights named {name!r} in {where} (there are: {known}); choose one of these or train them"
        )
    path = where / f"{name}.safetensors"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"{path} cannot be read ({error.strerror}); reinstall stream-ocr or train the weights"
        ) from None
    if hashlib.sha256(data).hexdigest() != entries[name].get("sha256"):
        raise WeightsError(
            f"{path} does not match its checksum in {MANIFEST}; fetch it again, it is damaged or half updated"
        )
    try:
        state = load(data)
    except SafetensorError as error:
        raise WeightsError(f"{path} is not a safetensors file ({error}); fetch it again") from None
    return entries[name], {key: _widened(tensor) for key, tensor in state.items()}


def save(name: str, state: Mapping[str, "Tensor"], entry: Mapping[str, Any], where: Path | None = None) -> Path:
    """Write `<name>.safetensors` (floats as fp16) and the manifest, each atomically; returns the file's path.

    Safe against another process that saves another network into the same folder at the same time.
    """
    from safetensors.torch import save as serialise

    where = where or folder()
    where.mkdir(parents=True, exist_ok=True)
    data = serialise({key: _narrowed(tensor) for key, tensor in state.items()})
    path = where / f"{name}.safetensors"
    with _locked(where):
        entries = manifest(where)
        entries[name] = {**entry, "sha256": hashlib.sha256(data).hexdigest()}
        _replace(path, data)
        _write(entries, where)
    return path


def has(name: str, form: Form, where: Path | None = None) -> bool:
    """Whether a network is there in a form, too; training anew takes that away until it is exported again."""
    return f"{form}_sha256" in manifest(where).get(name, {})


def verified(name: str, form: Form, where: Path | None = None) -> Path:
    """A network's file in a form, with the right checksum. Raises WeightsError."""
    where = where or folder()
    path, wanted = where / f"{name}.{form}", manifest(where).get(name, {}).get(f"{form}_sha256")
    if not path.is_file() or sha256(path) != wanted:
        raise WeightsError(
            f"{path} is missing or does not match its checksum in {MANIFEST}; export it or fetch it again"
        )
    return path


def sha256(path: Path) -> str:
    """The checksum of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def amend(name: str, facts: Mapping[str, Any], where: Path | None = None) -> None:
    """Put facts into the manifest's entry of a network that is there. Raises WeightsError."""
    where = where or folder()
    with _locked(where):
        entries = manifest(where)
        if name not in entries:
            raise WeightsError(
                f"no weights named {name!r} in {where} (there are: {', '.join(sorted(entries)) or 'none'})"
            )
        entries[name] |= facts
        _write(entries, where)


def _write(entries: Mapping[str, Any], where: Path) -> None:
    _replace(where / MANIFEST, (json.dumps(entries, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode())


def _narrowed(tensor: "Tensor") -> "Tensor":
    import torch

    tensor = tensor.detach().cpu()
    if not tensor.is_floating_point():
        return tensor.contiguous()
    largest = torch.finfo(torch.float16).max
    return tensor.clamp(-largest, largest).half().contiguous()


def _widened(tensor: "Tensor") -> "Tensor":
    return tensor.float() if tensor.is_floating_point() else tensor


@contextmanager
def _locked(where: Path) -> Iterator[None]:
    descriptor = os.open(where, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.replace(path)
