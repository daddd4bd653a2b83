"""CURVE keys: one pair for the bus, one for each client, and the folder of clients that are allowed.

    keys/server.key_secret     stays with the bus
    keys/server.key            public, goes to every client
    keys/NAME.key_secret       goes to that client and nowhere else
    keys/clients/NAME.key      public; clients with a key here are allowed

The format is that of ZeroMQ certificates, which libraries of other languages read, too.
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
DOMAIN = "stream-ocr"  # of ZAP, the authentication protocol of ZeroMQ
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ENTRY = re.compile(r'^\s*(public-key|secret-key)\s*=\s*"(.{40})"\s*$', re.MULTILINE)


class KeyPair(NamedTuple):
    """Keys in Z85; ``secret`` is None in a public file."""

    public: bytes
    secret: bytes | None


def create_keys(folder: Path, name: str) -> list[Path]:
    """Create the keys of the bus ("server") or of a client. Return the files. Raise SubscribeError if they exist."""
    if not _NAME.fullmatch(name):
        raise SubscribeError(f"{name!r} is not a valid key name; use letters, digits, dots, dashes and underscores.")
    from zmq.auth import create_certificates  # slow to import, and clients do not need it

    with _private_umask():
        (folder / "clients").mkdir(parents=True, exist_ok=True, mode=0o700)
        files = [folder / f"{name}.key_secret", folder / f"{name}.key"]
        if name != SERVER:
            files.append(folder / "clients" / f"{name}.key")
        for file in files:
            if file.exists():
                raise SubscribeError(f"{file} exists already; remove it first to replace it.")
        create_certificates(folder, name)
        if name != SERVER:
            shutil.copyfile(files[1], files[2])
        for file in files:
            file.chmod(0o600)
    return files


def load_key(file: Path) -> KeyPair:
    """Return the keys in a file. Raise SubscribeError."""
    try:
        text = file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise SubscribeError(f"The key {file} cannot be read: {error}; create one with `stream-ocr keys`.") from error
    found = dict(_ENTRY.findall(text))
    if "public-key" not in found:
        raise SubscribeError(f"{file} contains no key; create one with `stream-ocr keys`.")
    secret = found.get("secret-key")
    return KeyPair(found["public-key"].encode(), None if secret is None else secret.encode())


def load_secret(file: Path) -> tuple[bytes, bytes]:
    """Return (public, secret) of a file. Raise SubscribeError if others may read it, or if it has no secret."""
    pair = load_key(file)
    if pair.secret is None:
        raise SubscribeError(f"{file} contains only the public key; name the file that ends in .key_secret.")
    if file.stat().st_mode & 0o077:
        raise SubscribeError(f"{file} can be read by others; make it private: chmod 600 {file}")
    return pair.public, pair.secret


class AllowList:
    """Allows the clients whose public keys lie in a folder. The folder is read for each connection."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def callback(self, _domain: str, key: bytes) -> bool:
        """Return whether a key (Z85) is allowed. Called by pyzmq's authenticator."""
        return key in set(self._keys())

    def _keys(self) -> Iterator[bytes]:
        for file in sorted(self._folder.glob("*.key")):
            try:
                yield load_key(file).public
            except SubscribeError:
                continue  # no key, or a file that is being written


def configure_server(socket: zmq.Socket[bytes], folder: Path) -> None:
    """Let a socket of the bus require keys. Raise SubscribeError."""
    socket.curve_publickey, socket.curve_secretkey = load_secret(folder / f"{SERVER}.key_secret")
    socket.curve_server = True
    socket.zap_domain = DOMAIN.encode()


def configure_client(socket: zmq.Socket[bytes], key: Path, server_key: Path) -> None:
    """Let a socket of a client authenticate itself. Raise SubscribeError.

    key: file of its secret key. server_key: file of the public key of the bus.
    """
    socket.curve_publickey, socket.curve_secretkey = load_secret(key)
    socket.curve_serverkey = load_key(server_key).public


def client_keys(key: str | Path | None, server_key: str | Path | None) -> tuple[Path, Path] | None:
    """Return the arguments of ``configure_client``, or None without keys. Raise SubscribeError if one is missing."""
    if (key is None) != (server_key is None):
        raise SubscribeError("key and server_key go together: our secret key, and the public one of the server.")
    return None if key is None or server_key is None else (Path(key), Path(server_key))


@contextmanager
def _private_umask() -> Iterator[None]:
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
