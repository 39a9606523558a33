"""Parameter randomisation: what becomes of maps, of which neurons."""

import keras
import numpy as np
import pytest
from keras import layers as L

import innexplain
from innexplain.errors import ArgumentError
from innexplain.evaluators import RandomisationResult, parameter_randomisation, rank_correlation, ssim
from tests import zoo
from tests.evaluators.randomised import LAYERS, X, network, watched

both_modes = pytest.mark.parametrize("mode", ["cascading", "independent"])


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """One for all: its weights come back, which test_randomisation_models.py holds to every bit."""
    return network()


@pytest.fixture(scope="module")
def cascading(model: keras.Model) -> RandomisationResult:
    """What the defaults find of gradients."""
    return parameter_randomisation(model, X, "gradient")


# --- What is found -------------------------------------------------------------------------------


@both_modes
def test_a_map_that_does_not_look_at_weights_stays(mode: str, model: keras.Model) -> None:
    found = parameter_randomisation(model, X, "input", mode=mode)
    assert found.layers == LAYERS
    assert found.mode == mode
    np.testing.assert_allclose(found.rank_correlation, np.ones((5, 3)), rtol=1e-12)
    np.testing.assert_allclose(found.ssim, np.ones((5, 3)), rtol=1e-12)


@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize("name", ["gradient", "lrp.epsilon"])
def test_maps_that_look_at_weights_change(name: str, absolute: bool, model: keras.Model) -> None:
    found = parameter_randomisation(model, X, name, absolute=absolute)
    assert (found.mean_rank_correlation < 0.9).all()
    assert found.mean_rank_correlation[-1] < 0.5
    assert (found.mean_ssim < 0.9).all()
    np.testing.assert_allclose(found.mean_ssim, found.ssim.mean(axis=1))
    np.testing.assert_allclose(found.mean_rank_correlation, found.rank_correlation.mean(axis=1))


def test_layers_that_no_map_depends_on_change_nothing() -> None:
    """A gradient does not see the bias of the last layer, and a linear one's no input either."""
    x = keras.Input((6,))
    model = zoo.randomise(keras.Model(x, L.Dense(1, name="top")(L.Dense(1, name="low", use_bias=False)(x))))
    found = parameter_randomisation(model, X[:, 0, :3].reshape(3, 6), "gradient", mode="independent")
    np.testing.assert_allclose(found.rank_correlation[0], 1)  # a factor for all of the map
    assert (found.rank_correlation[1] < 0.99).all()


def reference(model: keras.Model, analyzer: str, mode: str, seed: int) -> list[np.ndarray]:
    """The maps with weights set by hand, of another network."""
    neurons = np.asarray(model(X)).argmax(axis=1)
    maps, copy = [], network()
    base, trained = copy.get_layer("base"), copy.get_weights()
    for last in range(len(LAYERS)):
        copy.set_weights(trained)
        for number in range(last + 1) if mode == "cascading" else [last]:
            name = LAYERS[number].split("/")[-1]
            layer = base.get_layer(name) if number > 2 else copy.get_layer(name)
            rng = np.random.default_rng([seed, number])
            new = []
            for w in layer.get_weights():
                wide = w.astype("float64")
                new.append(
                    rng.permutation(w) if w.ndim == 1 else rng.normal(wide.mean(), wide.std(), w.shape)
                )
            layer.set_weights(new)
        made = innexplain.create_analyzer(analyzer, copy, neuron_selection_mode="index")
        maps.append(made.analyze(X, neurons).sum(axis=-1))
    return maps


@both_modes
@pytest.mark.parametrize("name", ["gradient", "lrp.epsilon"])
def test_maps_are_those_of_networks_with_these_weights(mode: str, name: str, model: keras.Model) -> None:
    found = parameter_randomisation(model, X, name, mode=mode, seed=5)
    original = innexplain.create_analyzer(name, model).analyze(X).sum(axis=-1)
    for row, maps in enumerate(reference(model, name, mode, 5)):
        np.testing.assert_allclose(found.ssim[row], ssim(original, maps), atol=1e-4)
        np.testing.assert_allclose(found.rank_correlation[row], rank_correlation(original, maps), atol=1e-3)


