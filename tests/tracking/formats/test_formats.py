"""The formats are found by the names of their files."""

import importlib.util
from typing import Any

import pytest

from tracking import formats
from tracking.deploy import predict
from tracking.deploy.pack import Packing, check
from tracking.deploy.page import CODE
from tracking.errors import BadInput


def test_each_format_is_complete() -> None:
    assert formats.names() == ["keras", "litert", "onnx", "savedmodel"]
    assert set(predict.RUNTIMES) == set(CODE) == set(formats.names())
    for name in formats.names():
        form = formats.load(name)
        assert callable(form.write) and form.RUNTIME and form.MODULES and form.MEANT
        assert isinstance(form.EXTRA, str) and isinstance(form.BLOCKED, tuple)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("keras", ["keras"]),
        ("onnx", ["keras", "onnx"]),
        ("savedmodel, onnx", ["keras", "onnx", "savedmodel"]),
        ("all", ["keras", "litert", "onnx", "savedmodel"]),
    ],
)
def test_lists_of_formats(text: str, found: list[str]) -> None:
    assert formats.parse(text) == found


def test_an_unknown_format() -> None:
    with pytest.raises(BadInput, match="--format: expected keras, .*, all, got 'onx'; did you mean 'onnx'?"):
        formats.parse("keras,onx")


def test_a_format_whose_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec

    def without(name: str, *more: Any) -> Any:
        return None if name == "onnxruntime" else real(name, *more)

    monkeypatch.setattr(formats, "find_spec", without)
    with pytest.raises(BadInput, match=r"expected onnxruntime for onnx, got .* `pip install .*\[onnx\]\"` brings it"):
        check(Packing(("keras", "onnx")))
    check(Packing(("keras", "onnx"), all=True))
