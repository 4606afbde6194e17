"""Where a cluster answers, found out before Ray tries for minutes."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

from pathnet_evo import ExecutorError, said

ANSWERED_WITHIN = 10.0
"""Seconds in which a cluster must answer."""
GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""How a client of gRPC, which Ray's servers speak, begins (RFC 9113, 3.4)."""
SETTINGS = 4
"""Kind of the frame that a server answers with."""


def found(address: str) -> str:
    """The address of a cluster that answers.

    Args:
        address: ``HOST:PORT``; ``auto`` is that of ``RAY_ADDRESS`` or of this machine's cluster.

    Raises:
        ExecutorError: nothing answers there, or something that is no cluster.
    """
    from ray._private.services import canonicalize_bootstrap_address

    if "://" in address:
        raise ExecutorError(
            f"address {address}: expected HOST:PORT or auto; start the run on a node of the cluster"
        )
    if address != "auto" and not _is_pair(address):
        raise ExecutorError(f"address {address}: expected HOST:PORT or auto")
    place: str | None
    try:
        place = canonicalize_bootstrap_address(address)
    except ConnectionError:
        raise ExecutorError(
            "address auto: no cluster runs on this machine; start one with `ray start --head`, or "
            "leave address out"
        ) from None
    except Exception as error:  # Ray raises what its parts raise; all mean that it is not there
        raise ExecutorError(f"no cluster at {address}: {said(error)}") from None
    if place is None:
        raise ExecutorError(f"address {address}: expected HOST:PORT or auto")
    if reason := _silence(place):
        where = address if place == address else f"{address} ({place})"
        raise ExecutorError(f"no cluster at {where}: {reason}")
    return place


def _is_pair(address: str) -> bool:
    host, _, port = address.rpartition(":")
    return bool(host) and port.isdigit() and 0 < int(port) < 2**16


def _silence(place: str) -> str | None:
    """Why nothing that could be a cluster answers, or None."""
    host, _, port = place.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), ANSWERED_WITHIN) as line:
            if os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true"):
                return None
            line.sendall(GREETING)
            answer = b""
            with suppress(TimeoutError):
                while len(answer) < 9 and (more := line.recv(9 - len(answer))):
                    answer += more
    except OSError as error:
        return (error.strerror or "no answer").lower()
    if len(answer) < 9 or answer[3] != SETTINGS:
        return "what answers there is not Ray"
    return None
