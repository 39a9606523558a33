"""Every registered name through every contract at once: a name is tested by being registered.

One tiny network, whose logits are positive and whose first output is explained.  What depends on the layers
of a network or on the code that runs, and not on the name, is tested further in `test_contracts_*.py`.
"""

import collections
import contextlib
import dataclasses
import io
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as L

import innexplain
from innexplain.errors import ArgumentError, GraphError, InputError, ModelError, UnsupportedLayerError

from . import (
    CALLS_ONLY,
    NAMES,
    OF_CLASSES,
    SEEDED,
    assert_alike,
    assert_different,
    create,
    over,
    rows_of_calls,
)
from .networks import CLASSES, A, B, N, inlined_tables, tables
from .snapshots import global_snapshot, snapshot

X = [A, B]
ORDER = np.array([2, 0, 3, 1])
Named = collections.namedtuple("Named", "left right")


@dataclasses.dataclass
class Subject:
    """An analyzer of the tiny network, and what it answers for all rows."""

    name: str
    analyzer: Any
    maps: Any
    info: dict


def make(name, model=None, mode="index", **kwargs):
    model = tables() if model is None else model
    return create(name, model, output=0, neuron_selection_mode=mode, **kwargs)


def take(rows, maps):
    return [m[rows] for m in maps]


def logits():
    return innexplain.model_wo_softmax(tables())(X)[0].numpy()


# --- What an answer is ---------------------------------------------------------------------------


def check_answer(s):
    """Numbers in the shape of x, for every sample; the score is a logit and told with the sum."""
    assert [(type(m), m.shape, m.dtype.name) for m in s.maps] == [
        (np.ndarray, (N, 4), "float32"),
        (np.ndarray, (N, 3), "float32"),
    ]
    both = np.concatenate(s.maps, axis=1)
    assert np.isfinite(both).all()
    assert np.any(both, axis=1).all()
    np.testing.assert_allclose(s.info["score"], logits()[np.arange(N), CLASSES], rtol=1e-5)
    np.testing.assert_array_equal(s.info["neuron"], CLASSES)
    np.testing.assert_allclose(s.info["sum"], both.sum(1), rtol=1e-4, atol=1e-5)
    gap = s.info["gap"]
    assert gap is None or (gap.shape == (N,) and np.isfinite(gap).all())
    if s.name.startswith(("lrp", "deep_taylor")):  # they share out the score, which is positive here
        kept = sum(s.info["absorbed"].values())
        assert_alike(s.info["sum"] + kept, s.info["score"].astype("float64"))
        np.testing.assert_allclose(gap, kept, rtol=1e-3, atol=1e-4)


def check_words(s):
    """The name in the `repr`, and a table of rules that says that all is well."""
    assert repr(s.name) in repr(s.analyzer)
    assert "tables" in repr(s.analyzer)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        check = innexplain.check_model(tables(), s.name, output=0)
    assert check.ok
    assert out.getvalue().rstrip().endswith(f"{s.name}: supported")
    assert [row.path for row in check.rows] == [a.step.path for a in s.analyzer.assignments]


def check_structure(s):
    """Named tuples and dicts come back; a dict in the caller's own order."""
    answer = s.analyzer.analyze(Named(A, B), CLASSES)
    assert type(answer) is Named
    assert_alike(list(answer), s.maps, 0)
    answer = s.analyzer.analyze({"b": B, "a": A}, CLASSES)
    assert list(answer) == ["b", "a"]
    assert_alike([answer["a"], answer["b"]], s.maps, 0)


def check_dtypes(s):
    """Floats keep their dtype, all else is answered in float32."""
    for dtype, answered in (("float16", "float16"), ("float64", "float64"), ("uint8", "float32")):
        maps = s.analyzer.analyze([a.astype(dtype) for a in X], CLASSES)
        assert [m.dtype.name for m in maps] == [answered] * 2
        assert_alike(maps, s.maps, 1e-3 if dtype == "float16" else 1e-6)


# --- On what it may depend -----------------------------------------------------------------------


def check_batches(s):
    """A batch is its samples, in any order and however it is cut."""
    single = [s.analyzer.analyze(take([i], X), int(CLASSES[i])) for i in range(N)]
    assert_alike([np.concatenate(column) for column in zip(*single, strict=True)], s.maps)
    shuffled = s.analyzer.analyze(take(ORDER, X), CLASSES[ORDER], batch_size=3)
    assert_alike(shuffled, take(ORDER, s.maps))


def check_batch_size(s):
    """It bounds the rows of every call, what is told does not depend on it, and progress counts rows."""
    with rows_of_calls() as rows, contextlib.redirect_stdout(io.StringIO()) as out:
        maps, info = s.analyzer.analyze(X, CLASSES, batch_size=2, progress=True, return_info=True)
    assert 0 < max(rows) <= 2
    done = N * s.analyzer.rows_per_sample
    assert f"{done}/{done}" in out.getvalue()
    assert_alike(maps, s.maps)
    for key in ("score", "neuron", "sum"):
        assert_alike(info[key].astype("float64"), s.info[key].astype("float64"))
    assert (info["gap"] is None) == (s.info["gap"] is None)


def check_dataset(s):
    """Batch by batch, the answer of the arrays; labels are left aside."""
    data = tf.data.Dataset.from_tensor_slices(((A, B), CLASSES)).batch(2)
    maps, info = s.analyzer.analyze(data, CLASSES, return_info=True)
    assert_alike(list(maps), s.maps)
    assert_alike(info["score"], s.info["score"])


