"""A local server of one file. It can break off, refuse, wait, and answer from another place than was asked for."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

BODY = bytes(range(250)) * 4  # 1,000 bytes


class Handler(BaseHTTPRequestHandler):
    server: "Server"

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers["Range"]
        server.asked.append(wanted)
        server.answering.wait(10)
        threading.Event().wait(server.delay)
        first = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and server.ranges else 0
        if server.status or first >= len(server.body):
            self.send_error(server.status or 416)
            return
        self.send_response(206 if first else 200)
        first += server.offset if first else 0
        rest = server.body[first:]
        if server.offset or first:
            self.send_header("Content-Range", f"bytes {first}-{len(server.body) - 1}/{len(server.body)}")
        if server.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        rest = rest[: server.breaks.pop(0)] if server.breaks else rest
        server.sent.append(len(rest))
        self.wfile.write(b"%x\r\n%b\r\n" % (len(rest), rest) if server.chunked else rest)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Serves `body` at every path. `asked` has the Range header of each request, `sent` the bytes of each answer."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/text.txt"
        self.body = BODY
        self.status = 0  # an error to answer with
        self.ranges = True
        self.breaks: list[int] = []  # the bytes after which each of the next answers breaks off
        self.offset = 0  # bytes by which a partial answer starts too late
        self.chunked = False
        self.delay = 0.0  # seconds
        self.answering = threading.Event()  # requests wait until it is set
        self.answering.set()
        self.asked: list[str | None] = []
        self.sent: list[int] = []


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.answering.set()
        server.shutdown()
