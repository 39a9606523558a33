"""Parameter randomisation: the weights of the user come back; models of all kinds; bad input."""

import itertools

import keras
import numpy as np
import pytest
from keras import layers as L

import innexplain
from innexplain.errors import ArgumentError, InputError, ModelError, UnknownNameError
from innexplain.evaluators import parameter_randomisation
from innexplain.evaluators.held import hold
from tests import zoo
from tests.evaluators.randomised import SHAPE, X, bits, network, watched
from tests.zoo.models import MODELS

both_modes = pytest.mark.parametrize("mode", ["cascading", "independent"])


# --- The user's model ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "dtype"),
    [
        *((mode, dtype) for mode in ("cascading", "independent") for dtype in (None, "bfloat16")),
        ("cascading", "float64"),
        ("independent", "mixed_float16"),
    ],
)
def test_weights_come_back_bit_for_bit(mode: str, dtype: str | None) -> None:
    model = network(dtype)
    before, outputs = bits(model), keras.ops.convert_to_numpy(model(X))
    parameter_randomisation(model, X, "gradient", mode=mode)
    assert bits(model) == before
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model(X)), outputs)


@both_modes
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, MemoryError])
def test_weights_come_back_after_an_interruption(mode: str, error: type) -> None:
    model = network()
    before, changed, calls = bits(model), [], []

    def interrupt() -> None:
        calls.append(None)
        changed.append(bits(model) != before)
        if len(calls) == 4:
            raise error

    with pytest.raises(error):
        parameter_randomisation(model, X, watched(model, interrupt), mode=mode)
    assert changed == [False, True, True, True]
    assert bits(model) == before


def test_independent_layers_come_back_before_the_next_one() -> None:
    model = network()
    before = model.get_weights()
    changed: list[list[int]] = []

    def note() -> None:
        pairs = zip(before, model.get_weights(), strict=True)
        changed.append([i for i, (old, new) in enumerate(pairs) if not np.array_equal(old, new)])

    parameter_randomisation(model, X, watched(model, note), mode="independent")
    assert changed[0] == []
    for one, other in itertools.pairwise(changed[1:]):
        assert one and other and not set(one) & set(other)
    assert sorted(i for rows in changed for i in rows) == list(range(len(before)))


@pytest.mark.compiled
def test_nothing_is_compiled_or_connected_anew() -> None:
    model = network()
    analyzer = innexplain.create_analyzer("lrp.epsilon", model)
    nodes = [len(layer._inbound_nodes) for layer in model.layers]
    parameter_randomisation(model, X, analyzer)
    traces = analyzer.network.runner.traces
    assert traces == 2  # scores alone, and maps
    parameter_randomisation(model, X[:2], analyzer, mode="independent", batch_size=1)
    assert analyzer.network.runner.traces == traces
    assert [len(layer._inbound_nodes) for layer in model.layers] == nodes


# --- Other models --------------------------------------------------------------------------------


def test_layers_of_another_output_are_left_alone() -> None:
    x = keras.Input(SHAPE)
    y = L.Flatten()(L.Conv2D(3, 3, name="stem")(x))
    model = zoo.randomise(keras.Model(x, [L.Dense(2, name="a")(y), L.Dense(3, name="b")(y)]))
    analyzer = innexplain.create_analyzer("gradient", model, output=1)
    assert parameter_randomisation(model, X, analyzer).layers == ("b", "stem")


def test_a_subclassed_model_layer_by_layer() -> None:
    class Subclassed(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="own")
            self.low, self.top = L.Dense(5, activation="tanh", name="low"), L.Dense(3, name="top")
            self.scale = self.add_weight(shape=(3,), initializer="ones", name="scale")

        def call(self, x):
            return self.top(self.low(x)) * self.scale

    model, x = Subclassed(), X[:, 0, :3].reshape(3, 6)
    model(x)
    before = bits(zoo.randomise(model))
    found = parameter_randomisation(model, x, "gradient", mode="independent")
    assert found.layers == ("own/top", "own/low", "own")
    assert bits(model) == before
    assert (found.mean_rank_correlation[:2] < 0.9).all()


