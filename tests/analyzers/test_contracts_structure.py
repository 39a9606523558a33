"""How a model is written makes no difference: nested or inlined, shared or repeated, Sequential or not."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as L

import innexplain
from tests.zoo import nest_pairs, randomise
from tests.zoo.models import MODELS, nest

from . import (
    PATHS,
    SEEDED,
    assert_alike,
    create,
    create_or_refuse,
    over,
    rng,
    silent_maps_allowed,
    tape_gradient,
)

PAIRS = {pair.name: pair for pair in nest_pairs()}
# Models are read once for all methods: one that overrides ReLUs, one that folds batch norms, one that calls.
READERS = ("guided_backprop", "lrp.epsilon", "smoothgrad")


def explained(name, model, x, **kwargs):
    """The maps of the predicted class: its score is mostly positive, as deep Taylor wants it."""
    with silent_maps_allowed():
        return create(name, model, **kwargs).analyze(x)


@functools.cache
def built(pair):
    return PAIRS[pair].build()


@pytest.mark.parametrize("pair", ["conv_sequential", "shared"])
@over(*PATHS)
def test_nested_is_inlined(name, pair):
    nested, inlined = built(pair)
    x = PAIRS[pair].inputs(2, rng())
    assert_alike(explained(name, nested, x), explained(name, inlined, x), 1e-6)


@over(*READERS)
def test_nested_model_with_dict_inputs_and_two_outputs(name):
    """It multiplies two branches, which LRP may refuse: then both models, and for that reason."""
    nested, inlined = PAIRS["dict_inner"].build()
    x = PAIRS["dict_inner"].inputs(2, rng())
    analyzers = [create_or_refuse(name, model, "multiply") for model in (nested, inlined)]
    if analyzers[1] is None:
        assert analyzers[0] is None
        return
    with silent_maps_allowed():
        a, b = (analyzer.analyze(x) for analyzer in analyzers)
    assert_alike(a, b, 1e-6)


@pytest.mark.parametrize("pair", sorted(PAIRS))
def test_every_pair_with_the_method_that_overrides(pair):
    """Guided backprop differs from the gradient wherever a nested ReLU is overlooked."""
    nested, inlined = built(pair)
    x = PAIRS[pair].inputs(3, rng())
    assert_alike(explained("guided_backprop", nested, x), explained("guided_backprop", inlined, x), 1e-6)


@over(*READERS)
def test_a_model_wrapped_three_times(name):
    case = MODELS["conv_net"]
    nested, inlined = nest(case, depth=3)
    x = case.inputs(2, rng())
    assert_alike(explained(name, nested, x), explained(name, inlined, x), 1e-6)


@functools.cache
def shared_and_repeated():
    """`MODELS["shared_layer"]`, and the same with three Dense and three ReLU layers of equal weights."""
    shared = MODELS["shared_layer"].build(seed=3)
    x = keras.Input((6,))
    dense, relu = [L.Dense(6) for _ in range(3)], [L.ReLU() for _ in range(3)]
    y = relu[1](dense[1](relu[0](dense[0](x))))
    model = keras.Model(x, L.Dense(3)(L.Add()([y, relu[2](dense[2](y))])))
    head, (kernel, bias) = shared.layers[-1].get_weights(), shared.layers[1].get_weights()
    for layer in dense:
        layer.set_weights([kernel, bias])
    model.layers[-1].set_weights(head)
    return shared, model


@over(*PATHS)
def test_shared_layer_is_a_repeated_one(name):
    shared, repeated = shared_and_repeated()
    x = MODELS["shared_layer"].inputs(3, rng(3))
    np.testing.assert_allclose(shared(x), repeated(x), rtol=1e-6)
    assert_alike(explained(name, shared, x), explained(name, repeated, x), 1e-6)


@over(*READERS)
def test_shared_submodel_treats_its_inputs_alike(name):
    """A siamese net that adds the two sides: swapping inputs swaps maps, and the sides differ."""
    one = keras.Input((5,))
    tower = keras.Model(one, L.Dense(4, activation="relu")(one), name="tower")
    a, b = keras.Input((5,)), keras.Input((5,))
    model = randomise(keras.Model([a, b], L.Dense(2)(L.Add()([tower(a), tower(b)]))), 1)
    left, right = rng(1).normal(size=(2, 3, 5)).astype("float32")
    there = explained(name, model, [left, right])
    back = explained(name, model, [right, left])
    if name in SEEDED:  # the noise belongs to the sample as a whole
        assert not np.allclose(there[0], back[1])
        return
    assert_alike(there, back[::-1], 1e-5)
    assert not np.allclose(there[0], there[1])


@over(*READERS)
def test_sequential_is_functional(name):
    def layers():
        return [L.Conv1D(3, 3, activation="relu"), L.Flatten(), L.Dense(3, activation="softmax")]

    sequential = randomise(keras.Sequential([keras.Input((7, 2)), *layers()]))
    x = y = keras.Input((7, 2))
    for layer in layers():
        y = layer(y)
    functional = randomise(keras.Model(x, y))
    data = rng().normal(size=(3, 7, 2)).astype("float32")
    assert_alike(explained(name, sequential, data), explained(name, functional, data), 1e-6)


@over(*READERS)
def test_sequential_that_was_built_late(name):
    """Without an `Input`, built by a shape or by its first call."""
    maps = []
    for build in ("shape", "call"):
        model = keras.Sequential([L.Dense(5, activation="relu"), L.Dense(3)])
        model.build((None, 4)) if build == "shape" else model(np.zeros((1, 4), "float32"))
        maps.append(explained(name, randomise(model), rng().normal(size=(3, 4)).astype("float32")))
    assert_alike(*maps, 1e-6)


class Called(keras.Model):
    """Code instead of a graph, around layers that a functional model may share."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, inputs):
        return self.inner(inputs)


