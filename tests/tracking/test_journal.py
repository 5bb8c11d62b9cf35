"""Journals: what is appended is read back, whole lines only, whatever was torn."""

import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from experiments.config.folders import SearchFolder
from tracking.errors import DataError
from tracking.journal import Journal, Tail, TrialFolders, cut_torn_line, now

LINES = b'{"event": "start", "time": 1}\n{"event": "epoch", "time": 2}\n'


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A full disk: no file grows beyond `size` bytes, and the write that meets the limit is cut short."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_append_writes_one_line_and_returns_the_event(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    before = now()
    event = journal.append("epoch", epoch=3, metrics={"loss": 0.25})
    text = journal.path.read_text()
    assert text.endswith("\n") and text.count("\n") == 1
    assert json.loads(text) == event
    assert list(event) == ["event", "time", "epoch", "metrics"]
    assert (event["event"], event["epoch"], event["metrics"]) == ("epoch", 3, {"loss": 0.25})
    assert before <= event["time"] <= now()
    assert isinstance(event["time"], int)


def test_time_is_milliseconds_since_1970() -> None:
    assert abs(now() - time.time() * 1000) < 5_000


def test_events_come_in_the_order_of_appending(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    written = [journal.append("epoch", epoch=epoch) for epoch in range(5)]
    assert Journal(journal.path).events() == written
    assert [event["epoch"] for event in journal.events()] == [0, 1, 2, 3, 4]


def test_appending_keeps_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(LINES)
    Journal(path).append("end", outcome="completed")
    assert path.read_bytes().startswith(LINES)
    assert [event["event"] for event in Journal(path).events()] == ["start", "epoch", "end"]


def test_no_file_is_no_events(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    assert journal.events() == []
    journal.repair()
    assert not journal.path.exists()


@pytest.mark.parametrize(
    "text",
    ["Ångström 漢字 😀", "two\nlines\r\nand \r more", "\u2028 \u2029 \x85 \x1c", 'quote " and \\', "\ud800", "\x00"],
)
def test_any_text_comes_back(tmp_path: Path, text: str) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("end", reason=text)
    journal.append("start")
    assert [event.get("reason") for event in journal.events()] == [text, None]
    assert journal.path.read_bytes().count(b"\n") == 2


def test_a_float_comes_back_exactly(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("epoch", low=0.1 + 0.2, tiny=5e-324, huge=1.7976931348623157e308)
    (event,) = journal.events()
    assert (event["low"], event["tiny"], event["huge"]) == (0.1 + 0.2, 5e-324, 1.7976931348623157e308)


def test_a_tail_gives_each_event_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    tail = Tail(journal.path)
    assert tail.read() == []
    first = journal.append("start")
    assert tail.read() == [first]
    assert tail.read() == []
    second, third = journal.append("epoch"), journal.append("end")
    assert tail.read() == [second, third]
    assert tail.read() == []
    assert Tail(journal.path).read() == [first, second, third]


def test_a_line_is_read_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    tail, seen = Tail(path), []
    for cut in range(len(LINES)):
        with path.open("ab") as file:
            file.write(LINES[cut : cut + 1])
        found = tail.read()
        assert len(found) == (LINES[cut : cut + 1] == b"\n"), cut
        seen += found
    assert seen == [{"event": "start", "time": 1}, {"event": "epoch", "time": 2}]


def test_whole_lines_before_a_partial_one_are_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(LINES + b'{"event": "en')
    tail = Tail(path)
    assert [event["event"] for event in tail.read()] == ["start", "epoch"]
    with path.open("ab") as file:
        file.write(b'd"}\n')
    assert tail.read() == [{"event": "end"}]


@pytest.mark.parametrize("torn", [b"{", b'{"event": "end"', b'{"event": "end"}', "é".encode()[:1], b"\x00" * 5_000])
def test_repair_cuts_off_a_torn_last_line(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(LINES + torn)
    journal = Journal(path)
    journal.repair()
    assert path.read_bytes() == LINES
    journal.append("end")
    assert [event["event"] for event in journal.events()] == ["start", "epoch", "end"]


def test_a_tail_goes_on_after_a_repair(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(LINES + b'{"event": "to')
    tail, journal = Tail(path), Journal(path)
    assert len(tail.read()) == 2
    journal.repair()
    journal.append("end")
    assert [event["event"] for event in tail.read()] == ["end"]


@pytest.mark.parametrize(
    ("content", "left", "cut"),
    [(b"", b"", False), (LINES, LINES, False), (b"\n", b"\n", False), (b"torn", b"", True), (b"a\nb", b"a\n", True)],
)
def test_cut_torn_line_says_whether_it_cut(tmp_path: Path, content: bytes, left: bytes, cut: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert cut_torn_line(path) is cut
    assert path.read_bytes() == left
    assert cut_torn_line(path) is False


def test_cutting_a_missing_file(tmp_path: Path) -> None:
    assert cut_torn_line(tmp_path / "file") is False
    assert list(tmp_path.iterdir()) == []


def test_an_event_cut_short_by_a_full_disk_is_an_error(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("start")
    with files_of_at_most(100), pytest.raises(OSError):
        journal.append("epoch", text="x" * 200)


def test_a_full_disk_costs_the_event_alone(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("start")
    with files_of_at_most(100), suppress(OSError):
        journal.append("epoch", text="x" * 200)
    journal.append("end", outcome="failed")
    assert [event["event"] for event in journal.events()] == ["start", "end"]


# ---- the folders of trials ----


def test_folders_are_found_once_as_they_come(tmp_path: Path) -> None:
    for name in ("0000", "0001", "0003"):  # a user has taken away 0002
        (tmp_path / name).mkdir()
    (tmp_path / "study.lock").touch()
    folders = TrialFolders(tmp_path)
    assert [path.name for path in folders.new()] == ["0000", "0001", "0003"]
    assert folders.new() == []
    for name in ("0005", "0004", "0002"):
        (tmp_path / name).mkdir()
    assert sorted(path.name for path in folders.new()) == ["0002", "0004", "0005"]
    assert folders.new() == []


def test_folders_beyond_four_digits_and_none_yet(tmp_path: Path) -> None:
    folders = TrialFolders(tmp_path / "trials")
    assert folders.new() == []
    for number in (0, 9_999, 10_000):
        (tmp_path / "trials" / f"{number:04d}").mkdir(parents=True)
    assert [path.name for path in folders.new()] == ["0000"]
    assert [path.name for path in TrialFolders(tmp_path / "trials").new()] == ["0000", "9999", "10000"]


@pytest.mark.parametrize("name", ["0001 copy", "0001.bak", "0001-old", "1", "20260101", "3 notes.txt", "00001"])
def test_what_a_user_puts_beside_the_trials_is_no_trial(tmp_path: Path, name: str) -> None:
    search = SearchFolder(tmp_path)
    for folder in ("0000", "0001", name):
        (tmp_path / "trials" / folder).mkdir(parents=True)
    assert [path.name for path in TrialFolders(tmp_path / "trials").new()] == ["0000", "0001"]
    assert [trial.number for trial in search.trials()] == [0, 1]


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("start")
    journal.path.write_bytes(journal.path.read_bytes() + b'{"event": "epo\n')
    with pytest.raises(DataError, match=f"^{journal.path}: expected a journal, got a damaged line: "):
        journal.events()
