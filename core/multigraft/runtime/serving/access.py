"""Access control: the address a server listens on, and the token it asks for."""

from __future__ import annotations

import hmac
import ipaddress
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from multigraft.errors import ServeError

VARIABLE = "MULTIGRAFT_TOKEN"
SHORTEST = 16
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
WAITING = 128
"""Connections that may wait until the server takes them."""
HOW = "python -c 'import secrets; print(secrets.token_urlsafe())' makes one"


class Token:
    """A secret that is compared and never shown."""

    def __init__(self, secret: str) -> None:
        """Raises ServeError for one that could be guessed or not be sent."""
        if (
            len(secret) < SHORTEST
            or not secret.isascii()
            or not secret.isprintable()
            or " " in secret
        ):
            raise ServeError(
                f"the token needs at least {SHORTEST} printable ASCII characters without spaces; "
                f"{HOW}"
            )
        self._secret = secret.encode()

    def opens(self, header: str) -> bool:
        """Compare an ``Authorization`` header with it, in constant time."""
        scheme, _, given = header.partition(" ")
        same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._secret)
        return same and scheme.lower() == "bearer"

    def __repr__(self) -> str:
        return "Token(...)"


def find_token(file: Path | None) -> Token | None:
    """The token in ``file``, or else in ``MULTIGRAFT_TOKEN``; None where there is neither."""
    if file is not None:
        try:
            return Token(file.read_text(encoding="utf-8").strip())
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise ServeError(f"the token file {file} cannot be read: {reason}") from error
    asked = os.environ.get(VARIABLE)
    return None if asked is None else Token(asked)


def is_local(host: str) -> bool:
    """Tell whether only this machine can reach an address.

    >>> is_local("127.0.0.1"), is_local("::1"), is_local("0.0.0.0"), is_local("example.org")
    (True, True, False, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_exposure(host: str, *, token: Token | None, insecure: bool) -> None:
    """Raises ServeError where anyone on the network could ask without a token."""
    if not (is_local(host) or token or insecure):
        raise ServeError(
            f"{host} can be reached from other machines and no token is set: set {VARIABLE} or "
            f"give --token-file FILE ({HOW}), or say --insecure where something in front keeps "
            "strangers out"
        )


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at the address; port 0 takes a free one. Raises ServeError.

    Who connects from now on is answered when the server runs, and not refused.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ServeError(
            f"{host}:{port} is no address to listen on: {error.strerror or error}"
        ) from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(WAITING)
    except OSError as error:
        bound.close()
        raise ServeError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; --port names another, 0 a "
            "free one"
        ) from error
    return bound


def is_welcome(headers: Mapping[str, str], *, local: bool) -> bool:
    """Tell whether a request was meant for this server, as its browser says.

    A page of another site may make a person's browser ask a server without a token: by a form
    across sites, or by a name of its own that leads to this machine (rebinding).
    """
    host = headers.get("host", "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    known = not local or name.lower() in LOCAL_NAMES
    return known and headers.get("sec-fetch-site", "none") not in ("cross-site", "same-site")


def address_of(listening: socket.socket) -> str:
    """Give the address at which a browser finds the server."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
