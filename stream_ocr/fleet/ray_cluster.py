"""Connection to a Ray cluster."""

import logging
import socket
from collections.abc import Mapping
from dataclasses import dataclass

import ray

from stream_ocr.errors import WorkerError
from stream_ocr.fleet.thresholds import THRESHOLDS

CONTROLLER, NAMESPACE = "controller", "stream-ocr"
"""Name of the actor of the controller, and the namespace of all actors of the fleet."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the cluster. name: of its machine, or what `ray start --node-name` said. address: of IP."""

    name: str
    address: str
    resources: Mapping[str, float]


def connect(address: str, namespace: str | None = None) -> bool:
    """Connect to the cluster at HOST:PORT, or ("auto") to the one of this machine. Return False if connected already.

    Raise WorkerError if there is no cluster.
    """
    if ray.is_initialized():
        return False
    try:
        _check_address(address)
        ray.init(address, namespace=namespace, log_to_driver=False, logging_level=logging.WARNING)
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WorkerError(
            f"There is no Ray cluster at {address!r} ({reason}); start one with `ray start --head`."
        ) from error
    return True


def alive_nodes() -> dict[str, Node]:
    """Return the nodes of the cluster by their ids."""
    return {
        each["NodeID"]: Node(each["NodeName"], each["NodeManagerAddress"], each["Resources"])
        for each in ray.nodes()
        if each["Alive"]
    }


def _check_address(address: str) -> None:
    """Raise OSError if nothing answers at HOST:PORT; Ray itself would try for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and "/" not in host:
        socket.create_connection((host, int(port)), THRESHOLDS.connect_timeout_s).close()
