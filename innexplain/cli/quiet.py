"""Keras without the start-up messages of TensorFlow."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
# Set to "yes" by silence_logs: the messages are hidden by us, not shown on the user's wish.
_hide = {"messages": False}


def silence_logs() -> None:
    """Ask TensorFlow for errors only, unless the user has chosen a level.

    It must run before TensorFlow is imported, and changes this process's environment: a thing for
    a command, not for a library.
    """
    if _LEVEL not in os.environ:
        os.environ[_LEVEL] = "2"
        _hide["messages"] = True


def quiet_keras() -> Any:
    """Import keras and start its backend without a word; return the module `keras`.

    Some messages (on drivers, on rounding) are written before the log level counts, straight to
    the file descriptor.  They appear again if the import fails.
    """
    with _hidden_stderr() if _hide["messages"] else _visible():
        import keras

        keras.ops.convert_to_tensor(0.0)  # looks for devices, and complains if there are none
    return keras


@contextmanager
def _visible() -> Iterator[None]:
    yield


@contextmanager
def _hidden_stderr() -> Iterator[None]:
    """Send file descriptor 2 to a temporary file, and back."""
    try:
        saved = os.dup(2)
    except OSError:  # no standard error at all
        yield
        return
    with tempfile.TemporaryFile() as kept:
        _flush()
        os.dup2(kept.fileno(), 2)
        succeeded = False
        try:
            yield
            succeeded = True
        finally:
            _flush()
            os.dup2(saved, 2)
            os.close(saved)
            if not succeeded:
                kept.seek(0)
                os.write(2, kept.read())


def _flush() -> None:
    with suppress(AttributeError, ValueError, OSError):  # None, closed, or a broken pipe
        sys.stderr.flush()