@functools.cache
def functional_and_called():
    functional = MODELS["dense_net"].build()
    model = Called(functional)
    model(MODELS["dense_net"].inputs(3, rng()))
    return functional, model


@over(*PATHS)
def test_subclassed_model_is_its_functional_twin(name):
    functional, model = functional_and_called()
    x = MODELS["dense_net"].inputs(3, rng())
    analyzer = create_or_refuse(name, model, "no graph", pre_softmax=False)
    if analyzer is not None:
        assert_alike(analyzer.analyze(x), explained(name, functional, x, pre_softmax=False), 1e-6)


class Two(keras.Model):
    """Two inputs in a dict, two outputs in a tuple."""

    def __init__(self):
        super().__init__()
        self.dense, self.head = L.Dense(3, activation="tanh"), L.Dense(2)

    def call(self, inputs):
        hidden = self.dense(inputs["p"]) * self.dense(inputs["q"])
        return self.head(hidden), hidden


@pytest.mark.parametrize("output", [0, 1])
def test_subclassed_model_with_dict_inputs_and_two_outputs(output):
    model = Two()
    x = {key: rng(i).normal(size=(3, 4)).astype("float32") for i, key in enumerate("pq")}
    model(x)
    analyzer = create("gradient", model, output=output, neuron_selection_mode="index")
    truth = tape_gradient(model, x, lambda y: y[output][:, 1])
    assert_alike(analyzer.analyze(x, 1), truth, 1e-6)


def test_subclassed_model_with_two_outputs_asks_which_one():
    model = Two()
    x = {key: rng(i).normal(size=(3, 4)).astype("float32") for i, key in enumerate("pq")}
    model(x)
    for output in (None, 2, -1):
        with pytest.raises(innexplain.errors.ArgumentError, match=rf"2 output.*output=.*0 and 1.*{output}"):
            create("gradient", model, output=output).analyze(x)


class Branching(keras.Model):
    """A functional model by its constructor, which does something else when it is called."""

    def call(self, inputs, training=None):
        return -super().call(inputs, training=training)


def test_functional_model_that_overrides_call_is_not_read_as_a_graph():
    x = keras.Input((4,))
    model = randomise(Branching(x, L.Dense(2)(L.Dense(3, activation="relu")(x))))
    data = rng().normal(size=(3, 4)).astype("float32")
    truth = tape_gradient(model, data, lambda y: tf.reduce_max(y, -1))
    assert_alike(explained("gradient", model, data), truth, 1e-6)
    with pytest.raises(innexplain.errors.GraphError, match="overrides call"):
        create("guided_backprop", model)


@over("gradient", *READERS)
def test_model_without_any_layer(name):
    """Input and output are one tensor: the score is the input itself."""
    x = keras.Input((4,))
    analyzer = create_or_refuse(name, keras.Model(x, x), "", neuron_selection_mode="index")
    if analyzer is None:
        return
    data = rng().normal(size=(2, 4)).astype("float32")
    with silent_maps_allowed():
        maps, info = analyzer.analyze(data, 1, return_info=True)
    np.testing.assert_allclose(info["score"], data[:, 1])
    if name == "gradient":
        np.testing.assert_array_equal(maps, [[0, 1, 0, 0]] * 2)
    assert maps.shape == data.shape
