"""The command that reads files which are sent over HTTP."""

from stream_ocr.cli.options import MODEL_SETTINGS, Config, Set, check_packages, load_for_files, print_status

_SETTINGS = (*MODEL_SETTINGS, "decode", "gating", "tracking", "events", "serve")


def serve(config: Config = None, set_: Set = None) -> None:
    """Serve POST /read: read text from pictures and videos that are sent over HTTP."""
    check_packages("The server", ("starlette", "uvicorn", "python_multipart"), "serve")
    from stream_ocr.serve import server

    server.serve(load_for_files(config, set_, _SETTINGS), print_status)
