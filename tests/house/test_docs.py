"""What README.md and the pages in docs/ show works: commands, Python, links, pictures, names."""

import itertools
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from support.cards import SCHEMA, checked_card
from support.old_search import OLD, unpacked
from support.searching import NotRefused, Recurrent, run, text

from experiments.cli import main as cli

ROOT = Path(__file__).parents[2]
README, OPTIONS, RECORD, CARD = "README.md", "docs/options.md", "docs/record.md", "docs/model-json.md"
PAGES = {
    str(path.relative_to(ROOT)): path.read_text("utf-8") for path in (ROOT / README, *sorted(ROOT.glob("docs/*.md")))
}
PROSE = {**PAGES, "CONTRIBUTING.md": (ROOT / "CONTRIBUTING.md").read_text("utf-8")}
LONGEST = {README: 150, "CONTRIBUTING.md": 60}  # lines
# Behind the words of a search these make it small: of two equal options the later one counts.
SMALL = shlex.split("--epochs 1 --trials 2 --depth 1 --width 4 --batch 8 --workers 1 --executions 1 --time-limit none")
FEW = shlex.split("-o train=64 -o val=16 -o test=16")
# What a card has of some tasks or models only.
SOMETIMES = {"vocabulary", "unknown", "classes", "lines", "words", "padding", "final", "trained", "units", "lower"}
SOMETIMES |= {"class_files", "window", "x_mean", "x_deviation", "y_mean", "y_deviation"}
SOMETIMES |= {"mean", "deviation", "source_vocabulary", "target_vocabulary", "source_steps", "target_steps"}
SOMETIMES |= {"context", "season", "columns", "time", "series_by", "scales", "anchor"}
NAMES = [
    f"{first}{last}" for first in ("An", "Be", "Ka", "Lo", "Mi") for last in ("bel", "den", "lia", "ra", "ron", "to")
]
SERVERS = {"ui", "http://localhost:5000"}  # in commands that are parsed alone
MISTAKE = ["search", "adding", "--cells", "lsmt"]  # is shown for its error


def steps(page: str) -> list[list[str] | str]:
    """The words of each command and the text of each Python block of a page, in order."""
    found: list[list[str] | str] = []
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", PAGES[page], re.DOTALL | re.MULTILINE):
        prompt = "$ " if block.startswith("$ ") else ""  # what has none is output then
        lines = [line.removeprefix(prompt) for line in block.splitlines() if line.startswith(f"{prompt}recurrent ")]
        found += [block] if language == "python" else [shlex.split(line.split("  #")[0])[1:] for line in lines]
    return found


def python(page: str) -> list[str]:
    return [step for step in steps(page) if isinstance(step, str)]


# Each command once, with the page that shows it first.
COMMANDS = {shlex.join(step): step for page in PAGES for step in steps(page) if not isinstance(step, str)}


def called(name: str) -> list[str]:
    return [line for line, words in COMMANDS.items() if words[0] == name]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_parses(line: str) -> None:
    assert cli.parse(COMMANDS[line]).command == COMMANDS[line][0]


def test_every_command_is_shown() -> None:
    assert {words[0] for words in COMMANDS.values()} == set(cli.names())
    assert set(re.findall(r"^\| `recurrent (\w+)", PAGES[OPTIONS], re.MULTILINE)) == set(cli.names())


@pytest.mark.parametrize("name", cli.names())
def test_every_option_is_described(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main([name, "--help"])
    flags = re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.MULTILINE)
    told = PAGES[OPTIONS] + PAGES["docs/budgets.md"]
    assert [flag for flag in flags if f"`{flag}" not in told] == []


@pytest.mark.parametrize("page", PROSE)
def test_links_lead_somewhere(page: str) -> None:
    prose = re.sub(r"^```.*?^```", "", PROSE[page], flags=re.DOTALL | re.MULTILINE)
    for link in re.findall(r"\]\(([^)]+)\)", prose):
        place, _, anchor = link.partition("#")
        target = ((ROOT / page).parent / place).resolve()
        assert target.exists(), link
        assert not anchor or anchor in anchors(str(target.relative_to(ROOT))), link


