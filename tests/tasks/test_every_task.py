"""The contract of a task, for every task there is: a new file in experiments/tasks is tested by being there."""

import ast
import dataclasses
import inspect
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.cli.commands.tasks import shown_samples
from experiments.tasks import base
from experiments.tasks.base import NOT_SCORED, SPLITS, Task
from experiments.tasks.loading import find
from experiments.tasks.loading.digest import digest_of
from experiments.tasks.reber import Reber

TASKS = find.names()
SIZES = {"train": "400", "val": "160", "test": "150"}
HEAVY = ("tensorflow", "keras", "keras_tuner", "mlflow", "optuna", "rich", "pandas", "sklearn", "mnist1d")
SAMPLED = [name for name in TASKS if not find.task_class(name).finite_data]
FINITE = sorted(set(TASKS) - set(SAMPLED))

REASONS = {
    "char_lm": "a text has only so many characters",
    "word_lm": "a text has only so many words",
    "g2p": "a dictionary has only so many words",
    "pixels": "there are only so many images",
    "retrosynthesis": "there are only so many molecules",
    "spoken_digits": "there are only so many clips",
    "forecast": "a series has only so many values",
}
PERFECT = {"perplexity": 1}
WITHOUT_BOUND = ("listops", "pixels")  # their definitions give no score that counts as solved
# By the best n-gram model, and by the linear model that reads the whole clip.
SOLVED_AT_A_FLOOR = ("char_lm", "word_lm", "spoken_digits")
FROM_THE_SOURCE = {"forecast": ("horizon", "context", "season", "anchor")}  # 0 or auto: what is usual on the source
LINES = 120  # of a task's code, beside its docstring: a grammar has a parser, too

every_task = pytest.mark.parametrize("name", TASKS)
every_sampled_task = pytest.mark.parametrize("name", SAMPLED)
every_split = pytest.mark.parametrize("split", SPLITS)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRENT_SEARCH_CACHE", str(tmp_path / "cache"))


def small(name: str, **options: str) -> Task:
    return find.make(name, {**SIZES, **options})


def large(name: str) -> Task:
    """Enough samples for floors that are counted; molecules take long to make."""
    enough = {"train": "20000", "val": "4000"} if name in [*SAMPLED, "char_lm", "word_lm"] else {}
    return find.make(name, SIZES if name == "retrosynthesis" else enough)


def fields(name: str) -> tuple[dataclasses.Field[Any], ...]:
    """The options of a task."""
    return dataclasses.fields(find.task_class(name))


def equal(one: base.Arrays, other: base.Arrays) -> bool:
    return all(np.array_equal(left, right) for left, right in zip(one, other, strict=True))


def source(name: str) -> Path:
    return Path(inspect.getfile(find.task_class(name)))


def perfect(task: Task, y: np.ndarray) -> np.ndarray:
    """A model's outputs that are right everywhere."""
    if isinstance(task, Reber):
        return task.legal(y).astype(np.float32)
    if task.loss == "binary":
        return 50 * (2 * y - 1)
    return y if task.loss == "mse" else 50 * np.eye(task.outputs, dtype=np.float32)[y]


def test_the_tasks_are_the_files() -> None:
    assert len(TASKS) >= 14
    assert sorted(TASKS) == TASKS
    assert "base" not in TASKS and "__init__" not in TASKS
    assert len({find.task_class(name) for name in TASKS}) == len(TASKS)


@pytest.mark.parametrize("name", ["addition", "", "base", "__init__", "Adding", "../tasks/adding"])
def test_an_unknown_task_lists_the_known_ones(name: str) -> None:
    hint = "; did you mean 'adding'?" if name in ("addition", "Adding") else ""
    line = f"task: expected one of {', '.join(TASKS)}, or a file .npz, .tsv, .py, got {name!r}{hint}"
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        find.task_class(name)
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        find.make(name, {})


@every_task
def test_the_class_answers_everything(name: str) -> None:
    kind = find.task_class(name)
    assert issubclass(kind, Task) and kind.__module__ == f"experiments.tasks.{name}"
    assert kind.direction in ("min", "max")
    assert kind.loss in base.LOSSES
    assert re.fullmatch(r"[a-z0-9_]+", kind.metric)  # a part of MLflow's metric names
    assert kind.knob in {field.name for field in dataclasses.fields(kind)} - set(SPLITS)
    assert all(isinstance(value, bool) for value in (kind.per_step, kind.one_hot, kind.lengthens, kind().stream))
    assert not kind().stream or kind.per_step
    assert kind().licence


@every_task
def test_input_is_features_or_tokens(name: str) -> None:
    task = small(name)
    assert (task.features is None) != (task.tokens is None)
    assert (task.features or task.tokens) >= 1
    assert isinstance(task.outputs, int) and task.outputs >= 1


