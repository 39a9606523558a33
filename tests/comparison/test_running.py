"""compare(): its numbers are those of the evaluators, for every kind of method and of input."""

import keras
import numpy as np
import pytest

import innexplain
from innexplain import evaluators
from innexplain.comparison import (
    Completeness,
    Complexity,
    MaxSensitivity,
    Randomisation,
    RegionPerturbation,
    StrongFeatures,
    compare,
)
from tests.comparison.cases import FAST, SHAPE, Linear, flat_network, inputs, network, noise

Y = np.array([0, 1, 2])
TARGET = np.array([2, 0, 1])
SETTINGS = {"region_size": 2, "steps": 3, "repeats": 2}


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return network()


@pytest.fixture(scope="module")
def found(model):
    """Everything, for classes that are not the predicted ones."""
    chosen = [
        FAST, Complexity(), Completeness(), MaxSensitivity(samples=2), Randomisation(), StrongFeatures(0.3),
    ]  # fmt: skip
    return compare(
        model, inputs(), ["lrp.epsilon", "sensitivity", "random"], chosen, Y, target=TARGET, seed=3
    )


@pytest.mark.parametrize("name", ["lrp.epsilon", "sensitivity", "random"])
def test_every_number_is_that_of_the_evaluator(model, found, name: str) -> None:
    x = inputs()
    analyzer = innexplain.create_analyzer(name, model, neuron_selection_mode="index")
    maps, info = analyzer.analyze(x, TARGET, return_info=True)
    sensitivity = evaluators.max_sensitivity(analyzer, x, samples=2, seed=3, neuron_selection=TARGET)
    random = evaluators.parameter_randomisation(model, x, analyzer, seed=3, neuron_selection=TARGET)
    perturbed = evaluators.region_perturbation(model, x, maps, **SETTINGS, target=TARGET, seed=3)
    strong = evaluators.strong_features(model, x, maps, Y, threshold=0.3, seed=3)
    flat = maps.sum(axis=-1) if maps.ndim == 4 else maps
    expected = {
        "AOPC": perturbed.aopc_per_image[:, -1],
        "AOPC - random": perturbed.aopc_per_image_minus_random[:, -1],
        "PNG bytes": evaluators.png_size(flat),
        "JPEG bytes": evaluators.jpeg_size(flat),
        "entropy, bits": evaluators.entropy(flat),
        "Gini": evaluators.gini(flat),
        "max-sensitivity": sensitivity,
        "rank corr., randomised": random.rank_correlation[-1],
        "SSIM, randomised": random.ssim[-1],
        "accuracy": strong.full,
        "only strong": strong.only_strong,
        "without strong": strong.without_strong,
    }
    if info["gap"] is not None:
        expected["|gap|"] = np.abs(info["gap"])
    assert set(expected) == {column for column in found.columns if name in found.values(column)}
    np.testing.assert_array_equal(found.maps[name], maps)
    for column, values in expected.items():
        np.testing.assert_allclose(found.values(column)[name], values, 1e-6, 1e-9, err_msg=column)
    np.testing.assert_allclose(found.curves("scores")[name], perturbed.scores, 1e-6)
    np.testing.assert_allclose(found.curves("random")[name], perturbed.random_scores, 1e-6)
    np.testing.assert_allclose(found.curves()[name], perturbed.aopc_per_image_minus_random, 1e-5, 1e-8)


def test_the_class_matters_and_is_the_same_for_all(model, found) -> None:
    """Scores start at the output for the class asked for, which is not the predicted one everywhere."""
    outputs = np.asarray(model(inputs()))
    assert (outputs.argmax(axis=1) != TARGET).any()
    for scores in found.curves("scores").values():
        np.testing.assert_allclose(scores[:, 0], outputs[np.arange(3), TARGET], 1e-5)
    np.testing.assert_array_equal(found.target, TARGET)
    np.testing.assert_allclose(found.outputs, outputs, 1e-5)
    predicted = compare(model, inputs(), ["lrp.epsilon"], [Complexity()])
    np.testing.assert_array_equal(predicted.target, outputs.argmax(axis=1))
    assert not np.allclose(predicted.maps["lrp.epsilon"], found.maps["lrp.epsilon"])


def test_the_random_order_is_run_once() -> None:
    """Rows: x itself, then per map x and its steps, and the random order for all of them together."""
    function, x = Linear(), inputs()
    maps = {"right": function.maps(x, TARGET), "a": noise(x, 1), "b": noise(x, 2)}
    found = compare(function, x, maps, [FAST], batch_size=4)
    steps = len(x) * FAST.repeats * FAST.steps
    assert function.rows == len(x) + 3 * (len(x) + steps) + steps
    assert function.largest == 4
    random = list(found.curves("random").values())
    assert all(np.array_equal(r, random[0]) for r in random)


