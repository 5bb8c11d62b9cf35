"""Standard input, output and error of this process: they may be closed, be a full disk, or be read by nobody."""

import io
import os
import sys
from contextlib import suppress

STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))  # their places are their numbers for the system


def prepare() -> None:
    """Opens the streams that this process was started without. What is written there goes nowhere.

    A file that is opened later would get the free number. Native code would then write its errors, which go to the
    number 2, into that file, for example into a journal.
    """
    for number, (name, mode) in enumerate(STREAMS):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the system gives the lowest free number
            os.dup2(opened, number)  # child processes inherit this one
            if opened != number:
                os.close(opened)
            else:
                os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a character that the terminal cannot show is printed as "?"
            stream.reconfigure(errors="replace")


def write_out(code: int, command: str) -> int:
    """Writes what the output still holds; returns the exit code of a command whose own one is `code`.

    Python does this itself when the process ends. Then nobody would see an error, which is here a line and exit code 2.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads the output any more, for example after `recurrent results | head`
        drop()
    except OSError as error:
        drop()
        with suppress(OSError):
            print(f"recurrent {command}: output: {error.strerror}", file=sys.stderr)
        return code or 2
    return code


def drop() -> None:
    """Sends the rest of the output nowhere. Otherwise Python would fail to write it when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