@every_task
def test_an_instance_cannot_be_changed(name: str) -> None:
    task = small(name)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(task, type(task).knob, 3)
    assert task == small(name) and hash(task) == hash(small(name))


@every_task
def test_every_option_has_a_help_text_and_a_default(name: str) -> None:
    for field in fields(name):
        assert field.default is not dataclasses.MISSING, field.name
        assert type(field.default) in (int, float, str, bool), field.name
        assert len(field.metadata["help"]) > 5, field.name


@every_task
@every_split
def test_shapes_and_types(name: str, split: str) -> None:
    task = small(name)
    x, y = task.split(split, 0)
    count = int(SIZES[split])
    if task.stream:
        assert len(x) == len(y) == count - 1  # the last character has no next one
        samples, steps = (), x.shape[:1]
    else:
        assert len(x) == len(y) == count
        samples, steps = x.shape[:1], x.shape[1:2]
    assert x.shape == (*samples, *steps, *([task.features] if task.features else []))
    assert x.dtype == (np.float32 if task.features else np.int32)
    answered = (steps[0] - task.source_steps,) if task.source_steps else steps
    answers = (*samples, *(answered if task.per_step else ()))
    assert y.shape == (answers if task.loss == "categorical" else (*answers, task.outputs))
    assert y.dtype == (np.int32 if task.loss == "categorical" else np.float32)
    assert np.isfinite(x).all() and np.isfinite(y).all()
    if task.source_steps:
        target, x = x[:, task.source_steps :], x[:, : task.source_steps]
        assert target.min() >= 0 and target.max() < task.outputs
    if task.tokens:
        assert x.min() >= 0 and x.max() < task.tokens
    if task.loss == "categorical":
        assert y.min() >= (NOT_SCORED if task.per_step else 0) and y.max() < task.outputs
    if task.loss == "binary":
        assert set(np.unique(y)) <= {NOT_SCORED, 0, 1}
    assert (y != NOT_SCORED).any()


@every_task
@every_split
def test_the_same_seed_gives_the_same_arrays(name: str, split: str) -> None:
    first = small(name).split(split, 7)
    np.random.seed(1)
    state = np.random.get_state()[1].tolist()
    small(name).split("test", 3)
    assert equal(small(name).split(split, 7), first)
    assert np.random.get_state()[1].tolist() == state, "the global generator has no part in it"


@pytest.mark.parametrize("name", FINITE)
def test_finite_data_know_no_seed(name: str) -> None:
    zero, *others = (small(name).split("train", seed) for seed in (0, 1, 2**32))
    assert all(equal(zero, other) for other in others)


@every_sampled_task
def test_another_seed_gives_other_arrays(name: str) -> None:
    zero, *others = (small(name).split("train", seed) for seed in (0, 1, 2, 2**32, 2**63))
    for other in others:
        assert not equal(zero, other)
        assert np.mean(zero[0] == other[0]) < 0.999


@every_task
def test_the_splits_differ(name: str) -> None:
    task = small(name, train="150", val="150")
    arrays = [task.split(split, 0) for split in SPLITS]
    assert not equal(arrays[0], arrays[1])
    assert not equal(arrays[0], arrays[2])
    assert not equal(arrays[1], arrays[2])


@every_sampled_task
def test_no_sample_is_in_two_splits(name: str) -> None:
    task = small(name, train="2000", val="2000", test="2000")
    rows = [{row.tobytes() for row in task.split(split, 0)[0]} for split in SPLITS]
    if len(rows[0]) < 2000:
        pytest.skip("there are so few different samples that chance repeats them")
    assert [len(found) for found in rows] == [2000] * 3, "nor twice in one"
    assert not rows[0] & rows[1] and not rows[0] & rows[2] and not rows[1] & rows[2]


@every_sampled_task
def test_no_split_of_a_seed_is_a_split_of_the_next(name: str) -> None:
    task = small(name, train="100", val="100", test="100")
    seen = [task.split(split, seed)[0].tobytes() for seed in range(20) for split in SPLITS]
    assert len(set(seen)) == 60


@every_task
def test_an_unknown_split_is_an_error(name: str) -> None:
    with pytest.raises(ValueError):
        small(name).split("validation", 0)


@every_task
def test_at_least_two_floors(name: str) -> None:
    task = small(name)
    for split in ("val", "test"):
        floors = task.floors(split)
        assert len(floors) >= 2, "no memory, and half of it"
        assert all(isinstance(value, float) and math.isfinite(value) for value in floors.values())
        assert all(re.fullmatch(r"[a-z0-9_-]+", key) for key in floors)
    assert task.floors() == task.floors("val")