def test_both_modes_begin_alike_and_go_apart(model: keras.Model, cascading: RandomisationResult) -> None:
    a, b = cascading, parameter_randomisation(model, X, "gradient", mode="independent")
    np.testing.assert_allclose(a.ssim[0], b.ssim[0], rtol=1e-5)
    assert (np.abs(a.ssim[1:] - b.ssim[1:]).max(axis=1) > 1e-3).all()


def test_batches_do_not_matter_and_the_seed_does(model: keras.Model, cascading: RandomisationResult) -> None:
    for batch_size in (1, 2):
        parts = parameter_randomisation(model, X, "gradient", batch_size=batch_size)
        np.testing.assert_allclose(cascading.ssim, parts.ssim, atol=1e-4)
    other = parameter_randomisation(model, X, "gradient", seed=1)
    assert (np.abs(cascading.ssim - other.ssim) > 1e-4).all()


def test_kernels_keep_mean_and_deviation_and_vectors_their_values() -> None:
    model = zoo.randomise(keras.Sequential([keras.Input((200,)), L.Dense(300), L.BatchNormalization()]))
    kernel, bias, *statistics = model.get_weights()
    seen: list[list[np.ndarray]] = []
    analyzer = watched(model, lambda: seen.append(model.get_weights()))
    parameter_randomisation(model, np.ones((1, 200)), analyzer)
    new_kernel, new_bias, *new_statistics = seen[-1]
    assert not np.isclose(new_kernel, kernel).mean() > 0.01
    assert new_kernel.mean() == pytest.approx(kernel.mean(), abs=5 * kernel.std() / np.sqrt(kernel.size))
    assert new_kernel.std() == pytest.approx(kernel.std(), rel=0.02)
    for old, new in zip([bias, *statistics], [new_bias, *new_statistics], strict=True):
        assert not np.array_equal(old, new)
        np.testing.assert_array_equal(np.sort(old), np.sort(new))


# --- The neuron that is explained ----------------------------------------------------------------


@pytest.mark.parametrize("mode", ["max_activation", "index"])
@pytest.mark.parametrize("selection", [None, [3, 0, 2]])
def test_the_neuron_stays_the_same(mode: str, selection: list | None, model: keras.Model) -> None:
    predicted: list[list[int]] = []

    def predict() -> None:
        predicted.append(np.argmax(model(X), axis=1).tolist())

    analyzer = watched(model, predict, neuron_selection_mode=mode)
    if mode == "max_activation" and selection is not None:
        with pytest.raises(ArgumentError, match="this analyzer was made with max_activation"):
            parameter_randomisation(model, X, analyzer, neuron_selection=selection)
        return
    parameter_randomisation(model, X, analyzer, neuron_selection=selection)
    assert predicted[0] != predicted[-1]  # the random network would choose others
    assert [neurons.tolist() for neurons in analyzer.neurons] == [selection or predicted[0]] * 6


def test_a_chosen_neuron_by_name_is_that_of_an_analyzer(model: keras.Model) -> None:
    made = innexplain.create_analyzer("gradient", model, neuron_selection_mode="index")
    a = parameter_randomisation(model, X, "gradient", neuron_selection=1)
    b = parameter_randomisation(model, X, made, neuron_selection=[1, 1, 1])
    np.testing.assert_array_equal(a.ssim, b.ssim)
    other = parameter_randomisation(model, X, "gradient", neuron_selection=2)
    assert np.abs(a.ssim - other.ssim).max() > 1e-3


def test_one_sigmoid_unit() -> None:
    model = zoo.randomise(keras.Sequential([keras.Input((6,)), L.Dense(5), L.Dense(1, activation="sigmoid")]))
    found = parameter_randomisation(model, X[:, 0, :3].reshape(3, 6), "lrp.epsilon")
    assert found.ssim.shape == (2, 3)
    assert (found.mean_ssim < 0.99).all()
