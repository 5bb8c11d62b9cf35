"""Keeps TensorFlow's start-up chatter off the terminal."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from tracking.errors import RecurrentError


@contextmanager
def quiet() -> Iterator[None]:
    """What native code writes to standard error meanwhile is shown only if an exception follows.

    TensorFlow's C++ parts write there before any setting of theirs is read.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        except Exception as error:
            if not isinstance(error, RecurrentError):  # those say all in a line
                file.seek(0)
                os.write(kept, file.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