@every_task
def test_a_floor_with_less_memory_is_lower(name: str) -> None:
    task = large(name)
    first, second, *_ = task.floors().values()
    assert second < first if task.direction == "min" else second > first


@every_task
def test_right_answers_beat_every_floor(name: str) -> None:
    task = small(name)
    _, y = task.split("val", 0)
    y = y[None] if task.stream else y
    right, wrong = task.score(y, perfect(task, y)), task.score(y, np.roll(perfect(task, y), 1, axis=-2))
    assert isinstance(right, float)
    assert right == pytest.approx(PERFECT.get(task.metric, 0 if task.direction == "min" else 1), abs=1e-6)
    for floor in [*task.floors().values(), wrong]:
        assert right < floor if task.direction == "min" else right > floor


@every_task
def test_right_answers_solve_a_task_and_no_floor_does(name: str) -> None:
    task = large(name)
    assert (task.solved is None) is (name in WITHOUT_BOUND)
    if task.solved is None:
        return
    _, y = task.split("val", 0)
    y = y[None] if task.stream else y
    sign = 1 if task.direction == "max" else -1
    assert sign * task.score(y, perfect(task, y)) >= sign * task.solved
    best = max(sign * floor for floor in task.floors().values())
    assert best == sign * task.solved if name in SOLVED_AT_A_FLOOR else best < sign * task.solved


@every_task
def test_a_model_needs_no_task_to_make_its_input(name: str) -> None:
    task = small(name)
    preprocessing = task.preprocessing()
    read = "source + target" if task.source_steps else "time"
    assert preprocessing["input"].startswith("float32 (batch, time, " if task.features else f"int32 (batch, {read})")
    if task.tokens:
        names = [preprocessing[key] for key in ("vocabulary", "words", "source_vocabulary") if key in preprocessing]
        assert len(names[0]) == task.tokens
    if task.source_steps:
        assert len(preprocessing["target_vocabulary"]) == task.outputs
        assert preprocessing["source_steps"] + preprocessing["target_steps"] == task.steps


@every_task
def test_an_option_below_its_minimum(name: str) -> None:
    bounds = {field.name: field.metadata["minimum"] for field in fields(name)}
    for option, least in bounds.items():
        if least is None:
            continue
        line = f"{option}: expected {least} or more, got {least - 1}"
        with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
            find.make(name, {option: str(least - 1)})
        with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
            find.task_class(name)(**{option: least - 1})
        try:
            made = getattr(find.make(name, {option: str(least)}), option)
            assert made == least or (made > least and option in FROM_THE_SOURCE.get(name, ()))
        except ValueError as error:  # it does not fit the other options
            assert not str(error).startswith(f"{option}: expected {least} or more")


@every_task
def test_an_option_is_taken_as_typed(name: str) -> None:
    for field in fields(name):
        if field.name in FROM_THE_SOURCE.get(name, ()):
            chosen = getattr(find.make(name, {}), field.name)
            assert chosen != field.default and getattr(find.make(name, {field.name: str(chosen)}), field.name) == chosen
            continue
        assert getattr(find.make(name, {}), field.name) == field.default
        typed = getattr(find.make(name, {field.name: str(field.default)}), field.name)
        assert typed == field.default and type(typed) is type(field.default), field.name


