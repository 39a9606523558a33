"""What was computed from the same values has the same digest, in any process; all else another one."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from innexplain.digests import digest, digest_of_file, digest_of_weights
from tests.comparison.cases import inputs, network

WIDE = inputs(2, (40, 40))


@dataclass(frozen=True)
class Marked:
    """Settings that may stand in containers of any kind."""

    weights: Any = None


@dataclass(frozen=True)
class Held:
    """The same field in another class."""

    weights: Any = None


def test_what_tells_settings_apart() -> None:
    """Digits beyond the eighth, shapes, dtypes, nesting, names, weights; attributes beside the fields."""

    class Beside(Marked):  # not a dataclass itself, so that its attributes are no fields
        def __init__(self, weights: float) -> None:
            super().__init__(0)
            self.own = weights

    ones = np.ones(6)
    different = [
        ones, ones + 1e-12, ones.reshape(2, 3), ones.astype("float32"), ones.astype("int64"),
        [ones], (ones,), {"a": ones}, {"b": ones}, [ones, ones], [[ones], ones], [ones, [ones]],
        Marked(ones), Held(ones), Beside(1.0), Beside(2.0),
        np.array([1, "a"], object), np.array([2, "a"], object),
        {1, 2}, {1, 3}, "a", b"a", ["a", "b"], ["a, b"], 1, 1.0, True, None, Marked, Held,
        keras.ops.convert_to_tensor(ones + 1), network(seed=0), network(seed=1),
    ]  # fmt: skip
    assert len({digest(setting) for setting in different}) == len(different)
    assert digest({"a": 1, "b": ones}) == digest({"b": ones.copy(), "a": 1})
    assert digest({"ab", "c", "d"}) == digest({"d", "c", "ab"})
    assert digest(np.asfortranarray(WIDE)) == digest(WIDE)
    assert digest("a", "b") != digest(("a", "b")) != digest(["a", "b"])


def test_digests_are_the_same_in_another_process(tmp_path: Path) -> None:
    """Pinned, too: folders that an earlier version filled are still known."""
    code = """
import numpy as np
from innexplain.digests import digest, digest_of_file
print(digest({"a": [1, 2.5, None, "x"], "b": (np.arange(3, dtype="float32"),), "c": {"u", "v"}}))
print(digest_of_file(__import__("pathlib").Path("file")))
import sys
print("keras" in sys.modules)
"""
    (tmp_path / "file").write_bytes(b"bytes" * 10)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    value = {"c": {"v", "u"}, "a": [1, 2.5, None, "x"], "b": (np.arange(3, dtype="float32"),)}
    assert done.stdout.split() == [digest(value), digest_of_file(tmp_path / "file"), "False"]
    assert digest(value) == "35b506761998e7e656d04ffa61f8554a"


def test_weights_count_and_names_do_not() -> None:
    model, other = network(), network()
    first = digest_of_weights(model)
    assert digest_of_weights(other) == first
    other.compile("sgd", "mse")
    other.name = "renamed"
    assert digest_of_weights(other) == first
    other.layers[0].kernel.assign(other.layers[0].kernel + 1e-6)
    assert digest_of_weights(other) != first
    dense, flat = keras.layers.Dense(3), keras.layers.Dense(2)
    dense.build((None, 2)), flat.build((None, 3))
    flat.kernel.assign(keras.ops.reshape(dense.kernel, (3, 2)))
    assert digest_of_weights(dense) != digest_of_weights(flat), "shapes count"
