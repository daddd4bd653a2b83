"""Videos at https addresses."""

import ssl
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stream_ocr.config.urls import SourceUrl
from stream_ocr.errors import SourceError
from stream_ocr.sources.addresses import open_address
from stream_ocr.sources.certificates import system_authorities
from stream_ocr.sources.files import open_file
from stream_ocr.synthetic.scene import Scene, render


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        """Keep standard error quiet."""


class QuietServer(ThreadingHTTPServer):
    def handle_error(self, *_arguments: object) -> None:
        """Keep standard error quiet: clients break off."""


@pytest.fixture
def address(tmp_path: Path, certificate: tuple[Path, Path]) -> Iterator[str]:
    """Serve a clip over TLS."""
    render(Scene((), 0.4, (320, 180)), tmp_path / "clip.mp4")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with QuietServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}/clip.mp4"
        server.shutdown()


def test_open_file_reads_from_a_trusted_server(address: str, certificate: tuple[Path, Path]) -> None:
    with open_file(address, stream="clip", ca_file=certificate[0]) as source:
        assert len(list(source)) == 10


def test_open_address_refuses_a_server_that_nobody_trusts(address: str, another_certificate: Path) -> None:
    at_once = {"reconnect_on_network_error": "0"}
    with pytest.raises(SourceError, match="certificate that is not trusted"):
        open_address(SourceUrl(address), at_once, another_certificate)
    sentence = "certificate that is not trusted" if system_authorities() else "install ca-certificates"
    with pytest.raises(SourceError, match=sentence):
        open_address(SourceUrl(address), at_once)


def test_open_file_names_a_missing_file_of_authorities(address: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"cannot be checked: there is no file '.*none\.pem'"):
        open_file(address, stream="clip", ca_file=tmp_path / "none.pem")
