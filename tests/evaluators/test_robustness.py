"""Max-sensitivity and completeness gaps, of maps for which both are known."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as L

import innexplain
from innexplain.errors import ArgumentError, InputError
from innexplain.evaluators import completeness_gap, max_sensitivity
from innexplain.randomness import sample_rng
from tests import zoo
from tests.evaluators.randomised import SHAPE, X, network

NORMS = [1, 2, np.inf]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# --- Max-sensitivity -----------------------------------------------------------------------------


def test_a_map_that_does_not_look_at_the_input_is_steady() -> None:
    assert max_sensitivity(lambda x: np.ones((len(x), 7)), X).tolist() == [0, 0, 0]
    linear = zoo.randomise(keras.Sequential([keras.Input((6,)), L.Dense(1)]))
    gradient = innexplain.create_analyzer("gradient", linear)
    assert max_sensitivity(gradient, rng().random((4, 6)).astype("float32")).tolist() == [0] * 4


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_input_as_its_own_map_moves_by_the_noise(norm, dtype: str) -> None:
    """`max_e ||e|| / ||x||`, with noise drawn here anew."""
    x = X.astype(dtype)
    found = max_sensitivity(lambda rows: rows, x, radius=0.1, samples=4, seed=3, norm=norm)
    for i, value in enumerate(found):
        noise = [sample_rng(3, [x], i, k, 2).uniform(-1, 1, SHAPE) for k in range(4)]
        lengths = [np.linalg.norm((0.1 * np.ptp(x[i]) * e).ravel(), norm) for e in noise]
        assert value == pytest.approx(max(lengths) / np.linalg.norm(x[i].ravel(), norm), rel=1e-4)


def test_noise_stays_within_the_radius_and_reaches_it() -> None:
    asked: list[np.ndarray] = []
    x = X * np.array([1, 10, 0.1], "float32")[:, None, None, None]
    max_sensitivity(lambda rows: asked.append(rows) or rows, x, x, radius=0.25, samples=20, batch_size=60)
    noise = asked[0].reshape(3, 20, -1) - x.reshape(3, 1, -1)
    limits = 0.25 * np.ptp(x.reshape(3, -1), axis=1)
    np.testing.assert_allclose(np.abs(noise).max(axis=(1, 2)), limits, rtol=1e-2)
    assert (np.abs(noise).max(axis=(1, 2)) <= limits * (1 + 1e-5)).all()
    assert len({row.tobytes() for row in asked[0]}) == 60


def test_more_radius_and_more_samples_find_more() -> None:
    analyzer = innexplain.create_analyzer("gradient", network())
    by_radius = [max_sensitivity(analyzer, X, radius=r, samples=3) for r in (0, 0.01, 0.1)]
    assert by_radius[0].tolist() == [0, 0, 0]
    assert (by_radius[1] > 0).all() and (by_radius[2] > by_radius[1]).all()
    by_samples = [max_sensitivity(analyzer, X, samples=s) for s in (1, 4, 16)]
    assert (np.diff(by_samples, axis=0) >= 0).all() and (by_samples[2] > by_samples[0]).any()


@pytest.mark.parametrize("batch_size", [1, 3, 7])
def test_batches_and_other_samples_do_not_matter(batch_size: int) -> None:
    sizes: list[int] = []

    def explain(rows: np.ndarray) -> np.ndarray:
        sizes.append(len(rows))
        return np.sin(5 * rows)

    whole = max_sensitivity(explain, X, batch_size=100)
    sizes.clear()
    np.testing.assert_array_equal(max_sensitivity(explain, X, batch_size=batch_size), whole)
    assert max(sizes) == batch_size and sum(sizes) == 3 + 30
    np.testing.assert_array_equal(max_sensitivity(explain, X[1:2], batch_size=batch_size), whole[1:2])
    assert (max_sensitivity(explain, X, seed=1) != whole).all()


def test_known_attributions_save_their_calls() -> None:
    sizes: list[int] = []
    maps = np.sin(X)
    found = max_sensitivity(lambda rows: sizes.append(len(rows)) or np.sin(rows), X, maps)
    np.testing.assert_array_equal(found, max_sensitivity(np.sin, X))
    assert sum(sizes) == 30
    twice = max_sensitivity(lambda rows: 2 * maps[:1].repeat(len(rows), axis=0), X[:1], maps[:1])
    assert twice == pytest.approx([1])


def test_an_analyzer_is_asked_as_analyze_would_be() -> None:
    model = network()
    for name in ("gradient", "sensitivity", "smoothgrad"):
        own = {"augment_by_n": 3} if name == "smoothgrad" else {}
        analyzer = innexplain.create_analyzer(name, model, neuron_selection_mode="index", **own)
        found = max_sensitivity(analyzer, X, neuron_selection=1, samples=3, batch_size=4)
        expected = max_sensitivity(lambda rows, a=analyzer: a.analyze(rows, 1), X, samples=3, batch_size=4)
        np.testing.assert_allclose(found, expected, rtol=1e-3)
        maps = analyzer.analyze(X, 1)
        known = max_sensitivity(analyzer, X, maps, neuron_selection=1, samples=3, batch_size=4)
        np.testing.assert_allclose(known, expected, rtol=1e-3)
        assert (found > 0.001).all()


def test_an_analyzer_keeps_to_the_neuron_of_the_sample() -> None:
    """Two classes that take turns with the sign of a feature: their gradients are opposite constants."""
    model = keras.Sequential([keras.Input((2,)), L.Dense(2)])
    model.set_weights([np.array([[1.0, -1.0], [0.0, 0.0]]), np.zeros(2)])
    x = np.array([[0.001, 1]], "float32")
    for mode in ("max_activation", "index"):
        analyzer = innexplain.create_analyzer("gradient", model, neuron_selection_mode=mode)
        assert max_sensitivity(analyzer, x, radius=0.5).tolist() == [0]
    analyzer = innexplain.create_analyzer("gradient", model)
    assert max_sensitivity(analyzer.analyze, x, radius=0.5) == pytest.approx([2])  # the neuron flips


def test_maps_of_zeros() -> None:
    x = np.array([[0.0, 1.0]])
    assert max_sensitivity(lambda rows: 0 * rows, x).tolist() == [0]
    assert max_sensitivity(lambda rows: rows - x, x, np.zeros((1, 2))).tolist() == [np.inf]


def test_whole_numbers_are_moved_as_floats() -> None:
    dtypes = []
    x = rng().integers(0, 256, (2, 4, 4, 1), "uint8")
    found = max_sensitivity(lambda rows: dtypes.append(rows.dtype) or rows, x, radius=0.001)
    assert set(dtypes) == {np.dtype("float32")}
    assert (found > 0).all() and (found < 0.003).all()


def test_what_was_given_is_not_changed() -> None:
    x = X.copy()

    def careless(rows: np.ndarray) -> np.ndarray:
        rows *= 2
        return rows

    max_sensitivity(careless, x)
    np.testing.assert_array_equal(x, X)


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"explain": "gradient"}, ArgumentError, "explain must be an analyzer, or a function"),
        ({"x": X * np.nan}, InputError, "x must be finite"),
        ({"x": {"a": X}}, InputError, "x must be one array"),
        ({"attributions": X[:2]}, InputError, "must be 3 maps"),
        ({"attributions": X[..., 0]}, InputError, "must be those that explain gives"),
        ({"attributions": X * np.inf}, InputError, "attributions must be finite"),
        ({"explain": lambda rows: rows[:1]}, InputError, "must be 3 maps"),
        ({"explain": lambda rows: rows * np.nan}, InputError, "attributions must be finite"),
        ({"radius": -0.1}, ArgumentError, "radius must be"),
        ({"radius": np.inf}, ArgumentError, "radius must be"),
        ({"samples": 0}, ArgumentError, "samples must be"),
        ({"seed": 0.5}, ArgumentError, "seed must be"),
        ({"batch_size": 0}, ArgumentError, "batch_size must be"),
        ({"norm": 3}, ArgumentError, "norm must be 1, 2 or numpy.inf"),
        ({"norm": "fro"}, ArgumentError, "norm must be 1, 2 or numpy.inf"),
        ({"neuron_selection": 1}, ArgumentError, "neuron_selection is for analyzers"),
    ],
)
def test_bad_arguments_are_refused(changed: dict, error: type, words: str) -> None:
    given = {"explain": np.sin, "x": X, **changed}
    with np.errstate(invalid="ignore"), pytest.raises(error, match=words):
        max_sensitivity(given.pop("explain"), given.pop("x"), **given)


# --- Completeness --------------------------------------------------------------------------------


def biased() -> keras.Model:
    """Two linear layers: what the bias adds is what relevance loses."""
    return zoo.randomise(keras.Sequential([keras.Input((6,)), L.Dense(1)]))


def test_the_gap_is_what_is_missing_from_the_score() -> None:
    model = biased()
    x = rng().random((5, 6)).astype("float32")
    for name in ("lrp.z", "integrated_gradients"):
        analyzer = innexplain.create_analyzer(name, model)
        missing = np.asarray(model(x))[:, 0] - analyzer.analyze(x).sum(axis=1)
        missing = missing if name == "lrp.z" else missing - model.get_weights()[1]
        np.testing.assert_allclose(completeness_gap(analyzer, x), missing, atol=1e-5)
    few = innexplain.create_analyzer("integrated_gradients", network(), steps=1)
    many = innexplain.create_analyzer("integrated_gradients", network(), steps=200)
    gaps = [np.abs(completeness_gap(a, X)) for a in (few, many)]
    assert (gaps[1] < 0.05 * gaps[0]).all()


@pytest.mark.parametrize("labels", [False, True])
def test_a_data_set_is_the_same_as_its_array(labels: bool) -> None:
    analyzer = innexplain.create_analyzer("integrated_gradients", network(), steps=3)
    data = tf.data.Dataset.from_tensor_slices((X, [0, 1, 2]) if labels else X).batch(2)
    found = completeness_gap(analyzer, data)
    np.testing.assert_allclose(found, completeness_gap(analyzer, X), atol=1e-5)
    assert (np.abs(found) > 1e-4).all()


def test_another_neuron_has_another_gap() -> None:
    analyzer = innexplain.create_analyzer("lrp.epsilon", network(), neuron_selection_mode="index")
    gaps = [completeness_gap(analyzer, X, neuron_selection=k) for k in (0, 1)]
    assert np.abs(gaps[0] - gaps[1]).max() > 1e-3
    data = tf.data.Dataset.from_tensor_slices(X).batch(2)
    np.testing.assert_allclose(completeness_gap(analyzer, data, neuron_selection=1), gaps[1], rtol=1e-4)


@pytest.mark.parametrize("name", ["gradient", "sensitivity", "random"])
def test_methods_that_promise_nothing_are_refused(name: str) -> None:
    analyzer = innexplain.create_analyzer(name, network())
    with pytest.raises(ArgumentError, match=f"{name} promises no sum"):
        completeness_gap(analyzer, X)


def test_bad_data_are_refused() -> None:
    analyzer = innexplain.create_analyzer("lrp.epsilon", network())
    with pytest.raises(InputError, match="The dataset is empty"):
        completeness_gap(analyzer, tf.data.Dataset.from_tensor_slices(X[:0]).batch(2))
    with pytest.raises(InputError, match="never ends"):
        completeness_gap(analyzer, tf.data.Dataset.from_tensor_slices(X).batch(2).repeat())
    with pytest.raises(InputError, match="must have shape"):
        completeness_gap(analyzer, X[..., :1])
    with pytest.raises(ArgumentError, match=r"one that create_analyzer made\. Received: str"):
        completeness_gap("lrp.epsilon", X)
