import hashlib
import io
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support import downloads as serving
from support.downloads import BODY, Server

from experiments.data import downloads
from experiments.data.downloads import fetch

server = serving.server  # the fixture

SUM = hashlib.sha256(BODY).hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECURRENT_SEARCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "downloads"


def failure(url: str, sha256: str | None = SUM) -> str:
    with pytest.raises(ValueError) as error:
        fetch(url, sha256, "text.txt")
    assert "\n" not in str(error.value)
    return str(error.value)


def by_hand(folder: Path, name: str, content: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"text.txt.lock"}


def test_the_right_sum(server: Server, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert fetch(server.url, SUM, "text.txt", 1_000) == folder / "text.txt"
    assert (folder / "text.txt").read_bytes() == BODY
    assert files(folder) == {"text.txt"}
    assert fetch(server.url, SUM, "text.txt") == folder / "text.txt"
    assert server.asked == [None]
    assert capfd.readouterr() == ("", "")


def test_the_wrong_sum(server: Server, folder: Path) -> None:
    assert failure(server.url, OTHER) == f"text.txt: expected {server.url} with sha256 {OTHER}, got sha256 {SUM}"
    assert files(folder) == set()
    fetch(server.url, SUM, "text.txt")
    assert server.asked == [None, None]


def test_a_broken_connection_is_resumed(server: Server, folder: Path) -> None:
    server.breaks = [400]
    fetch(server.url, SUM, "text.txt")
    assert server.asked == [None, "bytes=400-"]
    assert server.sent == [400, 600]
    assert files(folder) == {"text.txt"}


def test_a_connection_broken_twice_is_resumed_by_the_next_call(server: Server, folder: Path) -> None:
    server.breaks = [400, 300]
    assert failure(server.url) == (
        f"text.txt: expected to download it from {server.url}, got 700 of 1,000 bytes; "
        f"run it again to resume, or put the file at {folder / 'text.txt'} by hand"
    )
    assert (folder / "text.txt.part").read_bytes() == BODY[:700]
    fetch(server.url, SUM, "text.txt")
    assert server.asked == [None, "bytes=400-", "bytes=700-"]
    assert server.sent == [400, 300, 300]


def test_a_broken_chunked_answer_is_not_taken_for_the_whole(server: Server) -> None:
    server.chunked = True  # without the last, empty chunk
    assert "got 0 bytes; put the file at" in failure(server.url)
    assert len(server.asked) == 2


def test_a_server_that_ignores_range(server: Server, folder: Path) -> None:
    server.breaks, server.ranges = [400], False
    fetch(server.url, SUM, "text.txt")
    assert server.asked == [None, "bytes=400-"]
    assert server.sent == [400, 1_000]


@pytest.mark.parametrize("length", [1_000, 1_200])
def test_a_part_that_the_server_cannot_continue(server: Server, folder: Path, length: int) -> None:
    by_hand(folder, "text.txt.part", b"x" * length)
    fetch(server.url, SUM, "text.txt")
    assert server.asked == [f"bytes={length}-", None]  # the first is answered with 416


def test_an_answer_from_another_place_is_not_used(server: Server, folder: Path) -> None:
    by_hand(folder, "text.txt.part", BODY[:400])
    server.offset = 5
    fetch(server.url, SUM, "text.txt")
    assert server.asked == ["bytes=400-", None]


def test_a_part_of_another_file_is_deleted(server: Server, folder: Path) -> None:
    by_hand(folder, "text.txt.part", b"x" * 400)
    wrong = hashlib.sha256(b"x" * 400 + BODY[400:]).hexdigest()
    assert failure(server.url) == f"text.txt: expected {server.url} with sha256 {SUM}, got sha256 {wrong}"
    assert files(folder) == set()


@pytest.mark.parametrize(("status", "name"), [(404, "Not Found"), (500, "Internal Server Error"), (416, "Requested")])
def test_a_refusal(server: Server, folder: Path, status: int, name: str) -> None:
    server.status = status
    start = f"text.txt: expected to download it from {server.url}, got HTTP {status} {name}"
    assert failure(server.url).startswith(start)
    assert failure(server.url).endswith(f"; put the file at {folder / 'text.txt'} by hand")
    assert server.asked == [None, None]  # one a call


def test_a_refusal_leaves_the_part(server: Server, folder: Path) -> None:
    by_hand(folder, "text.txt.part", BODY[:400])
    server.status = 503
    assert "got HTTP 503 Service Unavailable; run it again to resume, or put" in failure(server.url)
    server.status = 0
    fetch(server.url, SUM, "text.txt")
    assert server.sent == [600]


def test_offline(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/text.txt"
    assert failure(url) == (
        f"text.txt: expected to download it from {url}, got Connection refused; "
        f"put the file at {folder / 'text.txt'} by hand"
    )
    by_hand(folder, "text.txt", BODY)
    assert fetch(url, SUM, "text.txt") == folder / "text.txt"


def test_a_server_that_does_not_answer(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "SILENCE_SECONDS", 0.1)
    server.answering.clear()
    assert f"from {server.url}, got timed out; put" in failure(server.url)


def test_a_damaged_file_is_named_and_kept(server: Server, folder: Path) -> None:
    path = fetch(server.url, SUM, "text.txt")
    path.write_bytes(b"other")
    assert failure(server.url) == (
        f"text.txt: expected {path} with sha256 {SUM}, got sha256 {OTHER}; delete it to download it again"
    )
    assert path.read_bytes() == b"other"
    path.unlink()
    assert fetch(server.url, SUM, "text.txt").read_bytes() == BODY
    assert server.asked == [None, None]


def test_a_file_put_there_by_hand(server: Server, folder: Path) -> None:
    by_hand(folder, "text.txt", BODY)
    assert fetch(server.url, SUM, "text.txt").read_bytes() == BODY
    assert "got sha256" in failure(server.url, OTHER)
    assert files(folder) == {"text.txt"}
    assert server.asked == []


def test_a_file_is_verified_once(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_hand(folder, "text.txt", BODY)
    fetch(server.url, SUM, "text.txt")
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("read again"))
    fetch(server.url, SUM, "text.txt")


def test_an_unknown_sum_is_pinned(server: Server, folder: Path) -> None:
    path, pin = fetch(server.url, None, "text.txt"), folder / "text.txt.sha256"
    assert pin.read_text() == f"{SUM}\n"
    assert fetch(server.url, None, "text.txt") == path
    assert server.asked == [None]
    server.body = b"other"
    path.unlink()
    pinned = f"with sha256 {SUM} (pinned in {pin}), got sha256 {OTHER}"
    assert failure(server.url, None) == f"text.txt: expected {server.url} {pinned}"
    assert files(folder) == {"text.txt.sha256"}
    path.write_bytes(b"other")
    assert failure(server.url, None) == f"text.txt: expected {path} {pinned}; delete it to download it again"
    pin.unlink()
    fetch(server.url, None, "text.txt")
    assert pin.read_text() == f"{OTHER}\n"


def test_threads_download_once(server: Server, folder: Path) -> None:
    server.delay = 0.2
    together = threading.Barrier(3)

    def start() -> None:
        together.wait()
        found.append(fetch(server.url, SUM, "text.txt"))

    found: list[Path] = []
    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [folder / "text.txt"] * 3
    assert server.asked == [None]


def test_processes_download_once(server: Server, folder: Path) -> None:
    server.answering.clear()
    code = "import sys; from experiments.data.downloads import fetch; print(1, flush=True); fetch(*sys.argv[1:])"
    command = [sys.executable, "-c", code, server.url, SUM, "text.txt"]
    root = Path(downloads.__file__).parents[1]
    processes = [subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE) for _ in range(2)]
    for process in processes:
        assert process.stdout and process.stdout.readline()  # both are about to fetch
    threading.Event().wait(0.3)
    server.answering.set()
    for process in processes:
        process.communicate(timeout=20)
        assert process.returncode == 0
    assert server.asked == [None]
    assert files(folder) == {"text.txt"}


def test_a_bar_on_a_terminal(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    fetch(server.url, SUM, "text.txt")
    assert "text.txt" in sys.stderr.getvalue()
    assert "1.0/1.0 kB" in sys.stderr.getvalue()


def test_a_folder_that_cannot_be_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_hand(folder.parent, "downloads", b"")
    assert failure("http://127.0.0.1/") == f"text.txt: expected to keep it in {folder}, got File exists"
    monkeypatch.setattr(downloads, "cache_folder", lambda name: None)
    assert failure("http://127.0.0.1/") == (
        "text.txt: expected a cache folder for it, got no home folder: set RECURRENT_SEARCH_CACHE"
    )


def test_importing_starts_nothing() -> None:
    code = "import sys, experiments.data.corpora; print('urllib.request' in sys.modules, 'filelock' in sys.modules)"
    root = Path(downloads.__file__).parents[1]
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert run.stdout == "False False\n"
