"""The zoo itself: every layer and weight of a test model matters, every pair really is a pair."""

import functools
import itertools
import random

import keras
import numpy as np
import pytest
from keras import ops

from tests import zoo
from tests.zoo import models, real
from tests.zoo.layers import layer_cases

# To be run when the zoo or Keras changes; what is new in Keras is noticed by `test_zoo_rows.py`.
pytestmark = [pytest.mark.zoo, pytest.mark.slow]
LAYER_CASES, MODEL_CASES = layer_cases(), models.model_cases()
PAIRS, SPELLINGS = models.nest_pairs(), models.relu_spellings()


def over(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


def sample(case, seed=0):
    return case.inputs(3, np.random.default_rng(seed))


def outputs(model, x):
    """The outputs as a flat list of float64 arrays."""
    y = model(x, training=False)
    y = list(y.values()) if isinstance(y, dict) else y if isinstance(y, (list, tuple)) else [y]
    return [np.asarray(keras.ops.cast(each, "float64")) for each in y]


def distance(left, right):
    assert len(left) == len(right)
    return max(float(np.max(np.abs(a - b))) for a, b in zip(left, right, strict=True))


def check_weights(model, x, inert=()):
    """A change of any one weight changes the output, but for the weights named inert."""
    before = outputs(model, x)
    assert all(np.isfinite(y).all() for y in before)
    for weight in model.weights:
        value = weight.numpy()
        weight.assign(value * 1.3 + 0.3)
        moved = distance(outputs(model, x), before)
        weight.assign(value)
        if inert and weight.path.endswith(inert):
            assert moved < 1e-5, f"{weight.path} is called inert and moves the output"
        else:
            assert moved > 1e-3, f"{weight.path} does not move the output"


def called_layers(monkeypatch, model, x):
    """Every layer that a forward pass calls, in order."""
    called, call = [], keras.layers.Layer.__call__

    def record(layer, *args, **kwargs):
        called.append(layer)
        return call(layer, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(keras.layers.Layer, "__call__", record)
        model(x, training=False)
    return called


def levels(model):
    """How many models lie inside each other below this one."""
    inner = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    return max((1 + levels(each) for each in inner), default=0)


@over(LAYER_CASES)
def test_layer_case_uses_its_layer(case, monkeypatch):
    model, x = case.build(), sample(case)
    called = called_layers(monkeypatch, model, x)
    assert any(type(layer) is getattr(keras.layers, case.name) for layer in called)
    assert model.count_params() <= 1000
    check_weights(model, x, case.inert)
    assert distance(outputs(model, x), outputs(model, sample(case, seed=1))) > 1e-3
    assert distance(outputs(model, x), outputs(case.build(), x)) == 0.0


@over(MODEL_CASES)
def test_network_calls_every_layer_it_makes(case, monkeypatch):
    made = []

    def make(kit, name):
        def construct(*args, **kwargs):
            layer = getattr(keras.layers, name)(*args, dtype=kit.dtype, **kwargs)
            if name == "Bidirectional":  # it works with copies of the layer it is given
                made.remove(args[0])
            made.append(layer)
            return layer

        return construct

    with monkeypatch.context() as patch:
        patch.setattr(zoo.Kit, "__getattr__", make)
        model = case.build()
    called = {id(layer) for layer in called_layers(monkeypatch, model, sample(case))}
    unused = sorted(type(layer).__name__ for layer in made if id(layer) not in called)
    # A sub-graph begins in the middle of a network by design; nothing else may be made in vain.
    assert unused == (["Conv2D", "MaxPooling2D"] if case.name == "subgraph_net" else [])
    assert len(made) > len(unused)


@over(MODEL_CASES)
def test_network_depends_on_every_weight_and_input(case):
    model, x, other = case.build(), sample(case), sample(case, seed=1)
    assert case.body.__doc__
    assert model.count_params() < 1500
    check_weights(model, x)
    before = outputs(model, x)
    assert distance(before, outputs(case.build(), x)) == 0.0
    assert distance(before, outputs(case.build(seed=1), x)) > 1e-3
    for key in x if isinstance(x, dict) else range(len(x)) if isinstance(x, list) else [...]:
        changed = other
        if key is not ...:
            changed = x.copy()
            changed[key] = other[key]
        assert distance(before, outputs(model, changed)) > 1e-3


@over(MODEL_CASES)
def test_network_in_every_dtype(case):
    x, before = sample(case), keras.config.dtype_policy().name
    exact = outputs(case.build(), x)
    for dtype in case.dtypes:
        model = case.build(dtype=dtype)
        assert {str(w.dtype) for w in model.weights} == {dtype.replace("mixed_float16", "float32")}
        results = model(x)
        first = next(iter(results if isinstance(results, (list, tuple)) else [results]))
        assert keras.backend.standardize_dtype(first.dtype) == dtype.replace("mixed_", "")
        assert distance(outputs(model, x), exact) < (0.03 if "16" in dtype else 1e-5)
    assert keras.config.dtype_policy().name == before


@over(MODEL_CASES)
def test_wrapping_a_network_keeps_its_predictions(case):
    for depth in (1, 2):
        nested, inlined = models.nest(case, depth)
        assert levels(nested) == depth + levels(inlined)
        assert distance(outputs(nested, sample(case)), outputs(inlined, sample(case))) <= 1e-6


@over(PAIRS)
def test_pair_predicts_the_same(case):
    x, (nested, inlined) = sample(case), case.build()
    wanted = int(case.name[-1]) if "depth" in case.name else 1
    assert (levels(nested), levels(inlined)) == (wanted, 0)
    assert nested.count_params() == inlined.count_params()
    assert distance(outputs(nested, x), outputs(inlined, x)) <= 1e-6
    check_weights(inlined, x)
    check_weights(nested, x)


def test_pairs_with_shared_parts_call_them_twice(monkeypatch):
    case = next(case for case in PAIRS if case.name == "shared")
    for model in case.build():
        names = [layer.name for layer in called_layers(monkeypatch, model, sample(case))]
        twice = [name for name in dict.fromkeys(names) if names.count(name) == 2]
        assert sum("conv2d" in name for name in twice) == 2


def test_spellings_cover_every_way():
    groups = [spelling.group for spelling in SPELLINGS]
    assert len({spelling.name for spelling in SPELLINGS}) == len(SPELLINGS) >= 25
    assert set(groups) == set(FORMULAS)
    assert min(groups.count(group) for group in groups) >= 2


FORMULAS = {  # each group by its definition
    "relu": lambda x: ops.where(x > 0.0, x, 0.0),
    "relu6": lambda x: ops.where(x > 6.0, 6.0, ops.where(x > 0.0, x, 0.0)),
    "leaky": lambda x: ops.where(x > 0.0, x, 0.1 * x),
    "leaky_default": lambda x: ops.where(x > 0.0, x, 0.2 * x),
    "threshold": lambda x: ops.where(x > 0.5, x, 0.0),
}


@functools.cache
def by_formula(group):
    """Outputs of the flat, nested and shared model whose non-linearity is the formula."""
    spelling = zoo.ReluSpelling("formula", group, make=lambda: FORMULAS[group])
    return [outputs(model, sample(spelling)) for model in spelling.build()]


@over(SPELLINGS)
def test_spelling_computes_the_function_of_its_group(case, monkeypatch):
    x, built = sample(case), case.build()
    assert [levels(model) for model in built] == [0, 2, 1]
    for model, expected in zip(built, by_formula(case.group), strict=True):
        assert distance(outputs(model, x), expected) <= 1e-5
        check_weights(model, x)
    flat, nested, shared = built
    assert distance(outputs(flat, x), outputs(nested, x)) <= 1e-6
    called = called_layers(monkeypatch, shared, x)
    convolutions = [layer for layer in called if isinstance(layer, keras.layers.Conv2D)]
    assert (len(convolutions), len({id(layer) for layer in convolutions})) == (4, 1)


def test_spellings_of_two_groups_differ():
    for left, right in itertools.combinations(FORMULAS, 2):
        for a, b in zip(by_formula(left), by_formula(right), strict=True):
            assert distance(a, b) > 1e-3


def test_randomise_gives_telling_values():
    weights = {w.name: w.numpy() for w in models.MODELS["binary_sigmoid"]().weights}
    assert {"kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance"} <= set(weights)
    for name, value in weights.items():
        assert np.abs(value).min() > (1e-6 if name == "kernel" else 0.05), name
        assert value.size == 1 or value.std() > 0.05, name
    assert min(weights["moving_variance"].min(), weights["gamma"].min()) > 0.0


def test_building_leaves_the_random_states_alone():
    numpy_state = np.random.get_bit_generator()
    before = random.getstate(), repr(numpy_state.state)
    built = [LAYER_CASES[0].build(), MODEL_CASES[0](), PAIRS[0].build(), SPELLINGS[0].build()]
    built.append(models.nest(MODEL_CASES[0]))
    assert len(built) == 5
    assert (random.getstate(), repr(numpy_state.state)) == before


@pytest.mark.parametrize("network", ["squeezenet", "mobilenet_v2"])
def test_photographs_are_classified(shared_data, network):
    photos = real.photographs(shared_data, network)
    (scores,) = outputs(getattr(real, network)(shared_data), photos.x)
    best = scores.argsort(axis=1)[:, ::-1]
    assert len(photos.names) == 5
    assert tuple(best[:, 0]) == photos.recorded
    for order, accepted in zip(best, photos.accepted, strict=True):
        assert set(order[:2]) & set(accepted)
    size = photos.x.shape[1]
    assert all(len(boxes) == 1 for boxes in photos.boxes)
    for ((left, top, right, bottom),) in photos.boxes:
        assert 0 <= left < right - 50 <= size - 50
        assert 0 <= top < bottom - 50 <= size - 50
    assert photos.rgb.std() > 30.0


def test_mobilenet_with_batch_norm_is_the_same_network(shared_data):
    x = real.photographs(shared_data, "mobilenet_v2").x[:2]
    plain, normed = (real.mobilenet_v2(shared_data, with_bn=with_bn) for with_bn in (False, True))
    kinds = {type(layer) for layer in normed.layers} - {type(layer) for layer in plain.layers}
    assert kinds == {keras.layers.BatchNormalization}
    assert distance(outputs(plain, x), outputs(normed, x)) < 1e-2


@pytest.mark.parametrize(("network", "wanted"), [("resnet20", 90), ("resnet8", 82)])
def test_cifar_networks_are_right(shared_data, network, wanted):
    x, y = real.cifar(shared_data, network, count=100)
    state = random.getstate()
    (scores,) = outputs(getattr(real, network)(shared_data, softmax=True), x)
    assert np.allclose(scores.sum(axis=1), 1.0, atol=1e-5)
    assert np.sum(scores.argmax(axis=1) == y) >= wanted
    assert random.getstate() == state
    with pytest.raises(ValueError, match="resnet20"):
        real.cifar(shared_data, "resnet99")


def test_mnist_is_read(shared_data):
    x, y = real.mnist(shared_data, "test", count=500)
    assert (*x.shape, x.min(), x.max()) == (500, 28, 28, 1, 0.0, 1.0)
    assert 0.1 < x.mean() < 0.16
    assert set(y) == set(range(10))
    assert len(real.mnist(shared_data, "train")[1]) == 60000
    assert not (shared_data / "__pycache__").exists()