def test_maps_that_are_right_beat_noise_whatever_computed_them() -> None:
    """A function of NumPy, and maps with and without channels: no Keras anywhere."""
    function, x = Linear(), inputs(8)
    classes = function(x).argmax(axis=1)
    right = function.maps(x, classes)
    settings = RegionPerturbation(1, steps=10, repeats=3)
    found = compare(function, x, {"right": right, "summed": right.sum(-1), "noise": noise(x)}, [settings])
    gain = found.values("AOPC - random")
    assert gain["right"].mean() > gain["noise"].mean() + 0.05
    np.testing.assert_allclose(gain["right"], gain["summed"])
    direct = evaluators.region_perturbation(function, x, right, region_size=1, steps=10, repeats=3)
    np.testing.assert_array_equal(found.values("AOPC")["right"], direct.aopc_per_image[:, -1])
    assert np.isnan(found.entries[0].seconds)


def test_methods_that_only_call_a_function_are_compared_on_it() -> None:
    """Its scores are judged, and its weights, of which nothing is known, are not."""
    function, x = Linear(), inputs()
    found = compare(function, x, ["input", "random"], [FAST, "max_sensitivity", "randomisation"])
    np.testing.assert_array_equal(found.maps["input"], x)
    given = compare(function, x, {"a": found.maps["random"]}, [FAST])
    np.testing.assert_array_equal(found.values("AOPC")["random"], given.values("AOPC")["a"])
    assert np.isfinite(found.values("max-sensitivity")["random"]).all()
    assert found.entries[0].findings["randomisation"].values == {}


@pytest.mark.parametrize("order", ["morf", "lerf", "random"])
def test_what_is_better_depends_on_the_order(order: str) -> None:
    function, x = Linear(), inputs()
    found = compare(function, x, {"right": noise(x)}, [RegionPerturbation(2, 3, order, repeats=2)])
    better = {"morf": "higher", "lerf": "lower", "random": ""}[order]
    assert found.columns == {"AOPC": better, "AOPC - random": better}
    direct = evaluators.region_perturbation(function, x, noise(x), **SETTINGS, order=order)
    np.testing.assert_array_equal(found.values("AOPC")["right"], direct.aopc_per_image[:, -1])
    if order == "random":
        assert not found.values("AOPC - random")["right"].any()


def test_an_analyzer_that_refuses_is_listed_and_stops_nobody() -> None:
    linear = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    found = compare(linear, inputs(2, (6, 6, 1)), ["deconvnet", "gradient"], [Complexity()])
    assert list(found.maps) == ["gradient"]
    assert "has none" in found.refusals["deconvnet"]
    assert list(found.values("Gini")) == ["gradient"]
    with pytest.raises(
        innexplain.errors.ArgumentError, match=r"Every analyzer refused the model: deconvnet: "
    ):
        compare(linear, inputs(2, (6, 6, 1)), ["deconvnet"], [Complexity()])


def test_objects_keep_their_settings_and_are_numbered(model) -> None:
    x = inputs()
    norms = [innexplain.create_analyzer("sensitivity", model, norm=n) for n in (1, 2)]
    found = compare(model, x, [norms[0], "sensitivity", norms[1]], [Complexity()])
    assert list(found.maps) == ["sensitivity", "sensitivity (2)", "sensitivity (3)"]
    np.testing.assert_array_equal(found.maps["sensitivity"], norms[0].analyze(x))
    np.testing.assert_array_equal(found.maps["sensitivity (3)"], norms[1].analyze(x))
    labelled = compare(model, x, {"norm 1": norms[0], "max": "sensitivity"}, [Complexity()])
    np.testing.assert_array_equal(labelled.maps["norm 1"], found.maps["sensitivity"])
    np.testing.assert_array_equal(labelled.maps["max"], found.maps["sensitivity (2)"])


def test_tensors_and_lists_of_other_packages_become_arrays() -> None:
    function, x = Linear(), inputs()
    given = keras.ops.convert_to_tensor(noise(x))
    found = compare(function, x.tolist(), {"tensor": given}, ["complexity"])
    assert type(found.maps["tensor"]) is np.ndarray
    np.testing.assert_array_equal(found.maps["tensor"], noise(x))


@pytest.mark.parametrize("shape", [(8,), (9, 2), (6, 5, 2), (4, 4, 3, 2)], ids=len)
def test_inputs_of_every_rank(shape: tuple[int, ...], tmp_path) -> None:
    """Tables, signals, images and volumes; the pictures of each, in a report of the first and the last."""
    x = inputs(2, shape)
    steps = RegionPerturbation(2, 2, repeats=1)
    found = compare(flat_network(shape), x, ["gradient", "random"], [steps, Complexity()])
    assert found.maps["gradient"].shape == x.shape
    assert np.isfinite(found.values("AOPC")["gradient"]).all()
    pictures = set(found.pictures())
    if len(shape) in (1, 4):
        found.save(tmp_path)
        assert {path.stem for path in tmp_path.glob("*.png")} == pictures
    assert pictures == {"curves", "complexity"} | ({"maps"} if len(shape) < 4 else set())


