"""A file holds one thing, and a function one step of it: neither may grow without a reason."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path for folder in ("experiments", "search_spaces", "tracking") for path in (ROOT / folder).rglob("*.py")
)
MOST_OF_FILE, MOST_OF_FUNCTION = 250, 40  # lines
REASON = "Long because "  # a docstring with this says why the file or the function is longer


def too_long(text: str) -> Iterator[str]:
    """What is longer than it may be, without a reason in its docstring: "the file", or the name of a function."""
    tree = ast.parse(text)
    if len(text.splitlines()) > MOST_OF_FILE and REASON not in (ast.get_docstring(tree) or ""):
        yield f"the file, {len(text.splitlines())} lines"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines > MOST_OF_FUNCTION and REASON not in (ast.get_docstring(node) or ""):
                yield f"{node.name}, {lines} lines"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x = 1\n" * 250, []),
        ("x = 1\n" * 251, ["the file, 251 lines"]),
        ('"""Long because it is a table."""\n' + "x = 1\n" * 251, []),
        ("def f():\n" + "    x = 1\n" * 39, []),
        ("class C:\n    def f(self):\n" + "        x = 1\n" * 40, ["f, 41 lines"]),
        ('def f():\n    """Long because."""\n' + "    x = 1\n" * 40, ["f, 42 lines"]),
        ('def f():\n    """Long because of its rows."""\n' + "    x = 1\n" * 40, []),
    ],
)
def test_what_is_too_long_is_found_in_a_text(text: str, found: list[str]) -> None:
    assert list(too_long(text)) == found


def test_no_file_and_no_function_is_too_long() -> None:
    assert [f"{path.relative_to(ROOT)}: {one}" for path in SOURCES for one in too_long(path.read_text("utf-8"))] == []
