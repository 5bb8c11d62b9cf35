"""What the README shows works."""

import re
import shlex
from pathlib import Path

import pytest

from experiments.cli import main as cli

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
COMMANDS = [line.split("  #")[0] for _, text in BLOCKS for line in text.splitlines() if line.startswith("recurrent ")]
PYTHON = [text for language, text in BLOCKS if language == "python"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_parses(command: str) -> None:
    words = shlex.split(command)[1:]
    assert cli.parser().parse_args(words).command == words[0]


def test_every_command_is_shown() -> None:
    shown = {command.split()[1] for command in COMMANDS}
    assert shown | {"sync"} == set(cli.names()) and "`recurrent sync NAME`" in README


def test_the_space_runs_under_keras_tuners_own_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = [text for text in PYTHON if "RandomSearch" in text]
    assert len(example.strip().splitlines()) <= 10
    exec(compile(example, "README.md", "exec"), {})
    assert re.search(r"'cell': '(lstm|gru)'", capsys.readouterr().out)


def test_pictures_are_there() -> None:
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", README)
    assert len(pictures) >= 2
    for picture in pictures:
        assert (Path(__file__).parents[2] / picture).stat().st_size > 10_000
