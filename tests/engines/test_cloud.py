"""The configuration for `ray up` is one that Ray takes, and its commands are commands."""

import importlib.util
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.cli import main as cli

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CONFIGURATION = yaml.safe_load((ROOT / "docs" / "cluster" / "cloud.yaml").read_text("utf-8"))
PAGE = (ROOT / "docs" / "cluster.md").read_text("utf-8")
with_ray = pytest.mark.skipif(not importlib.util.find_spec("ray"), reason="the extra `ray` is not installed")
CHECKOUT = "~/recurrent-search/"  # on a node


def starts(name: str) -> list[str]:
    """The words of the last command that starts Ray on a node."""
    assert CONFIGURATION[name][0] == f"{CHECKOUT}.venv/bin/ray stop"
    first, words = CONFIGURATION[name][-1].split("; ")
    assert first == "ulimit -n 65536"
    return shlex.split(words)


@with_ray
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # Ray leaves the files of its schema open
def test_ray_takes_the_configuration() -> None:
    """By Ray's own schema, and by what else `ray up` checks before it starts a machine."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(CONFIGURATION))
    with pytest.raises(Exception, match="'providers' was unexpected"):
        validate_config(prepare_config(CONFIGURATION | {"providers": {}}))


@with_ray
@pytest.mark.parametrize("name", ["head_start_ray_commands", "worker_start_ray_commands"])
def test_ray_starts_with_these_options(name: str) -> None:
    from ray.scripts.scripts import start

    words = starts(name)
    known = {option for parameter in start.params for option in parameter.opts}
    assert {word.partition("=")[0] for word in words if word.startswith("-")} <= known


def test_every_node_asks_for_the_token() -> None:
    for name in ("head_start_ray_commands", "worker_start_ray_commands"):
        assert starts(name)[:3] == ["RAY_AUTH_MODE=token", f"{CHECKOUT}.venv/bin/ray", "start"]
    assert CONFIGURATION["file_mounts"] == {"~/.ray/auth_token": "~/.ray/auth_token", f"{CHECKOUT}.git": ".git"}
    assert "--include-dashboard=false" in starts("head_start_ray_commands")
    (port,) = re.findall(r"--port=(\d+)", " ".join(starts("head_start_ray_commands")))
    assert f"--address=$RAY_HEAD_IP:{port}" in starts("worker_start_ray_commands")


def test_every_node_installs_what_is_locked() -> None:
    installs = [command for name in ("setup_commands", "head_setup_commands") for command in CONFIGURATION[name]]
    pips = re.findall(r"pip install .*", "\n".join(installs))
    assert len(pips) == 2 and all(re.search(r" -c \S*requirements\.lock ", command) for command in pips)
    (extras,) = re.findall(r"-e '\.\[([\w,]+)\]'", pips[0])
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])


def test_all_nodes_start_at_once() -> None:
    """A search on a cluster takes the places that there are. It asks Ray for no more."""
    workers: list[dict[str, Any]] = [
        node for name, node in CONFIGURATION["available_node_types"].items() if name != CONFIGURATION["head_node_type"]
    ]
    assert [node["min_workers"] for node in workers] == [node["max_workers"] for node in workers]
    assert sum(node["max_workers"] for node in workers) == CONFIGURATION["max_workers"]


def test_the_searches_of_the_page_parse() -> None:
    found = [cli.parse(shlex.split(line)) for line in re.findall(r"bin/recurrent (search [^'`\n]*)", PAGE)]
    assert {parsed.engine for parsed in found} == {"ray"}
    assert {parsed.address for parsed in found} == {"HEAD:6379", "localhost:6379", "ray://head:10001"}
