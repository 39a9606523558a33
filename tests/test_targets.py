"""Targets alone: from outputs to scores, in closed form."""

import numpy as np
import pytest
from keras import ops

from innexplain.errors import ArgumentError
from innexplain.targets import (
    AllNeurons,
    CallableTarget,
    IndexTarget,
    MaxActivation,
    WeightsTarget,
    make_target,
)

OUTPUTS = np.array([[1.0, -2.0, 4.0], [7.0, 3.0, 5.0]], "float32")
SPATIAL = np.arange(24, dtype="float32").reshape(2, 2, 3, 2)


def score(target, outputs, selection=None):
    data = target.data(selection, len(outputs), outputs.shape[1:])
    assert len(data) == len(outputs)
    found, neuron = target.score(ops.convert_to_tensor(outputs), ops.convert_to_tensor(data))
    return np.asarray(found).tolist(), np.asarray(neuron).tolist()


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("max_activation", MaxActivation),
        ("index", IndexTarget),
        ("all", AllNeurons),
        ("weights", WeightsTarget),
    ],
)
def test_modes(mode, kind):
    assert make_target(mode) == kind()
    assert make_target(mode, True, False) == kind(binary=True, stripped=False)


def test_a_callable_is_a_mode():
    def first(outputs):
        return outputs[:, 0]

    assert make_target(first) == CallableTarget(function=first)
    assert score(make_target(first), OUTPUTS) == ([1, 7], [-1, -1])
    assert score(make_target(lambda outputs: outputs[:, :1] * 2), OUTPUTS) == ([2, 14], [-1, -1])


def test_max_activation():
    assert score(MaxActivation(), OUTPUTS) == ([4, 7], [2, 0])
    assert score(MaxActivation(), -SPATIAL) == ([0, -12], [0, 0])


@pytest.mark.parametrize("selection", [1, [1, 1], (1, 1), np.int64(1), np.array([1, 1], "uint8")])
def test_index(selection):
    assert score(IndexTarget(), OUTPUTS, selection) == ([-2, 3], [1, 1])


def test_one_index_a_sample():
    assert score(IndexTarget(), OUTPUTS, [2, 0]) == ([4, 7], [2, 0])


def test_positions_in_a_spatial_output():
    """A tuple is a position, a list is one flat index a sample."""
    assert score(IndexTarget(), SPATIAL, (1, 2, 0)) == ([10, 22], [10, 10])
    assert score(IndexTarget(), SPATIAL, [10, 3]) == ([10, 15], [10, 3])


def test_all():
    assert score(AllNeurons(), OUTPUTS) == ([3, 15], [-1, -1])
    assert score(AllNeurons(), SPATIAL) == ([66, 210], [-1, -1])


def test_weights():
    assert score(WeightsTarget(), OUTPUTS, [1, 0, -1]) == ([-3, 2], [-1, -1])
    assert score(WeightsTarget(), OUTPUTS, [[1, 0, 0], [0, 0, 1]]) == ([1, 5], [-1, -1])
    assert score(WeightsTarget(), SPATIAL, np.ones((2, 3, 2))) == ([66, 210], [-1, -1])


@pytest.mark.parametrize("stripped", [True, False])
def test_two_classes_of_one_sigmoid_unit(stripped):
    """Before the sigmoid the opposite of z is -z, behind it the opposite of p is 1 - p."""
    outputs = np.array([[0.25], [-3.0]] if stripped else [[0.25], [0.75]], "float32")
    opposite = -outputs if stripped else 1 - outputs
    index = IndexTarget(binary=True, stripped=stripped)
    assert score(index, outputs, 1) == (outputs[:, 0].tolist(), [1, 1])
    assert score(index, outputs, 0) == (opposite[:, 0].tolist(), [0, 0])
    best = MaxActivation(binary=True, stripped=stripped)
    expected = ([0.25, 3.0], [1, 0]) if stripped else ([0.75, 0.75], [0, 1])
    assert score(best, outputs) == expected
    assert score(AllNeurons(binary=True, stripped=stripped), outputs) == (outputs[:, 0].tolist(), [-1, -1])


