"""--engine and --address: a cluster that cannot be used is refused in one line, before anything is begun."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from support.refusals import SMALL
from support.searching import Recurrent
from support.sounds import sound_folder

from experiments.config.folders import SearchFolder
from experiments.config.spec import Spec
from experiments.engines import cluster
from experiments.engines.local import LocalEngine
from experiments.launcher import engine as launcher_engine
from experiments.launcher.engine import Where, job_of, where
from experiments.system import resources
from experiments.system.devices import Gpus
from experiments.tasks.loading.find import make
from experiments.worker.build import make_remote_tuner
from tracking.errors import BadInput

TOKEN = "0123456789abcdef" * 4


@contextmanager
def head(token: str) -> Iterator[str]:
    """The address of a server that answers as the head of a Ray cluster does; with a token it refuses any other."""

    class Handler(grpc.GenericRpcHandler):
        def service(self, details: Any) -> Any:
            given = dict(details.invocation_metadata).get("authorization", "")

            def answer(request: bytes, context: Any) -> bytes:
                if token and given != f"Bearer {token}":
                    context.abort(grpc.StatusCode.UNAUTHENTICATED, "no")
                return b"\x0a\x0210\x12\x09127.0.0.1"

            return grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.server(ThreadPoolExecutor(1), handlers=(Handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


@pytest.fixture
def with_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is there, and the token is known."""
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: object())
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("dask", None), "--engine: expected one of local, ray, got 'dask'"),
        (("local", "127.0.0.1:6379"), "--address: expected none without --engine ray, got '127.0.0.1:6379'"),
        (("ray", None), "--address: expected HOST:PORT of the head of a Ray cluster, got none; see docs/cluster.md"),
        (("ray", "ray://head:10001"), "--address: expected HOST:PORT of .*; .*, not through Ray Client"),
        (("ray", "head"), "--address: expected HOST:PORT of the cluster's head, got 'head'"),
        (("ray", "head:0"), "--address: expected HOST:PORT of the cluster's head, got 'head:0'"),
        (("ray", "head:65536"), "--address: expected HOST:PORT of the cluster's head, got 'head:65536'"),
        (("ray", "head:6379/x"), "--address: expected HOST:PORT"),
        (("ray", 6379), "--address: expected HOST:PORT of the cluster's head, got 6379"),
    ],
)
def test_what_cannot_be_an_engine(with_ray: None, words: tuple[str, str | None], message: str) -> None:
    with pytest.raises(BadInput, match=f"^{message}"):
        where(*words, "auto")


def test_how_many_workers() -> None:
    assert where("local", None, "3") == Where(3)
    assert where("local", None, "auto").workers >= 1 and not where("local", None, "auto").grows
    for wrong in ("0", "-1", "two"):
        with pytest.raises(BadInput, match="^--workers: expected a whole number from 1, or auto"):
            where("local", None, wrong)


def test_a_gpu_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="^--workers-per-gpu: expected 1 without a GPU, got 2; `recurrent doctor`"):
        where("local", None, "3", "2")
    with pytest.raises(BadInput, match="^--workers-per-gpu: expected a whole number from 1, got '0'"):
        where("local", None, "3", "0")
    for module in (launcher_engine, resources):
        monkeypatch.setattr(module, "gpus", lambda: Gpus(2, ("0", "1")))
    monkeypatch.setattr(resources, "total_memory", lambda: 2**40)
    assert where("local", None, "auto", "4") == Where(8, per_gpu=4)
    engine = where("local", None, "auto", "4").crew(SearchFolder(Path("s")), None, None, None, 8, print).engine
    assert isinstance(engine, LocalEngine) and (engine.gpus, engine.per_gpu, engine.places()) == (("0", "1"), 4, 8)


def test_workers_of_this_machine_load_the_kernels_of_their_search() -> None:
    for native in (False, True):
        engine = Where(1).crew(SearchFolder(Path("s")), None, None, None, 8, print, native).engine
        assert isinstance(engine, LocalEngine) and engine.native is native


def test_without_the_extra_its_name_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match=r"got none; pip install 'recurrent-search\[ray\]'$"):
        cluster.check("127.0.0.1:6379")


def test_a_head_that_is_not_there(with_ray: None) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(BadInput, match=f"^--address: expected the head of a Ray cluster at {address}, got: "):
            cluster.check(address)
        assert time.monotonic() - began < 2 * cluster.CONNECT_SECONDS


def test_a_cluster_that_everybody_may_use(with_ray: None) -> None:
    with head("") as address, pytest.raises(BadInput, match="expected a cluster that asks for a token"):
        cluster.check(address)


