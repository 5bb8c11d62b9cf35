"""What `recurrent doctor` finds, and what it says of what is missing."""

import importlib.metadata
import json
import sys
from pathlib import Path

import pytest
from support.searching import Recurrent, Searched

from experiments.launcher import doctor
from experiments.system.devices import Gpus
from search_spaces.native import compiled, ready

RAY = ".venv/bin/pip install -c requirements.lock -e '.[ray]'"


def test_nothing_is_missing(recurrent: Recurrent, tmp_path: Path) -> None:
    done = recurrent("doctor", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    looked_at = ["versions", "machine", "disk", "gpu", "kernels", "speech", "cluster", "tracking"]
    assert [line.split()[1] for line in lines] == looked_at
    assert f"python {sys.version.split()[0]}, tensorflow 2.21" in lines[0]
    assert lines[-1] == f"ok  tracking  sqlite:///{tmp_path}/mlflow.db: none yet, the first search makes it"
    assert not (tmp_path / "mlflow.db").exists()


def test_a_record_that_is_there(recurrent: Recurrent, searched: Searched) -> None:
    done = recurrent("doctor", "--json", cwd=searched.folder)
    found = {one["what"]: one for one in json.loads(done.stdout)}
    assert done.returncode == 0 and all(one["fit"] for one in found.values())
    assert found["tracking"]["found"].endswith(
        "mlflow.db: answers, 2 experiments"
    )  # MLflow's default one is there, too


@pytest.mark.parametrize("there", [False, True])
def test_a_record_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    locked = tmp_path / "mlflow.db" if there else tmp_path
    if there:
        locked.touch()
    monkeypatch.setattr(doctor.os, "access", lambda place, mode: place != locked)  # root may write everywhere
    found = doctor._store(f"sqlite:///{tmp_path}/mlflow.db")
    assert (found.fit, found.advice) == (False, "name another --tracking-uri")
    assert found.found == f"sqlite:///{tmp_path}/mlflow.db: cannot be written"


def test_a_record_in_no_folder(tmp_path: Path) -> None:
    found = doctor._store(f"sqlite:///{tmp_path}/none/mlflow.db")
    assert not found.fit and "cannot be written" not in found.found and "none" in found.found


def test_a_server_that_is_away(recurrent: Recurrent, tmp_path: Path) -> None:
    done = recurrent("doctor", "--tracking-uri", "http://127.0.0.1:9", cwd=tmp_path)
    assert done.returncode == 1
    assert "\nno  tracking  tracking-uri: expected an MLflow store that works, got http://127.0.0.1:9" in done.stdout
    assert done.stdout.endswith("start the server, or name another --tracking-uri\n")


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that says that NVIDIA's service for several processes runs."""
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path))
    return tmp_path


def test_a_card_that_cannot_compute_for_several_workers_at_once(shared: Path) -> None:
    shared.rmdir()
    assert "nvidia-cuda-mps-control -d" in doctor.gpu(Gpus(1, ("0",)), "CUDA 12.5.1").advice


def test_a_card_without_its_libraries(shared: Path) -> None:
    missing, whole = (doctor.gpu(found, "CUDA 12.5.1") for found in (Gpus(1, why="no driver"), Gpus(1, ("0",))))
    assert missing.advice == f"for cuDNN: {doctor.INSTALL}" and "[gpu]" in missing.advice
    assert (whole.advice, doctor.gpu(Gpus(), "no CUDA").advice) == ("", "")
    assert missing.found == "1 NVIDIA card(s), 0 used by TensorFlow (built for CUDA 12.5.1): no driver"


def test_the_program_that_speaks() -> None:
    there, missing = doctor._speech("eSpeak NG text-to-speech: 1.51"), doctor._speech("")
    assert (there.fit, there.found, there.advice) == (True, "eSpeak NG text-to-speech: 1.51", "")
    assert (missing.fit, missing.found) == (True, "no espeak-ng")
    assert missing.advice == "for -o source=espeak of spoken_digits: apt-get install espeak-ng"


def test_what_a_cluster_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = doctor._cluster(False)
    assert (missing.fit, missing.found, missing.advice) == (True, "no ray", f"for --engine ray: {RAY}")
    monkeypatch.setattr("importlib.metadata.version", {"ray": "2.60.0"}.get)
    assert doctor._cluster(True) == doctor.Finding("cluster", "ray 2.60.0")


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LEAST_FREE_BYTES", 2**60)
    found = doctor._disk(Path.cwd())
    assert not found.fit and found.advice.startswith("make room")
    assert doctor.text([found]).startswith("no  disk      ") and doctor.text([found]).count("\n") == 1


def test_cards_that_are_hidden_need_no_libraries(shared: Path) -> None:
    found = doctor.gpu(Gpus(4, ("2",), hidden=3), "CUDA 12.5.1")
    assert found.advice == ""
    assert found.found.startswith("4 NVIDIA card(s), 3 hidden by CUDA_VISIBLE_DEVICES, 1 used by TensorFlow")


@pytest.mark.parametrize(("package", "what"), [("tensorflow", "kernels"), ("mlflow", "tracking")])
def test_a_package_that_cannot_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, what: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / "mlflow.db").touch()
    (found,) = [one for one in doctor.findings(f"sqlite:///{tmp_path}/mlflow.db") if one.what == what]
    assert (found.fit, found.advice) == (False, f"install again: {doctor.AGAIN}")
    assert found.found == f"import of {package} halted; None in sys.modules"


def test_the_cause_in_an_error_that_is_a_traceback() -> None:
    def look() -> list[doctor.Finding]:
        raise ImportError("Traceback (most recent call last):\n  File x\nImportError: libcudart.so\n\nFailed to load")

    (found,) = doctor.importable("kernels", look)
    assert found.found == "ImportError: libcudart.so"


def test_it_says_when_kernels_are_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    for name, end in (("new", "when it is needed"), ("file", "by each process: NUMBA_CACHE_DIR cannot be written")):
        monkeypatch.setenv(compiled.NUMBA_FOLDER, str(tmp_path / name))
        assert doctor._accelerator()[1].found.endswith(f"; native is compiled {end}")


def test_without_numba_the_kernels_are_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise importlib.metadata.PackageNotFoundError("numba")

    monkeypatch.setattr(compiled, "_key", fail)
    monkeypatch.setattr(ready, "missing", lambda: "Numba is not installed")
    _, kernels = doctor._accelerator()
    assert kernels.fit and kernels.found.startswith("simple_rnn xla, gru xla, lstm xla, ntm loop, for long trainings")
    assert kernels.found.endswith("; no native kernel: Numba is not installed")
