"""Keeps TensorFlow's start-up chatter off the terminal."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from tracking.errors import RecurrentError


@contextmanager
def quiet() -> Iterator[None]:
    """Holds back what native code writes to standard error. It is shown only if an exception follows.

    TensorFlow's C++ parts write there before they read their settings.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        except Exception as error:
            if not isinstance(error, RecurrentError | OSError | MemoryError):  # such an error says all in its line
                file.seek(0)
                os.write(stderr, file.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