def test_channels_first_is_the_same_as_last() -> None:
    """The same numbers on the transposed network; `sensitivity` has no channel axis either way."""
    last = network()
    first_input = keras.Input((2, 7, 5))
    first = keras.Model(first_input, last(keras.layers.Permute((2, 3, 1))(first_input)))
    x = inputs()
    kinds = [FAST, Complexity()]
    a = compare(last, x, ["gradient", "sensitivity"], kinds)
    maps = {name: np.moveaxis(m, -1, 1) if m.ndim == 4 else m for name, m in a.maps.items()}
    b = compare(first, np.moveaxis(x, -1, 1), maps, kinds, channel_axis=0)
    direct = compare(first, np.moveaxis(x, -1, 1), ["gradient"], kinds, channel_axis=0)
    assert b.plot_maps().axes[0].images[0].get_array().shape == (7, 5, 3)
    for name in a.maps:
        for column in ("PNG bytes", "Gini"):
            np.testing.assert_allclose(a.values(column)[name], b.values(column)[name], 1e-6)
        np.testing.assert_allclose(a.curves("scores")[name][:, 0], b.curves("scores")[name][:, 0], 1e-5)
    np.testing.assert_allclose(direct.maps["gradient"], maps["gradient"], 1e-4, 1e-7)
    assert direct.curves("scores")["gradient"].shape == (3, 4)


def test_pictures_without_a_channel_axis() -> None:
    x = inputs(2, (7, 5))
    found = compare(Linear((7, 5)), x, {"a": noise(x)}, [FAST, "complexity"], channel_axis=None)
    direct = evaluators.region_perturbation(Linear((7, 5)), x, noise(x), **SETTINGS, channel_axis=None)
    np.testing.assert_array_equal(found.curves("scores")["a"], direct.scores)
    assert found.plot_maps().axes[0].images[0].get_array().shape == (7, 5, 3)


def test_one_sigmoid_unit_has_two_classes() -> None:
    keras.utils.set_random_seed(0)
    unit = keras.layers.Dense(1, activation="sigmoid")
    model = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Flatten(), unit])
    x = inputs(4, (6, 6, 1)) - 0.5
    found = compare(model, x, ["gradient"], [FAST], target=[0, 1, 0, 1], y=[0, 0, 1, 1])
    p = np.asarray(model(x))[:, 0]
    np.testing.assert_allclose(
        found.curves("scores")["gradient"][:, 0], [1 - p[0], p[1], 1 - p[2], p[3]], 1e-5
    )
    kernel = unit.get_weights()[0].reshape(6, 6, 1)
    np.testing.assert_allclose(found.maps["gradient"], [-kernel, kernel, -kernel, kernel], 1e-6)


def test_the_model_is_untouched(model) -> None:
    x = inputs()
    before = [w.copy() for w in model.get_weights()]
    outputs = model.predict(x, verbose=0)
    nodes = [len(layer._inbound_nodes) for layer in model.layers]
    config = model.get_config()
    compare(model, x, ["lrp.epsilon", "deconvnet"], [FAST, Randomisation(), MaxSensitivity(samples=1)])
    assert [len(layer._inbound_nodes) for layer in model.layers] == nodes
    assert model.get_config() == config
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    np.testing.assert_array_equal(model.predict(x, verbose=0), outputs)


def test_results_do_not_depend_on_the_batch_size() -> None:
    function, x = Linear(), inputs()
    maps = {"a": noise(x)}
    one, many = (compare(function, x, maps, [FAST], batch_size=b) for b in (1, 64))
    np.testing.assert_allclose(one.curves("scores")["a"], many.curves("scores")["a"], 1e-12)
    other = compare(function, x, maps, [FAST], seed=1)
    assert not np.allclose(one.curves("scores")["a"][:, 1:], other.curves("scores")["a"][:, 1:])


def test_progress_tells_what_is_done(model, capsys) -> None:
    compare(model, inputs(), ["gradient"], [FAST, Completeness()], progress=True)
    lines = capsys.readouterr().out.splitlines()
    said = [line for line in lines if line.startswith("gradient: ")]
    assert said == ["gradient: explaining", "gradient: region perturbation", "gradient: completeness"]


def test_attributions_have_the_form_of_quantus_a_batch(model) -> None:
    """Quantus takes x with channels first and an array of that shape, or one without channels."""
    x = inputs()
    x_batch = np.moveaxis(x, -1, 1)
    found = compare(model, x, ["gradient", "sensitivity"], [Complexity()])
    whole, spatial = np.moveaxis(found.maps["gradient"], -1, 1), found.maps["sensitivity"]
    for a_batch in (whole, spatial):
        assert type(a_batch) is np.ndarray
        assert a_batch.dtype == x.dtype
        assert len(np.unique(a_batch)) > 1
    assert whole.shape == x_batch.shape == (3, 2, *SHAPE[:2])
    assert spatial.shape == (3, *x_batch.shape[2:])
