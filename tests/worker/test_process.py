"""What a worker settles before it imports TensorFlow."""

import subprocess
import sys

import pytest

PROGRAM = """
import numpy as np, psutil
from experiments.worker.process import keep_freed_memory
keep_freed_memory()
before = psutil.Process().memory_info().rss
del (array := [np.ones(2**24)])[0]
print(psutil.Process().memory_info().rss - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator alone can be told")
def test_what_is_freed_is_kept_for_the_next_step() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 2**26, "the 128 MiB of the array have gone back to the system"