def anchors(page: str) -> set[str]:
    """The headings of a page, as GitHub turns them into anchors."""
    titles = re.findall(r"^#+ (.+)$", PROSE[page], re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_pictures_are_there() -> None:
    pictures = [(page, name) for page in PAGES for name in re.findall(r"!\[.*?\]\((.*?)\)", PAGES[page])]
    assert sum(page == README for page, _ in pictures) >= 2
    for page, picture in pictures:
        assert ((ROOT / page).parent / picture).stat().st_size > 10_000


def test_every_page_is_linked_and_the_first_ones_are_short() -> None:
    assert [page for page in PAGES if page != README and f"]({page})" not in PAGES[README]] == []
    assert {
        page: len(PROSE[page].splitlines()) for page in LONGEST if len(PROSE[page].splitlines()) > LONGEST[page]
    } == {}


def test_the_tree_is_that_of_the_project() -> None:
    """What the README's tree names is there, and every room stands in it."""
    (tree,) = re.findall(r"^```\n(experiments/.*?)^```", PAGES[README], re.DOTALL | re.MULTILINE)
    place, shown = Path(), set()
    for line in tree.splitlines():
        name = line.split()[0]
        place = place if line.startswith(" ") else Path(name)
        shown.add(place / name if line.startswith(" ") else place)
    assert [str(path) for path in shown if not (ROOT / path).exists()] == []
    assert {path.parent.relative_to(ROOT) for path in ROOT.glob("experiments/*/__init__.py")} <= shown


@pytest.fixture
def own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the files that a reader has: texts, and what the page of own data makes."""
    folder = tmp_path.resolve()
    monkeypatch.chdir(folder)
    (folder / "my.txt").write_text("The " + text(3_000, seed=0), "utf-8")
    (folder / "names.txt").write_text("\n".join(NAMES * 40), "utf-8")
    rows = [" ".join(symbols) for symbols in itertools.permutations("abcdef", 4)]
    (folder / "sorting.tsv").write_text("\n".join(f"{row}\t{' '.join(sorted(row.split()))}" for row in rows), "utf-8")
    steps = np.arange(4_000)[None]
    np.savez(folder / "series.npz", x=np.sin(steps / 9.0).astype(np.float32)[..., None], y=steps // 28 % 2)
    data, _, task = python("docs/own-data.md")
    exec(compile(data, "docs/own-data.md", "exec"), {})
    exec(compile(python("docs/tasks.md")[0], "docs/tasks.md", "exec"), {})
    (folder / "my_task.py").write_text(task, "utf-8")
    (study,) = re.findall(r"^```toml\n(.*?)^```", PAGES[OPTIONS], re.DOTALL | re.MULTILINE)
    (folder / "study.toml").write_text(study, "utf-8")
    return folder


@pytest.mark.parametrize("line", called("search"))
def test_every_search_would_begin(recurrent: Recurrent, own_files: Path, line: str) -> None:
    if COMMANDS[line] == MISTAKE:
        done = recurrent(*MISTAKE, cwd=own_files)
        assert done.returncode == 2 and f"\n{done.stderr}" in PAGES[OPTIONS]
        return
    with pytest.raises(NotRefused):
        recurrent(*smaller(COMMANDS[line]), cwd=own_files)


def smaller(words: list[str]) -> list[str]:
    """A search that takes seconds: the same, with few data and small models. Texts are small already."""
    if "--budget" in words:  # it takes neither --trials nor --time-limit
        first, last = SMALL[: SMALL.index("--trials")], SMALL[SMALL.index("--depth") : SMALL.index("--time-limit")]
        return [*words, *FEW, *first, *last, "--budget", "15s"]
    if not words[1].endswith("_lm"):
        return [*words, *FEW, *SMALL]
    return [*words, *([] if "-o" in words else ["-o", "corpus=my.txt"]), *SMALL]


@pytest.mark.parametrize("line", called("tasks"))
def test_every_description_of_a_task_is_printed(recurrent: Recurrent, own_files: Path, line: str) -> None:
    done = recurrent(*COMMANDS[line], cwd=own_files)
    assert (done.returncode, done.stderr) == (0, "")
    shown = re.findall(
        rf"^\$ recurrent {re.escape(line)}\n(.*?)(?=^\$|^```)", "".join(PAGES.values()), re.DOTALL | re.MULTILINE
    )
    assert {text for block in shown for text in block.splitlines()} - {"…"} <= set(done.stdout.splitlines())


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the search `old`, which an earlier version has made."""
    return unpacked(tmp_path_factory.mktemp("old"))


def described(page: str) -> set[str]:
    """The names in the first columns of a page's tables."""
    rows = re.findall(r"^\| (`.*?) \|", PAGES[page], re.MULTILINE)
    return {name for row in rows for name in re.findall("`(.+?)`", row)}


def test_the_schema_of_results(recurrent: Recurrent, old: Path) -> None:
    found = json.loads(recurrent("results", "old", "--json", cwd=old).stdout)
    (listed,) = json.loads(recurrent("results", "--json", cwd=old).stdout)
    assert {*found, *found["trials"][0], *found["cells"][0], *listed} == described("docs/results-json.md")


def test_the_schema_of_a_card(recurrent: Recurrent, old: Path) -> None:
    done = recurrent("export", "old", "--to", "best", cwd=old)
    assert (done.returncode, done.stderr) == (0, "")
    card = checked_card(old / "best")
    schema = json.loads(SCHEMA.read_text("utf-8"))
    assert {*schema["properties"]} - {"final", "trained", "class_files"} == {*schema["required"]} == set(card)
    assert described(CARD) - SOMETIMES == set(card)


def test_the_horizon_is_drawn(recurrent: Recurrent, old: Path) -> None:
    done = recurrent("horizon", "old", cwd=old)
    assert (done.returncode, done.stderr) == (0, "") and (old / "old-horizon.png").exists()


def test_the_names_in_the_record() -> None:
    """Every metric, parameter and tag that a trial's journal becomes stands on the page of the record."""
    from tracking.values import batch

    journal = (OLD / "searches" / "old" / "trials" / "0000" / "journal.jsonl").read_text("utf-8")
    metrics, params, tags = batch([json.loads(line) for line in journal.splitlines()], 0, "accuracy")
    names = {re.sub(r"^hp/(?!log10).*", "hp/NAME", metric.key).replace("accuracy", "METRIC") for metric in metrics}
    names = {name.replace("/init_", "/") for name in names} | {param.key for param in params}
    names |= {re.sub(r"^recurrent\.value\..*", "recurrent.value.NAME", tag.key) for tag in tags}
    assert names - set(re.findall("`(.+?)`", PAGES[RECORD])) == set()


def test_the_space_runs_under_keras_tuners_own_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = (code for code in python("docs/api.md") if "keras_tuner.RandomSearch" in code)
    assert len(example.strip().splitlines()) <= 10
    exec(compile(example, "docs/api.md", "exec"), {})
    assert re.search(r"'cell': '(lstm|gru)'", capsys.readouterr().out)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_a_page_from_its_first_line_to_its_last(own_files: Path, page: str) -> None:
    """Each command and each Python block, small, as a reader would type them; what other pages begin is there."""
    begun = [words for words in map(COMMANDS.get, called("search")) if words and words not in steps(page)]
    for words in begun:
        if searched(words) & {step[1] for step in steps(page) if step[1:] and step[0] != "search"}:
            check(smaller(words), own_files)
    space: dict[str, object] = {}
    for step in steps(page):
        if isinstance(step, list) and not SERVERS & set(step) and step != MISTAKE:
            check(smaller(step) if step[0] == "search" else step, own_files)
        elif isinstance(step, str) and "(Task)" not in step:
            exec(compile(step, page, "exec"), space)


def searched(words: list[str]) -> set[str]:
    """The name of a new search; nothing of one that goes on."""
    return {words[words.index("--name") + 1]} if "--name" in words and "--resume" not in words else set()


def check(words: list[str], folder: Path) -> None:
    done = run(*words, cwd=folder)
    assert (done.returncode, done.stderr) == (0, ""), done
