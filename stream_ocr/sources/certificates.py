"""Certificates of TLS servers, which FFmpeg does not check by default."""

from pathlib import Path

from stream_ocr.errors import SourceError

_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",
)


def system_authorities() -> Path | None:
    """Return the file of the authorities that this system trusts, if there is one."""
    import ssl  # slow to import; few videos come over TLS

    found = ssl.get_default_verify_paths().cafile
    return next((path for path in map(Path, filter(None, (found, *_BUNDLES))) if path.is_file()), None)


def check_against(authorities: Path | None, name: str) -> dict[str, str]:
    """Return the options of FFmpeg that refuse certificates which none of the authorities has signed.

    authorities: a file; None: those of the system. name: of the server, for messages. Raise SourceError without any.
    """
    path = authorities or system_authorities()
    if path is None:
        raise SourceError(
            f"The certificate of {name} cannot be checked, because this system has no list of authorities; install"
            " ca-certificates, or set decode.ca_file."
        )
    if not path.is_file():
        raise SourceError(
            f"The certificate of {name} cannot be checked: there is no file {str(path)!r}; check ca_file."
        )
    return {"tls_verify": "1", "ca_file": str(path)}