def test_tokens_are_compared_token_by_token() -> None:
    x = keras.Input((8,), dtype="int32")
    y = L.GlobalAveragePooling1D()(
        L.Conv1D(4, 3, activation="tanh", name="conv")(L.Embedding(20, 5, name="e")(x))
    )
    model = zoo.randomise(keras.Model(x, L.Dense(2, name="out")(y)))
    tokens = np.random.default_rng(0).integers(0, 20, (3, 8))
    found = parameter_randomisation(model, tokens, "input_t_gradient", mode="independent")
    assert found.layers == ("out", "conv", "e")
    assert (found.mean_rank_correlation < 0.999).all()  # the embedding is read anew, too
    held = hold(innexplain.create_analyzer("input_t_gradient", model), tokens, 2)
    expected = innexplain.create_analyzer("input_t_gradient", model).analyze(tokens)
    np.testing.assert_allclose(held.now(), expected, rtol=1e-5)


@pytest.mark.parametrize(
    "name",
    [
        "conv_net",
        "residual",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("all_convolutional", "vgg_like")),
    ],
)
def test_networks_of_the_zoo(name: str) -> None:
    model = MODELS[name].build()
    x = MODELS[name].inputs(2, np.random.default_rng(0))
    before = bits(model)
    found = parameter_randomisation(model, x, "gradient")
    weighted = {layer.name for layer in model.layers if layer.weights}
    assert set(found.layers) == weighted and len(found.layers) == len(weighted)
    assert found.mean_rank_correlation[-1] < 0.9
    assert bits(model) == before


def test_progress_counts_layers(capsys) -> None:
    parameter_randomisation(network(), X, "input", progress=True)
    assert "5/5" in capsys.readouterr().out


# --- Bad input -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def intact() -> keras.Model:
    return network()


def weightless() -> keras.Model:
    return keras.Sequential([keras.Input(SHAPE), L.GlobalAveragePooling2D()])


def two_inputs() -> keras.Model:
    x = [keras.Input((3,)), keras.Input((3,))]
    return keras.Model(x, L.Dense(2)(L.Add()(x)))


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        (
            {"analyzer": innexplain.create_analyzer("gradient", network())},
            ArgumentError,
            "explains another model",
        ),
        ({"analyzer": "gradeint"}, UnknownNameError, "Did you mean 'gradient'"),
        ({"analyzer": None}, ArgumentError, "the name of an analyzer"),
        ({"model": weightless()}, ModelError, "no weights to randomise"),
        ({"model": two_inputs(), "x": [X[:, 0, 0, :1]] * 2}, ModelError, "takes 2"),
        ({"model": None}, ModelError, "Expected a keras.Model"),
        ({"x": X[..., :1]}, InputError, "must have shape"),
        ({"x": X * np.nan}, InputError, "must be finite"),
        ({"mode": "cascade"}, ArgumentError, "Did you mean 'cascading'"),
        ({"seed": -1}, ArgumentError, "seed must be"),
        ({"batch_size": 0}, ArgumentError, "batch_size must be"),
        ({"neuron_selection": 4}, ArgumentError, "between 0 and 3"),
        ({"neuron_selection": [0, 1]}, ArgumentError, "list of 3 ints"),
    ],
)
def test_bad_arguments_are_refused(changed: dict, error: type, words: str, intact: keras.Model) -> None:
    given = {"model": intact, "x": X, "analyzer": "gradient", **changed}
    with pytest.raises(error, match=words):
        parameter_randomisation(given.pop("model"), given.pop("x"), given.pop("analyzer"), **given)


def test_a_random_network_that_overflows_is_told() -> None:
    """The intact network keeps to small numbers; one of equal kernels with another mean does not."""
    x = keras.Input((2,))
    model = keras.Model(x, L.Dense(1, name="top")(L.Dense(2, activation="exponential", name="low")(x)))
    model.set_weights([np.array([[-1e4, -1e4], [1e4, 1e4]]), np.zeros(2), np.ones((2, 1)), np.zeros(1)])
    before = bits(model)
    with pytest.raises(InputError, match="gradient gives NaN or infinity: the network overflows"):
        parameter_randomisation(model, np.ones((1, 2)), "gradient", seed=1)
    assert bits(model) == before
