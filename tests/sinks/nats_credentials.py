"""Credentials of a NATS server in operator mode: an operator, an account and a user, each signed by the one before.

See https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/jwt.
"""

import base64
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import nkeys

UNLIMITED = -1
LIMITS = ["subs", "data", "payload", "imports", "exports", "conn", "leaf"]
JETSTREAM_LIMITS = ["mem_storage", "disk_storage", "streams", "consumer"]  # not for the system account


def create(folder: Path) -> tuple[str, Path]:
    """Return settings of a server, and the file with the credentials of its only user."""
    operator, system, account, user = map(_create_key, ("OPERATOR", "ACCOUNT", "ACCOUNT", "USER"))
    limits = dict.fromkeys(LIMITS, UNLIMITED)
    all_limits = limits | dict.fromkeys(JETSTREAM_LIMITS, UNLIMITED)
    system_key = system.public_key.decode()
    tokens = {
        "operator": _sign(operator, operator, {"type": "operator", "system_account": system_key}),
        "system": _sign(operator, system, {"type": "account", "limits": limits}),
        "account": _sign(operator, account, {"type": "account", "limits": all_limits}),
        "user": _sign(account, user, {"type": "user", **dict.fromkeys(("subs", "data", "payload"), UNLIMITED)}),
    }
    file = folder / "user.creds"
    file.write_text(
        f"-----BEGIN NATS USER JWT-----\n{tokens['user']}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n"
    )
    accounts = f"{system_key}: {tokens['system']}, {account.public_key.decode()}: {tokens['account']}"
    return f"operator: {tokens['operator']}\nresolver: MEMORY\nresolver_preload: {{ {accounts} }}", file


def _create_key(kind: str) -> Any:
    return nkeys.from_seed(nkeys.encode_seed(os.urandom(32), getattr(nkeys, f"PREFIX_BYTE_{kind}")))


def _sign(issuer: Any, subject: Any, claims: dict[str, Any]) -> str:
    """Return a JWT about a key, signed by another one."""
    body = {
        "iat": int(time.time()),
        "iss": issuer.public_key.decode(),
        "name": "test",
        "sub": subject.public_key.decode(),
        "nats": {"version": 2, **claims},
    }
    digest = hashlib.sha256(json.dumps(body).encode())
    body["jti"] = base64.b32encode(digest.digest()).decode().rstrip("=")
    content = f"{_encode({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{_encode(body)}"
    signature = base64.urlsafe_b64encode(issuer.sign(content.encode())).decode().rstrip("=")
    return f"{content}.{signature}"


def _encode(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