def check_seed(s):
    """The same answer from an analyzer made alike; with another seed another one."""
    assert_alike(make(s.name).analyze(X, CLASSES), s.maps, 1e-7)
    if s.name in SEEDED:
        seeds = [make(s.name, seed=seed).analyze(X, CLASSES) for seed in (1, 1, 2)]
        assert_alike(seeds[0], seeds[1], 0)
        assert_different(seeds[0], seeds[2])


def check_nested_is_inlined(s):
    assert_alike(make(s.name, inlined_tables()).analyze(X, CLASSES), s.maps, 1e-6)


def check_selections(s):
    """Another class is told from this one, the maximum and weights are told by `index`."""
    other = s.analyzer.analyze(X, (CLASSES + 1) % 3)
    if s.name in ("input", "random"):
        assert_alike(other, s.maps, 0)
    else:
        assert_different(other, s.maps)
    maps, info = make(s.name, mode="max_activation").analyze(X, return_info=True)
    np.testing.assert_array_equal(info["neuron"], logits().argmax(-1))
    np.testing.assert_allclose(info["score"], logits().max(-1), rtol=1e-5)
    if s.name in OF_CLASSES:
        rows = [s.analyzer.analyze(X, k) for k in range(3)]
        assert_alike(maps, [np.max(column, axis=0) for column in zip(*rows, strict=True)])
        for mode in ("weights", "all"):
            with pytest.raises(ArgumentError, match=f"single classes.*{mode}"):
                make(s.name, mode=mode)
    else:
        assert_alike(maps, s.analyzer.analyze(X, logits().argmax(-1)))
        assert_alike(make(s.name, mode="weights").analyze(X, np.eye(3)[CLASSES]), s.maps)


# --- What is refused -----------------------------------------------------------------------------


def check_bad_arguments(s):
    """What no analyzer takes is refused by name, and a failure inside is passed on."""
    analyze = s.analyzer.analyze
    with pytest.raises(InputError, match="finite"):
        analyze([A * np.nan, B], CLASSES)
    with pytest.raises(InputError, match="x is empty: there is no sample to explain"):
        analyze([A[:0], B[:0]], 0)
    with pytest.raises(InputError, match="must have shape"):
        analyze([A[:, :2], B], CLASSES)
    for selection, words in ((3, "between 0 and 2.*3 neurons"), ([0, -1, 0, 0], "Received: -1")):
        with pytest.raises(ArgumentError, match=words):
            analyze(X, selection)
    with pytest.raises(ArgumentError, match="a list of 4 ints"):
        analyze(X, [0, 1])
    with pytest.raises(ArgumentError, match="needs neuron_selection"):
        analyze(X)
    with pytest.raises(ArgumentError, match="batch_size must be an int of at least 1"):
        analyze(X, CLASSES, batch_size=0)
    words = f"{s.name} does not take 'neuron_selecton_mode'. Did you mean 'neuron_selection_mode'"
    with pytest.raises(ArgumentError, match=words):
        create(s.name, tables(), output=0, neuron_selecton_mode="all")
    with pytest.raises(ArgumentError, match=rf"{s.name} does not take 'zzz'.*Its own arguments.*pre_softmax"):
        make(s.name, zzz=1)
    refused = ArgumentError if s.name in OF_CLASSES else ZeroDivisionError
    with pytest.raises(refused):
        make(s.name, mode=lambda outputs: 1 / 0).analyze(X)


class Called(keras.Model):
    """Code instead of a graph."""

    def __init__(self):
        super().__init__(name="called")
        self.dense = L.Dense(2)

    def call(self, inputs):
        return self.dense(inputs)


UNBUILT, CALLED = Called(), Called()
CALLED(np.zeros((1, 4), "float32"))
LOOP = keras.Sequential([keras.Input((5, 3)), L.ReLU(), L.SimpleRNN(3, name="loop"), L.Dense(2)])


def check_models(s):
    """A model that was never built; one without a graph, and layers without a rule, where they matter."""
    words = r"'called' was never built: .*keras.Input, call model.build\(input_shape\), or call it"
    with pytest.raises(ModelError, match=words):
        create(s.name, UNBUILT)
    if s.name in CALLS_ONLY:
        assert innexplain.check_model(CALLED, s.name, pre_softmax=False).ok
        assert innexplain.check_model(LOOP, s.name).ok
        return
    with pytest.raises(GraphError, match=f"{s.name} .*'called'.*no graph"):
        create(s.name, CALLED)
    with pytest.raises(UnsupportedLayerError, match=rf"(?s){s.name}.*loop \(SimpleRNN\).*unsupported='grad"):
        create(s.name, LOOP)
    assert not innexplain.check_model(LOOP, s.name).ok
    assert innexplain.check_model(LOOP, s.name, unsupported="gradient").ok


def test_names():
    """Those that the first users know, and no name twice."""
    assert {"gradient", "smoothgrad", "deconvnet", "guided_backprop"} < set(NAMES)
    assert len(set(NAMES)) == len(NAMES)


CHECKS = [check for name, check in globals().items() if name.startswith("check_")]


@over(*NAMES)
def test_everything_at_once(name):
    """All of the above; and whatever is asked, the model and all that callers share stay as they are."""
    model, _ = tables(), inlined_tables()
    predicted = model.predict_on_batch(X)
    before, shared_before = snapshot(model), global_snapshot()
    analyzer = make(name)
    subject = Subject(name, analyzer, *analyzer.analyze(X, CLASSES, return_info=True))
    for check in CHECKS:
        check(subject)
    assert snapshot(model) == before
    assert global_snapshot() == shared_before
    for now, then in zip(model.predict_on_batch(X), predicted, strict=True):
        np.testing.assert_array_equal(now, then)