def test_the_token(with_ray: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with head(TOKEN) as address:
        cluster.check(address)
        monkeypatch.setenv("RAY_AUTH_TOKEN", "another")
        with pytest.raises(BadInput, match="expected a head that takes the token of RAY_AUTH_TOKEN, got a refusal"):
            cluster.check(address)
        monkeypatch.delenv("RAY_AUTH_TOKEN")
        monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
        with pytest.raises(BadInput, match="expected the cluster's token in RAY_AUTH_TOKEN or .*token, got none"):
            cluster.check(address)
        (tmp_path / "token").write_text(f"{TOKEN}\n")
        cluster.check(address)
        monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
        with pytest.raises(BadInput, match="^RAY_AUTH_MODE: expected token, got 'disabled'"):
            cluster.check(address)


def test_a_cluster_whose_first_node_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The head of a cluster may have no room for workers. With no worker at all a search would be over at once."""
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    from experiments.engines import nodes as engine

    answers = [0, 0, 3]
    monkeypatch.setattr(engine, "places", lambda: answers.pop(0))
    monkeypatch.setattr(engine.time, "sleep", lambda seconds: None)
    engine._wait_for_a_place()
    assert answers == []
    monkeypatch.setattr(engine, "places", lambda: 0)
    monkeypatch.setattr(engine, "PLACE_SECONDS", 0.01)
    with pytest.raises(BadInput, match="^--address: expected a core or a GPU for a worker, got none for 0 s"):
        engine._wait_for_a_place()


def test_a_machine_that_is_no_node(with_ray: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray would end the launcher there with a stack trace."""
    own = next(one.address for one in cluster.psutil.net_if_addrs()["lo"] if one.address.startswith("127."))
    for address, here in ((own, True), (socket.gethostname(), True), ("10.77.0.9", False), ("10.77.0.91", False)):
        assert cluster._is_here(b"\x0a\x0210\x12" + bytes([len(address)]) + address.encode() + b"0\x01") is here
    monkeypatch.setattr(cluster, "_is_here", lambda nodes: False)
    with (
        head(TOKEN) as address,
        pytest.raises(BadInput, match="expected a node of the cluster .* got a machine that is"),
    ):
        cluster.check(address)


def test_the_command_begins_nothing(recurrent: Recurrent, tmp_path: Path) -> None:
    done = recurrent("search", "adding", *SMALL, "--engine", "ray", "--address", "ray://head:1", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.count("\n") == 1
    assert done.stderr.startswith("recurrent search: --address: expected HOST:PORT of the cluster's head")
    assert not list(tmp_path.glob("searches/*")) and not list(tmp_path.glob("*.db"))


def test_a_local_search_imports_neither_ray_nor_keras() -> None:
    code = "import sys, experiments.launcher.launch as _; print({'ray', 'keras', 'tensorflow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_data_that_go_to_other_machines(tmp_path: Path) -> None:
    file = tmp_path / "data.npz"
    np.savez(file, x=np.zeros((20, 3, 1), np.float32), y=np.arange(20) % 2)
    spec = Spec(name="s", task=str(file), options={}, cells=["gru"])
    search = SearchFolder(tmp_path / "s")
    job = job_of(make_remote_tuner, search, search.code, spec, make(spec.task, {}), "session")
    node = SearchFolder(tmp_path / "node")
    node.path.mkdir()
    there = job.unpack(node)
    assert Path(there.task).is_relative_to(node.path) and Path(there.task).read_bytes() == file.read_bytes()
    assert make(there.task, {}).split("train", 0)[0].shape[1:] == (3, 1)
    (tmp_path / "text.txt").write_text("to be or not to be " * 50)
    sound_folder(tmp_path / "sounds")
    for task, option, value in (
        ("char_lm", "corpus", str(tmp_path / "text.txt")),
        ("char_lm", "corpus", "python-reference"),
        ("spoken_digits", "source", str(tmp_path / "sounds")),
    ):
        spec = Spec(name="s", task=task, options={option: value}, cells=["gru"])
        made = make(task, {})
        got = job_of(make_remote_tuner, search, search.code, spec, made, "session").unpack(node).options[option]
        if (here := Path(value)).exists():
            there = Path(got)
            assert there.is_relative_to(node.path) and there.name == here.name
            ours, theirs = (sorted(path.rglob("*")) if path.is_dir() else [path] for path in (here, there))
            assert [path.read_bytes() for path in ours] == [path.read_bytes() for path in theirs] and ours
        else:
            assert got == value, "every node has it"
