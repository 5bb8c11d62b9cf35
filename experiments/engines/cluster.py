"""Looks at a Ray cluster before anything is begun: is it there, does it ask for a token, and is ours the right one?

Ray itself answers a wrong token after 20 seconds with "Failed to connect". So the head is asked here by gRPC, which
TensorFlow brings. This file does not import Ray.
"""

import importlib.util
import os
import re
import socket
from pathlib import Path
from typing import Any

import psutil

from tracking.errors import BadInput

CONNECT_SECONDS = 5.0  # longest wait for a connection to the head
ANSWER_SECONDS = 10.0  # longest wait for the head's answer
QUESTION = "/ray.rpc.NodeInfoGcsService/GetAllNodeInfo"  # any call that needs the token
MODE, TOKEN, TOKEN_FILE = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"  # Ray's variables
# The launcher itself says what happens to a node. Ray prints messages of nodes too, even with `log_to_driver=False`. It
# leaves out those that match this expression.
UNSAID = "RAY_DEDUP_LOGS_SKIP_REGEX"
TLS_FILES = ("RAY_TLS_CA_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_SERVER_CERT")


def check(address: str) -> None:
    """Raises BadInput, in one line, unless a search may use the cluster at HOST:PORT."""
    host, port = parts(address)
    if importlib.util.find_spec("ray") is None:
        raise BadInput("--engine ray: expected the package ray, got none; pip install 'recurrent-search[ray]'")
    token = _token()
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except OSError as error:
        raise BadInput(f"--address: expected the head of a Ray cluster at {address}, got: {error}") from None
    if (got := _ask(address, "")[0]) != "UNAUTHENTICATED":
        expected = "expected a cluster that asks for a token, since whoever reaches it can run code on it"
        raise BadInput(f"--address: {expected}, got {_said(got)} without one; see docs/cluster.md")
    got, nodes = _ask(address, token)
    if got != "OK":
        raise BadInput(f"--address: expected a head that takes the token of {_source()}, got {_said(got)}")
    if not _is_here(nodes):
        hint = f"`ray start --address={address}` makes it one"
        raise BadInput(f"--address: expected a node of the cluster to run on, got a machine that is none; {hint}")
    os.environ[MODE] = "token"  # Ray reads it when it is imported
    os.environ.setdefault(UNSAID, ".")


def parts(address: str) -> tuple[str, int]:
    """The host and the port of HOST:PORT. Raises BadInput."""
    match = re.fullmatch(r"([A-Za-z0-9._-]+|\[[0-9a-fA-F:]+\]):(\d{1,5})", str(address))
    if match is None or not 0 < int(match[2]) < 65536:
        client = str(address).startswith("ray:")
        more = "; a search runs on a node of the cluster, not through Ray Client" if client else ""
        raise BadInput(f"--address: expected HOST:PORT of the cluster's head, got {address!r}{more}")
    return match[1].strip("[]"), int(match[2])


def _source() -> str:
    """Where the token comes from, as Ray looks for it."""
    if os.environ.get(TOKEN):
        return TOKEN
    return os.environ.get(TOKEN_FILE) or str(Path.home() / ".ray" / "auth_token")


def _token() -> str:
    if (mode := os.environ.get(MODE, "token")).lower() != "token":
        raise BadInput(f"{MODE}: expected token, got {mode!r}; see docs/cluster.md")
    if os.environ.get(TOKEN):
        return os.environ[TOKEN].strip()
    try:
        return Path(_source()).read_text("utf-8").strip()
    except OSError:
        raise BadInput(
            f"--address: expected the cluster's token in {TOKEN} or {_source()}, got none; see docs/cluster.md"
        ) from None


def _is_here(nodes: bytes) -> bool:
    """True if this machine is one of the nodes. Ray ends the process of a launcher that runs elsewhere.

    Args:
        nodes: the head's answer, a message of Protocol Buffers. Before a text in it stands the number of its bytes.
    """
    addresses = {one.address for family in psutil.net_if_addrs().values() for one in family}
    texts = [text.encode() for text in (*addresses, socket.gethostname())]
    # All addresses 127.x.x.x are of this machine, also those that no interface lists.
    return b"127." in nodes or any(bytes([len(text)]) + text in nodes for text in texts)


def _ask(address: str, token: str) -> tuple[str, bytes]:
    """The name of the status with which the head answers a call, and the answer."""
    import grpc

    metadata = [("authorization", f"Bearer {token}")] if token else []
    with _channel(grpc, address) as channel:
        call: Any = channel.unary_unary(QUESTION)
        try:
            return "OK", call(b"", timeout=ANSWER_SECONDS, metadata=metadata)
        except grpc.RpcError as error:
            return str(error.code().name), b""


def _channel(grpc: Any, address: str) -> Any:
    """A channel to the head, by TLS if Ray's variables say so."""
    if os.environ.get("RAY_USE_TLS", "0").lower() not in ("1", "true"):
        return grpc.insecure_channel(address)
    ca, key, certificate = (Path(os.environ[name]).read_bytes() for name in TLS_FILES)
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(ca, key, certificate))


def _said(status: str) -> str:
    return {"OK": "an answer", "UNAUTHENTICATED": "a refusal"}.get(status, f"{status}, as from another server")
