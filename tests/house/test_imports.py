"""Imports go one way between the rooms, and in no circle between files. Heavy packages are imported late."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# From left to right: a room may import the rooms to its right, those of one row not each other.
ROWS = (
    ("experiments.benchmarks",),
    ("experiments.cli", "experiments.api"),
    ("experiments.launcher",),
    ("experiments.engines",),
    ("experiments.worker",),
    ("experiments.strategy", "experiments.training"),
    ("experiments.config",),
    ("experiments.tasks",),
    ("experiments.data",),
    ("experiments.system",),
    ("tracking", "search_spaces"),
)
PLACES = {room: place for place, row in enumerate(ROWS) for room in row}
HOUSE = ("experiments", "search_spaces", "tracking", "tests")
ROOT_FILES = {"experiments", "experiments.__main__", "experiments.errors"}
# Asks Optuna which values of a finished search matter, and proposes nothing.
ASKS_OPTUNA = "tracking.report.study"
# They write and read the files of models in each format.
WRITE_MODELS = ("tracking.deploy", "tracking.formats")
TUNING = {"keras", "keras_tuner", "optuna", "tensorflow"}
HEAVY = {*TUNING, "mlflow"}


@cache
def modules() -> dict[str, Path]:
    """Every module of ours by its dotted name."""
    found = {}
    for folder in HOUSE[:3]:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


def room(module: str) -> str:
    """The room of a module; "" for the files beside the rooms."""
    return next((name for name in PLACES if module == name or module.startswith(f"{name}.")), "")


def imports(text: str, package: str) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything that a text imports, inside functions and for type checks too."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            above = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            base = ".".join(filter(None, [above, node.module]))
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from ((node.lineno, name) for name in names)


def module_of(name: str) -> str:
    """The module that `name` lies in: itself, or the one that holds it."""
    while name and name not in modules() and name != "tests":
        name = name.rpartition(".")[0]
    return name


def imported(module: str) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import in a module of ours."""
    path = modules()[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return imports(path.read_text("utf-8"), package)


def edges(module: str) -> Iterator[tuple[int, str]]:
    """(line, module) of every import of ours in a module of ours."""
    return ((line, module_of(name)) for line, name in imported(module) if name.split(".")[0] in HOUSE)


def allowed(here: str, there: str) -> bool:
    """Whether a module of ours may import another."""
    if there.split(".")[0] == "tests" or room(there) == "experiments.benchmarks" != room(here):
        return False
    if here in ROOT_FILES:
        return True
    if not room(there):  # a package's own __init__
        return there == "experiments"
    return room(here) == room(there) or PLACES[room(here)] < PLACES[room(there)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import tracking.store", [(1, "tracking.store")]),
        ("def f():\n    from a.b import c, d", [(2, "a.b.c"), (2, "a.b.d")]),
        ("class C:\n    try:\n        import a\n    finally:\n        pass", [(3, "a")]),
        ("if TYPE_CHECKING:\n    from a import b\nelse:\n    import c", [(2, "a.b"), (4, "c")]),
        ("from . import a\nfrom ..cells import b", [(1, "experiments.tasks.a"), (2, "experiments.cells.b")]),
    ],
)
def test_imports_are_found_in_a_text(text: str, found: list[tuple[int, str]]) -> None:
    assert sorted(imports(text, "experiments.tasks")) == found


@pytest.mark.parametrize(
    ("here", "there", "fine"),
    [
        ("experiments.worker.tuner", "experiments.strategy.oracle", True),
        ("experiments.strategy.oracle", "experiments.worker.tuner", False),
        ("experiments.strategy.oracle", "experiments.training.scoring", False),
        ("tracking.runs", "search_spaces.recurrent", False),
        ("search_spaces.recurrent", "experiments.tasks.base", False),
        ("experiments.cli.main", "experiments.benchmarks.scale", False),
        ("experiments.benchmarks.scale", "experiments.cli.tables", True),
        ("experiments.config.spec", "tracking.journal", True),
        ("experiments.config.spec", "tests.searching", False),
    ],
)
def test_the_rule_itself(here: str, there: str, fine: bool) -> None:
    assert allowed(here, there) is fine


def test_every_file_has_a_room() -> None:
    assert [name for name in modules() if not room(name) and name not in ROOT_FILES] == []


@pytest.mark.parametrize("module", modules())
def test_imports_go_one_way(module: str) -> None:
    wrong = [
        f"{modules()[module].relative_to(ROOT)}:{line}: {room(module) or module} may not import {there}"
        for line, there in edges(module)
        if not allowed(module, there)
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The modules of a circle, the first one at both ends; [] if there is none."""
    done: set[str] = set()

    def walk(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        for there in sorted(graph.get(module, ())):
            if found := walk(there, [*path, module]):
                return found
        done.add(module)
        return []

    return next((found for module in sorted(graph) if (found := walk(module, []))), [])


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_circle_between_files() -> None:
    graph = {module: {there for _, there in edges(module) if there != module} for module in modules()}
    assert circle(graph) == []


@pytest.mark.parametrize("module", [module for module in modules() if room(module) == "tracking"])
def test_tracking_never_sees_a_tuner(module: str) -> None:
    allowed = {"keras", "tensorflow"} if module.startswith(WRITE_MODELS) else set()
    seen = TUNING - allowed - ({"optuna"} if module == ASKS_OPTUNA else set())
    assert [(line, name) for line, name in imported(module) if name.split(".")[0] in seen] == []


def loaded(*names: str) -> set[str]:
    """Every module that a fresh process has in memory because it has imported `names`."""
    code = (
        "import importlib, sys\nbefore = set(sys.modules)\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\nprint(*set(sys.modules) - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, *names], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def packages(modules: set[str]) -> set[str]:
    return {name.split(".")[0] for name in modules} - sys.stdlib_module_names


def test_the_package_alone_loads_nothing_else_of_ours() -> None:
    assert {name for name in loaded("experiments") if name.split(".")[0] in HOUSE} == {"experiments"}


# The text of a file does not show what comes in through a file of ours that it imports. These processes do.
def test_tasks_and_corpora_load_numpy_alone() -> None:
    light = [module for module in modules() if room(module) in {"experiments.tasks", "experiments.data"}]
    found = {name for name in packages(loaded(*light)) if "cython" not in name}  # NumPy's own, compiled into it
    assert found == {"numpy", "experiments", "tracking"}


def test_the_command_line_starts_without_heavy_packages() -> None:
    assert not packages(loaded("experiments.cli.main")) & HEAVY


def test_tracking_loads_no_tuner() -> None:
    assert not packages(loaded(*(module for module in modules() if room(module) == "tracking"))) & TUNING