@every_task
def test_every_whole_option_refuses_a_fraction(name: str) -> None:
    for option in [field.name for field in fields(name) if type(field.default) is int]:
        line = f"-o {option}: expected a whole number, got '1.5'"
        with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
            find.make(name, {option: "1.5"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Typed(Task):
    """One option of each type; our own tasks have none that is a float."""

    whole: int = base.option(1, "a whole number")
    real: float = base.option(0.5, "a number")
    truth: bool = base.option(False, "true or false")
    text: str = base.option("a", "a text")


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "task_class", lambda name, copy: Typed)


WRONG_VALUES = {
    "whole": ("a whole number", ["many", "", "1.5", "1e3", "nan", "1,2", "0x10"]),
    "real": ("a number", ["many", "", "1,2"]),
    "truth": ("true or false", ["maybe", "", "2"]),
}


@pytest.mark.parametrize(
    ("option", "text"), [(key, text) for key, (_, texts) in WRONG_VALUES.items() for text in texts]
)
def test_a_value_of_another_type(typed: None, option: str, text: str) -> None:
    line = f"-o {option}: expected {WRONG_VALUES[option][0]}, got {text!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        find.make("typed", {option: text})


def test_a_value_of_each_type(typed: None) -> None:
    task = find.make("typed", {"whole": "-3", "real": "1e-3", "truth": "Yes", "text": "1.5"})
    assert task == Typed(whole=-3, real=0.001, truth=True, text="1.5")
    with pytest.raises(ValueError, match=r"^-o whole: expected a whole number below 2,147,483,648, got '2147483648'$"):
        find.make("typed", {"whole": str(2**31)})


@pytest.mark.parametrize(("option", "near"), [("lenght", "length"), ("", ""), ("metric", ""), ("Train", "train")])
def test_an_unknown_option_lists_the_known_ones(option: str, near: str) -> None:
    hint = f"; did you mean {near!r}?" if near else ""
    line = f"-o: expected one of length, online, test, train, val, variant, got {option!r}{hint}"
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        find.make("adding", {"train": "10", option: "3"})


@every_task
def test_the_docstring_shows_an_example_and_names_its_source(name: str) -> None:
    text = ast.get_docstring(ast.parse(source(name).read_text("utf-8")))
    assert text, "problem, worked example, source"
    title, *rest = text.splitlines()
    assert re.fullmatch(r"[A-Z].*\.", title), "one sentence first"
    assert any(re.match(r"    \S", line) for line in rest), "an indented example"
    assert re.search(r"^Solved: .", text, re.MULTILINE) and re.search(r"^Published", text, re.MULTILINE)
    assert re.search(r"^Source: .*(19|20)\d\d", text, re.MULTILINE)


@every_task
def test_the_class_says_what_x_and_y_are(name: str) -> None:
    assert re.search(r"\bx\b.*\by\b", find.task_class(name).__doc__ or "", re.DOTALL)


@every_task
def test_a_task_is_short(name: str) -> None:
    text = source(name).read_text("utf-8")
    assert len(text.split('"""\n', 2)[-1].splitlines()) <= LINES


@every_sampled_task
def test_an_online_task_draws_fresh_samples_in_every_epoch(name: str) -> None:
    task = small(name, train="online:300")
    assert task == small(name, train="300", online="true")
    epochs = [task.split("train", 5, epoch) for epoch in range(3)]
    assert equal(epochs[0], small(name, train="300").split("train", 5))
    assert equal(epochs[2], small(name, train="online:300").split("train", 5, 2))
    assert not equal(epochs[0], epochs[1]) and not equal(epochs[1], epochs[2])
    assert small(name, train="online").train == find.task_class(name)().train


@pytest.mark.parametrize("name", FINITE)
def test_finite_data_refuse_online(name: str) -> None:
    line = f"train: expected a number, got online: {REASONS[name]}"
    for options in ({"train": "online"}, {"train": "online:300"}, {"online": "true"}):
        with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
            find.make(name, options)


@every_task
@pytest.mark.parametrize("factor", [2, 4])
def test_longer_data_for_the_same_model(name: str, factor: int) -> None:
    task = small(name)
    if not task.lengthens:
        with pytest.raises(ValueError, match="^longer: expected a task whose knob is a length or a lag, got "):
            task.longer(factor)
        return
    longer = task.longer(factor)
    assert getattr(longer, task.knob) == factor * getattr(task, task.knob)
    assert (longer.features, longer.tokens, longer.outputs) == (task.features, task.tokens, task.outputs)
    x, y = longer.split("test", 0)
    assert len(x) == len(y) == int(SIZES["test"]) and x.shape[1] == longer.steps > task.steps


@every_task
def test_a_sample_is_shown_readably(name: str) -> None:
    blocks = shown_samples(name, 3)
    assert len(blocks) == 3
    assert all(block.startswith("x ") and "\ny " in block for block in blocks)


@every_task
def test_numpy_is_all_a_task_needs(name: str) -> None:
    code = f"""
import sys
from experiments.tasks.loading import find
task = find.make({name!r}, {SIZES!r})
if {name!r} not in ("pixels", "retrosynthesis"):  # whose sources are packages
    task.split("train", 0), task.floors(), task.preprocessing()
print(sorted(set(sys.modules) & set({HEAVY!r})))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_the_digest_is_of_shapes_types_and_values() -> None:
    x, y = np.arange(6, dtype=np.int32), np.arange(6, dtype=np.float32)
    other = y.copy()
    other[3] = np.nextafter(other[3], np.float32(9))
    digests = [
        digest_of(arrays)
        for arrays in (
            [(x, y)],
            [(y, x)],
            [(x, y), (x, y)],
            [(x.reshape(2, 3), y)],
            [(x.astype(np.int64), y)],
            [(x.view(np.float32), y)],
            [(x, other)],
            [(x[:3], y[:3]), (x[3:], y[3:])],
        )
    ]
    assert len(set(digests)) == len(digests)
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests)
    assert digest_of([(x[::-1][::-1], y.copy())]) == digests[0], "not of where they lie in memory"
    assert digest_of([(np.asfortranarray(x.reshape(2, 3)), y)]) == digests[3]
