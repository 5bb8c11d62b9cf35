"""Help and `recurrent tasks` are quick and complete."""

import argparse
import dataclasses
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.searching import Recurrent, environment, run, with_floors

from experiments.cli import main as cli
from experiments.cli.commands import search as search_command

HEAVY = {"tensorflow", "keras", "keras_tuner", "mlflow", "optuna", "pandas", "sklearn"}
COMMANDS = tuple(cli.names())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_floors(tmp_path_factory, tmp_path_factory.mktemp("place").resolve())


answering = pytest.mark.parametrize(
    "words",
    [("--help",), ("tasks",), ("tasks", "--json"), *((command, "--help") for command in COMMANDS)],
    ids=" ".join,
)


@answering
def test_answers_in_half_a_second(place: Path, words: tuple[str, ...]) -> None:
    """Of processor time: what runs beside it takes its share of the cores."""
    seconds = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "experiments", *words], cwd=place, env=environment(place), capture_output=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
        assert (done.returncode, done.stderr) == (0, b"")
        if seconds[-1] < 0.5:
            break
    assert min(seconds) < 0.5


@answering
def test_answers_at_once(place: Path, words: tuple[str, ...]) -> None:
    """Nothing is imported that takes long, and nothing that was counted before is counted again."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "experiments", *words],
        cwd=place,
        env=environment(place),
        capture_output=True,
        text=True,
    )
    lines = done.stderr.splitlines()
    assert done.returncode == 0 and all(line.startswith("import time:") for line in lines)
    imported = {line.rsplit("|", 1)[1].strip().split(".")[0] for line in lines}
    assert "experiments" in imported
    slow = {
        "filelock",
        "keras",
        "keras_tuner",
        "matplotlib",
        "mlflow",
        "optuna",
        "pandas",
        "rich",
        "scipy",
        "sqlalchemy",
        "tensorflow",
    }
    assert not imported & (slow if words[0] == "tasks" else slow | {"numpy"})
    assert "pydoc_data" not in imported, "the floors of texts are kept"


@pytest.mark.parametrize("words", [["--help"], ["tasks"], ["tasks", "char_lm"], ["search", "--help"]], ids=" ".join)
def test_answers_without_heavy_imports(place: Path, words: list[str]) -> None:
    program = (
        "import sys\nfrom experiments.cli.main import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\nprint(*sys.modules, file=sys.stderr)"
    )
    done = run(*words, cwd=place, program=("-c", program))
    assert done.stdout
    assert "experiments.cli" in done.stderr.split()
    assert not HEAVY & {name.split(".")[0] for name in done.stderr.split()}


def options() -> list[tuple[str, argparse.Action]]:
    """(command, option) of everything that can be given."""
    top, _ = cli.parser()
    (commands,) = [action for action in top._actions if isinstance(action, argparse._SubParsersAction)]
    assert tuple(commands.choices) and set(commands.choices) == set(COMMANDS)
    return [(name, action) for name, parser in commands.choices.items() for action in parser._actions]


@pytest.mark.parametrize(
    ("command", "action"), [pytest.param(*pair, id=f"{pair[0]} {pair[1].dest}") for pair in options()]
)
def test_every_option_has_help_and_its_default(command: str, action: argparse.Action) -> None:
    assert action.help and action.help != argparse.SUPPRESS
    switch = action.nargs == 0 or action.required or action.dest == "options"
    if switch or not action.option_strings:
        return
    assert "default" in action.help, action.option_strings
    default = search_command.DEFAULTS.get(action.dest) if command == "search" else None
    default = default if action.default is None else action.default
    if default not in (None, "", dataclasses.MISSING):
        assert str(default) in action.help


def test_help_shows_the_whole_contract(recurrent: Recurrent, tmp_path: Path) -> None:
    def rendered(*words: str) -> str:
        done = recurrent(*words, "--help", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    shown = rendered("search")
    contract = "-o --cells --depth --width --mixed --learning-rate --dropout --batch --epochs --trials --executions"
    contract += " --recipe --init --bias --clip --optimizer --residual --bidirectional"
    for flag in [*contract.split(), "--oracle", "--workers", "--seed", "--name", "--resume", "--tracking-uri", "TASK"]:
        assert flag in shown
    said = " ".join(shown.split())  # help is wrapped
    for default in ("1:3", "16:128", "1e-4:1e-2", "64", "tpe", "auto"):
        assert f"(default: {default})" in said
    for command in ("results", "ui", "export"):
        assert "--tracking-uri" in rendered(command)
    assert "--port" in rendered("ui") and "--to" in rendered("export")
    for flag in ("--prompt", "--length", "--temperature", "--top-k", "--top-p", "--seed"):
        assert flag in rendered("sample")
    top = rendered()
    assert all(command in top for command in COMMANDS)


def test_the_console_command_is_installed(place: Path) -> None:
    command = shutil.which("recurrent", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    assert command, "pip install -e . makes it"
    done = subprocess.run([command, "tasks"], cwd=place, env=environment(place), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == run("tasks", cwd=place).stdout
