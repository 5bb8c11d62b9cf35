"""Which GPUs a search uses, and why not the others. TensorFlow is asked for real if a folder has a card."""

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.searching import NotRefused, Recurrent

from experiments.system import devices

SEARCH = ("search", "adding", "-o", "train=64", "--trials", "1", "--epochs", "1", "--cells", "gru")


@pytest.fixture(autouse=True)
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that takes the place of /dev. It has two cards, and a file that is no card."""
    folder = tmp_path / "dev"
    folder.mkdir()
    for name in ("nvidia0", "nvidia1", "nvidiactl"):
        (folder / name).touch()
    monkeypatch.setattr(devices, "DEVICES", folder)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return folder


def answer(monkeypatch: pytest.MonkeyPatch, stdout: str, stderr: str = "", code: int = 0) -> list[Any]:
    """TensorFlow's answer, without TensorFlow; returns the questions."""
    asked: list[Any] = []

    def run(words: list[str], **more: Any) -> SimpleNamespace:
        asked.append((words, more))
        return SimpleNamespace(stdout=stdout, stderr=stderr, returncode=code)

    monkeypatch.setattr(subprocess, "run", run)
    return asked


def test_cards_that_tensorflow_sees_are_used_whatever_packages_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch, "a word of sitecustomize.py\n2\n")
    assert devices.gpus() == devices.Gpus(2, ("0", "1"))
    assert devices.gpus().line() == "devices: GPU 0, 1"
    assert len(asked) == 1, "the answer is kept"


def test_a_card_that_a_user_hides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    answer(monkeypatch, "1\n")
    found = devices.gpus()
    assert (found.used, found.line()) == (("1",), "devices: GPU 1; 1 hidden by CUDA_VISIBLE_DEVICES")


@pytest.mark.parametrize("hidden", ["-1", ""])
def test_nobody_is_asked_for_cards_that_are_all_hidden(monkeypatch: pytest.MonkeyPatch, hidden: str) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    asked = answer(monkeypatch, "2\n")
    assert devices.gpus().line() == "devices: processors; 2 hidden by CUDA_VISIBLE_DEVICES"
    assert not asked


def test_nobody_is_asked_without_a_card(monkeypatch: pytest.MonkeyPatch, cards: Path) -> None:
    for card in cards.iterdir():
        card.unlink()
    monkeypatch.setattr(devices.shutil, "which", lambda name: None)
    asked = answer(monkeypatch, "0\n")
    assert (devices.gpus(), devices.gpus().line(), asked) == (devices.Gpus(), "", [])


def test_a_card_that_only_nvidia_smi_knows(monkeypatch: pytest.MonkeyPatch, cards: Path) -> None:
    for card in cards.iterdir():
        card.unlink()
    monkeypatch.setattr(devices.shutil, "which", lambda name: f"/usr/lib/wsl/lib/{name}")
    monkeypatch.setattr(devices, "_ask", lambda: (1, ""))
    answer(monkeypatch, "GPU 0: NVIDIA T4 (UUID: GPU-1)\n")
    assert devices.gpus() == devices.Gpus(1, ("0",))


@pytest.mark.parametrize(
    ("stdout", "stderr", "code", "why"),
    [
        ("no CUDA\n", "", 0, "TensorFlow is built without CUDA"),
        (
            "0\n",
            "W1 x.cc:1] Cannot dlopen GPU libraries.\nmore",
            0,
            "TensorFlow says: Cannot dlopen GPU",
        ),
        ("", "Traceback\nModuleNotFoundError: no tensorflow", 1, "TensorFlow says: ModuleNotFoundError: no tensorflow"),
        ("", "", -11, "TensorFlow says: exit code -11"),
    ],
)
def test_why_a_card_is_not_used(monkeypatch: pytest.MonkeyPatch, stdout: str, stderr: str, code: int, why: str) -> None:
    answer(monkeypatch, stdout, stderr, code)
    assert devices.gpus().used == ()
    assert devices.gpus().line().startswith(f"devices: processors; 2 not used: {why}")


def test_a_search_and_doctor_say_why_a_real_tensorflow_does_not_use_a_card(
    recurrent: Recurrent, tmp_path: Path, cards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cards are empty files, so that TensorFlow finds no driver."""
    doctor = recurrent("doctor", cwd=tmp_path).stdout
    (line,) = [line for line in doctor.splitlines() if line.split()[1] == "gpu"]
    assert "2 NVIDIA card(s), 0 used by TensorFlow" in line and "TensorFlow says: " in line and "cuda" in line.lower()
    assert "for cuDNN: " in doctor
    with pytest.raises(NotRefused):
        recurrent(*SEARCH, cwd=tmp_path)
    assert devices.gpus().line().startswith("devices: processors; 2 not used: TensorFlow says: ")
