"""Bad input: a named exception each, which tells what was expected, what was received and the way out."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as L
from keras import ops

import innexplain
from innexplain import errors
from innexplain.analyzers import Method
from innexplain.composites import Row, is_first, lrp_composite
from innexplain.errors import (
    ArgumentError,
    InnexplainError,
    InputError,
    UnknownNameError,
)
from innexplain.rules import Flat
from tests.zoo import randomise
from tests.zoo.models import MODELS

from . import rng


def network():
    x = keras.Input((6, 6, 2), name="image")
    y = L.GlobalAveragePooling2D()(L.Conv2D(3, 3, activation="relu", name="conv")(x))
    return randomise(keras.Model(x, L.Dense(3, activation="softmax", name="head")(y), name="net"))


MODEL = network()
X = rng().normal(size=(2, 6, 6, 2)).astype("float32")


def create(name="gradient", model=MODEL, **kwargs):
    return innexplain.create_analyzer(name, model, **kwargs)


def refused(kind, words, function, *args, **kwargs):
    """The message of the exception, which must be of the kind and hold the words in this order."""
    with pytest.raises(kind, match=words) as caught:
        function(*args, **kwargs)
    assert type(caught.value) is kind
    return str(caught.value)


# --- Exceptions as such --------------------------------------------------------------------------


def test_every_exception_is_one_of_the_package_and_one_that_python_users_expect():
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, Exception)]
    raised = [k for k in kinds if not issubclass(k, Warning) and k is not InnexplainError]
    assert len(raised) >= 10
    builtin = (ValueError, TypeError, KeyError, NotImplementedError, RuntimeError, OSError, ImportError)
    for kind in raised:
        assert issubclass(kind, InnexplainError)
        assert issubclass(kind, builtin)
        assert str(kind("what and why")) == "what and why"  # also of a KeyError
    assert issubclass(errors.InnexplainWarning, UserWarning)


# --- x -------------------------------------------------------------------------------------------


def test_one_sample_without_a_batch_axis():
    words = (
        r"'image' must have rank 4, shape \(None, 6, 6, 2\).*rank 3, shape \(6, 6, 2\).*x\[numpy.newaxis\]"
    )
    refused(InputError, words, create().analyze, X[0])


@pytest.mark.parametrize("shape", [(2,), (2, 6), (1, 2, 6, 6, 2)])
def test_wrong_rank(shape):
    refused(InputError, rf"rank 4.*Received: rank {len(shape)}", create().analyze, np.zeros(shape))


@pytest.mark.parametrize("shape", [(2, 6, 6, 3), (2, 2, 6, 6), (2, 5, 6, 2)])
def test_wrong_shape(shape):
    words = rf"must have shape \(None, 6, 6, 2\).*Received: \(2, {shape[1]}, 6, {shape[3]}\)"
    refused(InputError, words, create().analyze, np.zeros(shape))


@pytest.mark.parametrize(
    "x",
    [
        "picture.png", None, np.array([[None]]), np.array(["a"]), X.astype("complex64"), object(), {1, 2},
        np.datetime64("2020-01-01"), (row for row in X), tf.ragged.constant([[1.0], [1.0, 2.0]]),
    ],
    ids=lambda x: type(x).__name__,
)  # fmt: skip
def test_wrong_dtype(x):
    refused(InputError, r"must hold numbers, of a dtype like float32.*Received: dtype", create().analyze, x)


def test_rows_of_unequal_length():
    refused(InputError, "must be an array. Received: list", create().analyze, [[1.0], [1.0, 2.0]])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_no_number(bad, dtype):
    x = X.astype(dtype)
    x[1, 2, 3, 0] = bad
    words = rf"'image' must be finite: neither NaN.*1 other value.*\(1, 2, 3, 0\): {bad}"
    refused(InputError, words, create().analyze, x)


def test_a_number_that_the_model_cannot_hold():
    """1e300 is finite, but not in float32: no infinity goes in, and no warning comes out."""
    x = X.astype("float64")
    x[0, 0, 0, 1] = 1e300
    refused(InputError, r"beyond float32.*\(0, 0, 0, 1\): 1e\+300", create().analyze, x)


def test_empty_batch():
    refused(InputError, "x is empty: there is no sample to explain", create().analyze, X[:0])


def test_a_list_of_samples():
    words = r"takes 1 input\(s\) \['image'\].*Received: 2.*numpy.stack"
    refused(InputError, words, create().analyze, list(X))


def test_wrong_number_of_inputs():
    case = MODELS["shared_submodel"]
    a, b = case.inputs(2, rng())
    analyze = create(model=case.build()).analyze
    refused(InputError, r"takes 2 input.*Received: 1\.", analyze, a)
    refused(InputError, r"takes 2 input.*Received: 3\.", analyze, [a, b, a])
    refused(InputError, r"same number of samples.*Received: \[2, 1\]", analyze, [a, b[:1]])


def test_wrong_names_of_inputs():
    words = r"must have the keys \['image'\]\. Received: \['picture'\]"
    refused(InputError, words, create().analyze, {"picture": X})


@pytest.mark.compiled
def test_input_too_small_for_the_model():
    """The shape fits what the model promises, but not what it can do."""
    x = keras.Input((None, None, 1))
    model = randomise(keras.Model(x, L.GlobalAveragePooling2D()(L.Conv2D(2, 5)(x)), name="wide"))
    words = (
        r"'wide' fails on this input.*Expected.*Received: shape\(s\) \[\(2, 3, 3, 1\)\].*egative dimension"
    )
    refused(InputError, words, create(model=model).analyze, np.ones((2, 3, 3, 1)))


# --- Names, keywords, selections -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("gradeint", "gradient"), ("smooth_grad", "smoothgrad"), ("guided_backprob", "guided_backprop")],
)
def test_unknown_analyzer(name, nearest):
    words = rf"no analyzer '{name}'\. Did you mean '{nearest}'\? Expected one of: input, random"
    for function in (innexplain.create_analyzer, lambda n, m: innexplain.check_model(m, n)):
        refused(UnknownNameError, words, function, name, MODEL)


@pytest.mark.parametrize(
    ("given", "way"),
    [
        (MODEL, r"create_analyzer\(name, model\), check_model\(model, name\)"),
        (create(), r"An analyzer has its Method as analyzer\.method"),
        (Method, r"Give an object of the class: Method\(\)"),
        ([Row(is_first, Flat())], "lrp_composite makes a Composite of rows"),
    ],
)
def test_something_else_in_place_of_a_name(given, way):
    refused(UnknownNameError, f"There is no analyzer.*{way}.*or a Method, or a Composite", create, given)


def test_rules_in_place_of_rows():
    for given in (Flat(), [Flat()]):
        refused(ArgumentError, r"needs rows, such as everywhere\(rule\).*Flat", lrp_composite, "mine", given)


@pytest.mark.parametrize("name", ["", None, 3, ["gradient"], "xyz"])
def test_no_name_at_all(name):
    refused(UnknownNameError, "There is no analyzer.*Expected one of.*guided_backprop", create, name)


def test_keyword_of_another_analyzer():
    refused(ArgumentError, "'postproces'. Did you mean 'postprocess'", create, postproces="abs")
    refused(ArgumentError, "deconvnet does not take 'steps'.*none", create, "deconvnet", steps=3)


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"neuron_selection_mode": "maximum"}, "neuron_selection_mode must be one of.*'maximum'"),
        ({"neuron_selection_mode": None}, "neuron_selection_mode must be one of.*None"),
        ({"pre_softmax": "yes"}, "pre_softmax must be 'auto', True or False.*'yes'"),
        ({"pre_softmax": None}, "pre_softmax must be.*None"),
        ({"pre_softmax": 1}, "pre_softmax must be.*1"),
        ({"pre_softmax": np.array([True, False])}, "pre_softmax must be.*array"),
        ({"unsupported": "ignore"}, "unsupported must be 'error' or 'gradient'.*'ignore'"),
        ({"embedding_map": "whole"}, "embedding_map must be True or False.*'whole'"),
        ({"output": 1}, "output must be between 0 and 0.*1"),
        ({"output": -1}, "output must be between 0 and 0.*-1"),
        ({"output": True}, "output must be an index, a name or a layer.*output=True"),
        ({"output": np.False_}, "output must be an index, a name or a layer.*False"),
        ({"postprocess": "sqrt"}, "postprocess must be None, 'abs' or 'square'.*'sqrt'"),
        ({"postprocess": ["abs"]}, r"postprocess must be None.*\['abs'\]"),
        ({"rules": ["conv"]}, "rules must be a dict.*'conv'"),
        ({"rules": {"conv": 3}}, "A rule must be one of the names.*3"),
    ],
)
def test_arguments_out_of_range(kwargs, words):
    refused(ArgumentError, words, create, **kwargs)


def test_norm_of_sensitivity():
    refused(ArgumentError, r"norm must be 1, 2 or numpy.inf.*3", create, "sensitivity", norm=3)


@pytest.mark.parametrize("batch_size", [0, -1, 2.0, True, None, "all"])
def test_batch_size(batch_size):
    refused(
        ArgumentError,
        "batch_size must be an int of at least 1.*Received",
        create().analyze,
        X,
        None,
        batch_size,
    )


def test_index_out_of_range():
    analyze = create(neuron_selection_mode="index").analyze
    refused(ArgumentError, "must lie between 0 and 2: .*3 neurons. Received: 3", analyze, X, 3)
    refused(ArgumentError, "must lie between 0 and 2.*Received: -1", analyze, X, [0, -1])
    refused(ArgumentError, "an int, or a list of 2 ints", analyze, X, [0, 1, 2])
    refused(ArgumentError, "needs neuron_selection", analyze, X)


def test_selection_without_its_mode():
    words = r"neuron_selection is for.*max_activation.*neuron_selection=1.*neuron_selection_mode='index'"
    refused(ArgumentError, words, create().analyze, X, 1)


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("score", "words"),
    [
        (ops.sum, r"one score per sample, shape \(n,\).*shape \(\)"),
        (lambda y: ops.sum(y, axis=0), "one score per sample.*Received: 3 scores for 2 samples"),
        (lambda y: y[:, 7], r"fails on outputs of shape \(None, 3\)"),
        (lambda y: ops.cast(ops.argmax(y, -1), "float32"), "by a derivative.*argmax or a constant"),
        (lambda y: ops.ones((ops.shape(y)[0],)), "by a derivative"),
    ],
)
def test_scores_that_are_none(score, words):
    refused(ArgumentError, words, create(neuron_selection_mode=score).analyze, X)


@pytest.mark.parametrize("name", ["input", "random", "integrated_gradients", "smoothgrad"])
def test_layers_of_analyzers_that_go_through_none(name):
    words = rf"{name} has no relevance of layers.*Leave return_layers out.*gradient.*\['conv'\]"
    refused(ArgumentError, words, create(name).analyze, X, return_layers=["conv"])
    answer, info = create(name).analyze(X, return_info=True, return_layers=[])
    assert (answer.shape, info["layers"]) == (X.shape, {})


def test_layers_must_be_a_list():
    refused(ArgumentError, r"a list of layers.*mean \['conv'\]", create().analyze, X, return_layers="conv")
