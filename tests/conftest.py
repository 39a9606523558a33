"""What every test relies on: the environment, and the networks and images beside the checkout."""

import contextlib
import gc
import os

# TensorFlow, Keras and matplotlib read these when they are imported, so they come first.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["MPLBACKEND"] = "Agg"
_shared = "PYTEST_XDIST_WORKER" in os.environ  # workers share the cores: one thread each
for _threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.pop(_threads, None)  # else TensorFlow's own defaults, as users have them
    if _shared:
        os.environ[_threads] = "1"

from collections.abc import Iterator
from pathlib import Path

import keras
import pytest

from tests.eagerly import compiled, eagerly

CHECKOUT = Path(__file__).resolve().parents[1]

_EAGERLY = contextlib.ExitStack()


class _Seeds:
    """Examples in docstrings make networks of random weights, of which some have nothing but dead ReLUs."""

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if isinstance(item, pytest.DoctestItem):
            keras.utils.set_random_seed(0)


def pytest_configure(config: pytest.Config) -> None:
    """Compiling costs more than a test has to explain; fixtures of any scope and doctests meet this too."""
    _EAGERLY.enter_context(eagerly())
    # Hooks of this file itself reach only the tests below it.
    config.pluginmanager.register(_Seeds())


def pytest_collection_finish() -> None:
    """What is imported stays: the garbage collector need not look through TensorFlow again and again."""
    gc.freeze()


def pytest_unconfigure() -> None:
    _EAGERLY.close()


@pytest.fixture(autouse=True)
def _compiled_where_marked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests marked `compiled` get what users get."""
    with compiled() if request.node.get_closest_marker("compiled") else contextlib.nullcontext():
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real networks and images; tests that ask for it are skipped where it is absent.

    It is `../shared/data` beside the checkout, or wherever the variable `INNEXPLAIN_DATA` says.
    """
    given = os.environ.get("INNEXPLAIN_DATA")
    folder = Path(given) if given else CHECKOUT.parent / "shared" / "data"
    if folder.is_dir():
        return folder
    if given:
        pytest.fail(f"INNEXPLAIN_DATA is {given!r}, which is no folder")
    pytest.skip("needs the folder ../shared/data beside the checkout, or INNEXPLAIN_DATA")