def test_outputs_without_a_class_axis():
    """One number a sample is one neuron."""
    outputs = np.array([3.0, 4.0], "float32")
    assert score(IndexTarget(), outputs, 0) == ([3, 4], [0, 0])
    assert score(AllNeurons(), outputs) == ([3, 4], [-1, -1])
    assert score(WeightsTarget(), outputs, 2.0) == ([6, 8], [-1, -1])


def test_weights_keep_the_precision_of_the_outputs():
    outputs = np.array([[1.0, 3.0]])
    assert score(WeightsTarget(), outputs, [0.1, 0.0]) == ([0.1], [-1])


def test_per_sample():
    """What a dataset deals out to its batches, and what all batches share."""
    index, weights = IndexTarget(), WeightsTarget()
    assert index.per_sample([0, 1], (3,))
    assert index.per_sample((0, 1), (3,))
    assert not index.per_sample((0, 1), (3, 3))
    assert not index.per_sample(1, (3,))
    assert weights.per_sample(np.ones((2, 3)), (3,))
    assert not weights.per_sample(np.ones(3), (3,))
    assert not MaxActivation().per_sample(None, (3,))
    assert not AllNeurons().per_sample([0], (3,))


# --- Refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["maximum", None, 3, ["index"]])
def test_no_such_mode(mode):
    with pytest.raises(
        ArgumentError, match=r"one of \['all', 'index', 'max_activation', 'weights'\]"
    ) as error:
        make_target(mode)
    assert f"neuron_selection_mode={mode!r}" in str(error.value)


@pytest.mark.parametrize("selection", [3, -1, [0, 3], 2**40, np.int64(-5)])
def test_index_out_of_range(selection):
    with pytest.raises(
        ArgumentError, match=r"between 0 and 2: .* 3 neurons.*Received: (3|-1|-5|1099511627776)"
    ):
        score(IndexTarget(), OUTPUTS, selection)


def test_binary_index_out_of_range():
    with pytest.raises(ArgumentError, match="between 0 and 1"):
        score(IndexTarget(binary=True), OUTPUTS[:, :1], 2)


@pytest.mark.parametrize("selection", ["1", 1.0, True, [0], [0, 1, 2], [[0], [1]], [[0], [1, 2]], {}])
def test_no_index(selection):
    with pytest.raises(ArgumentError, match=r"an int, or a list of 2 ints, one per sample.*Received"):
        score(IndexTarget(), OUTPUTS, selection)


def test_index_missing():
    with pytest.raises(ArgumentError, match="'index' needs neuron_selection"):
        score(IndexTarget(), OUTPUTS)


@pytest.mark.parametrize("position", [(2, 0, 0), (0, 0), (-1, 0, 0), (0, 0, 0.5), ("a", 0, 0)])
def test_no_position(position):
    with pytest.raises(ArgumentError, match=r"position in the output of shape \(2, 3, 2\)"):
        score(IndexTarget(), SPATIAL, position)


@pytest.mark.parametrize(
    "weights", [None, [1, 2], [1, np.nan, 0], [1, np.inf, 0], "abc", [[1], [1, 2]], np.ones((3, 3))]
)
def test_no_weights(weights):
    with pytest.raises(ArgumentError, match=r"finite weights of shape \(3,\) or \(2, 3\).*Received"):
        score(WeightsTarget(), OUTPUTS, weights)


@pytest.mark.parametrize("mode", ["max_activation", "all", len])
def test_selection_that_the_mode_does_not_take(mode):
    with pytest.raises(ArgumentError, match=r"is for.*'index'.*Received: neuron_selection=1"):
        score(make_target(mode), OUTPUTS, 1)


@pytest.mark.parametrize("function", [ops.sum, lambda y: y, lambda y: ops.stack([y, y])])
def test_callable_without_one_score_a_sample(function):
    with pytest.raises(ArgumentError, match=r"one score per sample, shape \(n,\).*\(2, 3\).*Received: shape"):
        score(CallableTarget(function=function), OUTPUTS)


@pytest.mark.parametrize("function", [lambda: 0, lambda y: int("x"), lambda y: "abc" @ y])
def test_callable_that_fails(function):
    with pytest.raises(ArgumentError, match=r"must take the outputs.*shape \(2, 3\)") as error:
        score(CallableTarget(function=function), OUTPUTS)
    assert error.value.__cause__ is not None
