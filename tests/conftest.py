"""TensorFlow's start-up chatter has no place in a test's output."""

import gc
import os
from collections.abc import Iterator

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
pytest.register_assert_rewrite("support")

from support.searching import exported, exported_language, language, recurrent, searched, served  # noqa: E402
from support.servers import servers  # noqa: E402

__all__ = ["exported", "exported_language", "language", "recurrent", "searched", "served", "servers"]


@pytest.fixture
def before_fork() -> Iterator[None]:
    """A forked worker collects garbage, and TensorFlow's objects of other tests cannot be freed without its threads."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
