"""The folder in which the compiled kernels are kept."""

import os
import shutil
from pathlib import Path

import pytest
from support.native_reference import python

from search_spaces.native import compiled


def test_nothing_is_compiled_twice_and_damage_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.NUMBA_FOLDER, str(tmp_path / "native"))
    place = compiled.folder()
    assert place is not None and not compiled.is_whole(place)
    with compiled.kept() as own:
        assert own is not None and own != place
        (own / "code.nbc").write_bytes(b"machine code")
    assert compiled.is_whole(place) and [path.name for path in place.parent.iterdir()] == [place.name]
    with compiled.kept() as again:
        assert again == place
    (place / "code.nbc").write_bytes(b"machine c0de")
    assert not compiled.is_whole(place)
    with compiled.kept() as anew:
        assert anew is not None and anew != place
        (anew / "code.nbc").write_bytes(b"new code")
    assert (place / "code.nbc").read_bytes() == b"new code"
    monkeypatch.setenv("NUMBA_CPU_NAME", "haswell")
    assert compiled.folder() != place, "another processor has another folder"
    monkeypatch.delenv(compiled.NUMBA_FOLDER)
    assert compiled.folder() is None


def test_a_folder_without_code_is_not_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.NUMBA_FOLDER, str(tmp_path))
    with compiled.kept():
        pass
    place = compiled.folder()
    assert place is not None and not compiled.is_whole(place)


def test_an_error_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.NUMBA_FOLDER, str(tmp_path))
    with pytest.raises(RuntimeError, match="LLVM"), compiled.kept() as own:
        assert own is not None
        (own / "code.nbc").write_bytes(b"half of it")
        raise RuntimeError("this LLVM is broken")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba writes into a folder when it loads. Where it cannot, it would take another one, whose code may be old."""
    monkeypatch.setenv(compiled.NUMBA_FOLDER, str(tmp_path))
    with compiled.kept() as own:
        assert own is not None
        (own / "code.nbc").write_bytes(b"machine code")
    monkeypatch.setattr(compiled.os, "access", lambda place, mode: False)  # root may write everywhere
    with compiled.kept() as copy:
        assert copy is not None and copy != compiled.folder()
        assert (copy / "code.nbc").read_bytes() == b"machine code"
    assert not copy.exists()


def test_other_users_may_read_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.NUMBA_FOLDER, str(tmp_path))
    with compiled.kept() as own:
        assert own is not None
        (own / "code.nbc").touch()
    (place,) = tmp_path.iterdir()
    assert place.stat().st_mode & 0o777 == 0o755


def test_numba_keeps_our_folder_when_its_variables_change(tmp_path: Path) -> None:
    """Numba reads its variables again when one has changed since its import."""
    code = "import os, numba; os.environ['NUMBA_CACHE_DIR'] = os.environ['PLACE']"
    code += "; from search_spaces.native import compiled, ready; ready.load()"
    code += "; print(len(list(compiled.folder().rglob('*.nbc'))), compiled.is_whole(compiled.folder()))"
    usual = Path(os.environ[compiled.NUMBA_FOLDER])
    python("from search_spaces.native import ready; ready.load()")
    shutil.copytree(usual, tmp_path / "kept")
    files, whole = python(code, PLACE=str(tmp_path / "kept")).split()
    assert int(files) > 10 and whole == "True"
    assert [one for one in (tmp_path / "kept").iterdir() if not one.is_dir()] == [], "nothing lies beside the folders"


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(compiled.NUMBA_FOLDER, str(tmp_path / "file"))
    assert not compiled.has_place()
    with compiled.kept() as place:
        assert place is None


def test_a_folder_of_folders_that_will_be_made_is_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.NUMBA_FOLDER, str(tmp_path / "not" / "made yet"))
    assert compiled.has_place()
    assert not (tmp_path / "not").exists()


@pytest.mark.slow
def test_a_second_process_finds_what_the_first_has_compiled(tmp_path: Path) -> None:
    code = "import time; began = time.process_time(); from search_spaces.native import ready; ready.load()"
    code += "; print(time.process_time() - began)"
    first, second = (float(python(code, NUMBA_CACHE_DIR=str(tmp_path))) for _ in range(2))
    assert second < first / 2
    (place,) = tmp_path.iterdir()
    assert compiled.is_whole(place)
