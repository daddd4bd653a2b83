"""CURVE keys: one pair for the bus, one for each client, and the folder of those that are let in.

    keys/server.key_secret     stays with the bus
    keys/server.key            public, goes to every client
    keys/NAME.key_secret       goes to that client and nowhere else
    keys/clients/NAME.key      public; who has one here is let in

The format is that of ZeroMQ's certificates, which other languages read, too.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import zmq

from stream_ocr.errors import SubscribeError

SERVER = "server"
DOMAIN = "stream-ocr"  # of the authentication protocol
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ENTRY = re.compile(r'^\s*(public-key|secret-key)\s*=\s*"(.{40})"\s*$', re.MULTILINE)


class Pair(NamedTuple):
    """Keys in Z85; no secret in a public file."""

    public: bytes
    secret: bytes | None


def make(folder: Path, name: str) -> list[Path]:
    """Make the keys of the bus (``server``) or of a client; the files. Raises SubscribeError where they are there."""
    if not _NAME.fullmatch(name):
        raise SubscribeError(f"{name!r} is no name for a key; use letters, digits, dots, dashes and underscores.")
    from zmq.auth import create_certificates  # brings much that a client does without

    with _private():
        (folder / "clients").mkdir(parents=True, exist_ok=True, mode=0o700)
        files = [folder / f"{name}.key_secret", folder / f"{name}.key"]
        if name != SERVER:
            files.append(folder / "clients" / f"{name}.key")
        for file in files:
            if file.exists():
                raise SubscribeError(f"{file} is there already; remove it first if it shall be made anew.")
        create_certificates(folder, name)
        if name != SERVER:
            shutil.copyfile(files[1], files[2])
        for file in files:
            file.chmod(0o600)
    return files


def load(file: Path) -> Pair:
    """The keys in a file. Raises SubscribeError."""
    try:
        text = file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise SubscribeError(f"The key {file} cannot be read: {error}; make one with `stream-ocr keys`.") from error
    found = dict(_ENTRY.findall(text))
    if "public-key" not in found:
        raise SubscribeError(f"{file} holds no key; make one with `stream-ocr keys`.")
    secret = found.get("secret-key")
    return Pair(found["public-key"].encode(), None if secret is None else secret.encode())


def secret(file: Path) -> tuple[bytes, bytes]:
    """(public, secret) of a file. Raises SubscribeError where others may read it, or where it has no secret."""
    pair = load(file)
    if pair.secret is None:
        raise SubscribeError(f"{file} holds only the public key; name the file that ends in .key_secret.")
    if file.stat().st_mode & 0o077:
        raise SubscribeError(f"{file} can be read by others; make it private: chmod 600 {file}")
    return pair.public, pair.secret


class AllowList:
    """Lets in the clients whose public keys lie in a folder. It is looked at for each connection."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def callback(self, _domain: str, key: bytes) -> bool:
        """Whether a key (Z85) is let in; what pyzmq's authenticator asks."""
        return key in set(self._keys())

    def _keys(self) -> Iterator[bytes]:
        for file in sorted(self._folder.glob("*.key")):
            try:
                yield load(file).public
            except SubscribeError:
                continue  # a file that is being written, or no key: it lets nobody in


def serve(socket: zmq.Socket[bytes], folder: Path) -> None:
    """Let a socket demand keys. Raises SubscribeError."""
    socket.curve_publickey, socket.curve_secretkey = secret(folder / f"{SERVER}.key_secret")
    socket.curve_server = True
    socket.zap_domain = DOMAIN.encode()


def present(socket: zmq.Socket[bytes], key: Path, server: Path) -> None:
    """Let a socket of a client show its key to the bus whose public key is in ``server``. Raises SubscribeError."""
    socket.curve_publickey, socket.curve_secretkey = secret(key)
    socket.curve_serverkey = load(server).public


def shown(key: str | Path | None, server_key: str | Path | None) -> tuple[Path, Path] | None:
    """What ``present`` is to show, if anything. Raises SubscribeError for one without the other."""
    if (key is None) != (server_key is None):
        raise SubscribeError("key and server_key go together: our secret key, and the public one of the server.")
    return None if key is None or server_key is None else (Path(key), Path(server_key))


@contextmanager
def _private() -> Iterator[None]:
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
