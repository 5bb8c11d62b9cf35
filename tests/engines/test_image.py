"""What can be checked of the Dockerfile without a program that builds it."""

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
TEXT = (ROOT / "Dockerfile").read_text("utf-8")


def stages() -> list[list[tuple[str, str]]]:
    """The instructions of each stage, as (name, rest)."""
    lines = "\n".join(line for line in TEXT.splitlines() if line and not line.startswith("#"))
    found: list[list[tuple[str, str]]] = []
    for line in re.sub(r" *\\\n *", " ", lines).splitlines():
        name, _, rest = line.partition(" ")
        if name == "FROM":
            found.append([])
        found[-1].append((name, rest))
    return found


BUILD, IMAGE = stages()


def rests(stage: list[tuple[str, str]], name: str) -> list[str]:
    return [rest for found, rest in stage if found == name]


def test_both_stages_have_the_same_python() -> None:
    """A .venv works with the Python that has made it, in the same place."""
    (first,), (second,) = rests(BUILD, "FROM"), rests(IMAGE, "FROM")
    version, system = re.fullmatch(r"python:(3\.\d+)-(\w+) AS build", first).groups()
    assert second == f"python:{version}-slim-{system}"
    assert f"{version}.0" in SpecifierSet(PROJECT["requires-python"])


def test_what_is_installed_is_locked_and_knows_its_commit() -> None:
    (command,) = rests(BUILD, "RUN")
    assert "pip install --no-cache-dir -c requirements.lock" in command
    assert '"recurrent-search[$extras] @ git+file://localhost/src"' in command
    assert rests(BUILD, "ARG") == ["gpu=0"] and '"$gpu" = 1' in command
    extras = {extra for words in re.findall(r"extras=([\w,]+)", command) for extra in words.split(",")}
    assert extras == {"kubernetes", "gpu"} <= set(PROJECT["optional-dependencies"])
    assert rests(IMAGE, "COPY") == ["--from=build /opt/venv /opt/venv"]


def test_it_runs_as_a_user_who_is_not_root() -> None:
    names = [name for name, _ in IMAGE]
    assert names.count("USER") == 1 and "RUN" not in names[names.index("USER") :]
    (user,) = rests(IMAGE, "USER")
    number, group = user.split(":")
    assert int(number) == int(group) > 0
    (command,) = rests(IMAGE, "RUN")
    assert f"--uid {number} " in command and f"--owner={number} --group={group} /data" in command
    assert rests(IMAGE, "WORKDIR") == ["/data"]


def test_the_pods_have_the_user_of_the_image() -> None:
    _, job = yaml.safe_load_all((ROOT / "docs" / "cluster" / "rayjob.yaml").read_text("utf-8"))
    cluster = job["spec"]["rayClusterSpec"]
    pods = [group["template"]["spec"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]
    number = int(rests(IMAGE, "USER")[0].partition(":")[0])
    wanted = {"runAsNonRoot": True, "runAsUser": number, "fsGroup": number}
    assert [pod["securityContext"] for pod in pods] == [wanted] * len(pods)
    assert pods[0]["containers"][0]["workingDir"] == rests(IMAGE, "WORKDIR")[0]


@pytest.mark.parametrize("source", [rest.split()[0] for rest in rests(BUILD, "COPY")])
def test_what_is_copied_is_there_and_not_ignored(source: str) -> None:
    if source == ".git" and not (ROOT / source).exists():
        pytest.skip("no git checkout")
    assert (ROOT / source).exists()
    passed = False
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():  # the last line that fits says it
        if line and not line.startswith("#") and fnmatch(source, line.removeprefix("!")):
            passed = line.startswith("!")
    assert passed


def test_it_names_no_host() -> None:
    """Its images have short names, and its packages come from where pip takes them."""
    assert re.findall(r"[\w+]+://[^\s\"]+", TEXT) == ["git+file://localhost/src"]
    assert all("/" not in rest.split()[0] for stage in (BUILD, IMAGE) for rest in rests(stage, "FROM"))
    assert not re.search(r"--(?:extra-)?index-url|--find-links|--trusted-host", TEXT)
