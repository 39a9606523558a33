"""The final softmax or sigmoid: found behind every spelling, found nowhere else, taken off as a view."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import activations, ops
from keras import layers as L

from innexplain import errors, model_wo_softmax
from innexplain.graph import canonical, trace
from tests.zoo import randomise
from tests.zoo.models import MODELS

SHAPE = (5,)


def _sub(layers: list):
    x = keras.Input((3,))
    y = x
    for layer in layers:
        y = layer(y)
    return keras.Model(x, y)


def _then(*layers):
    """A head made of layers behind `Dense(3)`."""

    def head(x):
        y = L.Dense(3)(x)
        for layer in layers:
            y = layer(y)
        return y

    return head


SOFTMAX = {
    "argument": lambda x: L.Dense(3, activation="softmax")(x),
    "argument_ops": lambda x: L.Dense(3, activation=ops.softmax)(x),
    "argument_function": lambda x: L.Dense(3, activation=activations.softmax)(x),
    "argument_tensorflow": lambda x: L.Dense(3, activation=tf.nn.softmax)(x),
    "argument_layer": lambda x: L.Dense(3, activation=L.Softmax())(x),
    "einsum_dense": lambda x: L.EinsumDense("ab,bc->ac", 3, activation="softmax")(x),
    "activation": _then(L.Activation("softmax")),
    "activation_ops": _then(L.Activation(ops.softmax)),
    "layer": _then(L.Softmax()),
    "ops": _then(ops.softmax),
    "ops_axis": _then(lambda y: ops.softmax(y, axis=-1)),
    "function": _then(activations.softmax),
    "nested": _then(_sub([L.Softmax()])),
    "nested_dense": lambda x: _sub([L.Dense(3, activation="softmax")])(L.Dense(3)(x)),
    "nested_twice": _then(_sub([_sub([L.Dense(3), L.Activation("softmax")])])),
    "sequential": lambda x: keras.Sequential([L.Dense(4), L.Dense(3, activation="softmax")])(x),
    "then_reshape": _then(L.Softmax(), L.Reshape((3, 1)), L.Flatten()),
    "then_dropout": _then(L.Softmax(), L.Dropout(0.5)),
    "then_linear": _then(L.Softmax(), L.Activation("linear"), L.Identity()),
    "then_ops": _then(ops.softmax, lambda y: ops.expand_dims(y, 1), lambda y: ops.squeeze(y, 1)),
    "then_nested_reshape": _then(L.Softmax(), _sub([L.Reshape((1, 3)), L.Flatten()])),
    "mixed_precision": _then(L.Activation("softmax", dtype="float32")),
}
SIGMOID = {
    "argument": lambda x: L.Dense(3, activation="sigmoid")(x),
    "activation": _then(L.Activation("sigmoid")),
    "ops": _then(ops.sigmoid),
    "nested": _then(_sub([L.Activation("sigmoid")])),
    "then_reshape": _then(L.Activation("sigmoid"), L.Reshape((3,))),
}


class Softmax(L.Layer):
    """Of the name only."""

    def call(self, x):
        return ops.tanh(x)


def softmax(x):
    return ops.tanh(x)


NONE = {
    "linear": _then(),
    "relu": _then(L.ReLU()),
    "tanh": lambda x: L.Dense(3, activation="tanh")(x),
    "log_softmax": _then(L.Activation("log_softmax")),
    "hard_sigmoid": _then(L.Activation("hard_sigmoid")),
    "own_class_of_the_name": _then(Softmax()),
    "own_function_of_the_name": lambda x: L.Dense(3, activation=softmax)(x),
    "lambda": _then(L.Lambda(lambda y: ops.softmax(y))),
    "softmax_then_dense": _then(L.Softmax(), L.Dense(2)),
    "softmax_then_scale": _then(L.Softmax(), L.Rescaling(2.0)),
    "softmax_then_sum": _then(L.Softmax(), lambda y: L.Add()([y, y])),
    "softmax_then_slice": _then(ops.softmax, lambda y: y[:, :2]),
}


def _model(head) -> keras.Model:
    x = keras.Input(SHAPE)
    return randomise(keras.Model(x, head(L.Dense(4, activation="relu")(x))), seed=3)


def _data(n: int = 4) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, *SHAPE)).astype("float32")


@pytest.mark.parametrize("spelling", SOFTMAX)
def test_softmax_is_taken_off(spelling: str) -> None:
    model, x = _model(SOFTMAX[spelling]), _data()
    form = canonical(trace(model))
    assert (form.head, form.stripped, form.binary) == ("softmax", True, False)
    logits, p = ops.convert_to_numpy(model_wo_softmax(model)(x)), ops.convert_to_numpy(model(x))
    assert logits.shape == p.shape
    np.testing.assert_allclose(ops.softmax(logits, axis=-1), p, rtol=1e-5, atol=1e-7)
    assert np.abs(logits.sum(axis=-1) - 1).max() > 0.1
    log_odds = np.log(p) - np.log(p)[..., :1]
    np.testing.assert_allclose(logits - logits[..., :1], log_odds, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("spelling", SIGMOID)
def test_sigmoid_is_taken_off(spelling: str) -> None:
    model, x = _model(SIGMOID[spelling]), _data()
    form = canonical(trace(model))
    assert (form.head, form.stripped, form.binary) == ("sigmoid", True, False)
    logits, p = ops.convert_to_numpy(model_wo_softmax(model)(x)), ops.convert_to_numpy(model(x))
    np.testing.assert_allclose(logits, np.log(p / (1 - p)), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("spelling", NONE)
def test_nothing_is_found_where_there_is_none(spelling: str) -> None:
    model = _model(NONE[spelling])
    form = canonical(trace(model))
    assert (form.head, form.stripped) == (None, False)
    with pytest.raises(errors.HeadError, match="No output of the model"):
        model_wo_softmax(model)
    with pytest.raises(errors.HeadError, match="last step is"):
        canonical(trace(model), pre_softmax=True)


def test_single_sigmoid_unit_is_binary() -> None:
    x = keras.Input(SHAPE)
    assert canonical(trace(keras.Model(x, L.Dense(1, activation="sigmoid")(x)))).binary
    assert canonical(trace(keras.Model(x, L.Dense(1, activation="sigmoid")(x))), pre_softmax=False).binary
    assert not canonical(trace(keras.Model(x, L.Dense(1)(x)))).binary
    assert not canonical(trace(keras.Model(x, L.Dense(1, activation="softmax")(x)))).binary


def test_head_stays_where_the_caller_wants_it() -> None:
    model, x = _model(SOFTMAX["layer"]), _data()
    form = canonical(trace(model), pre_softmax=False)
    assert (form.head, form.stripped) == ("softmax", False)
    assert form.graph.steps[-1].part == "head"
    assert form.graph.steps[-1].kind == "activation"
    assert x.shape == (4, 5)


def test_softmax_at_each_pixel_is_taken_off() -> None:
    case = MODELS["u_net"]
    model, x = case.build(), case.inputs(2, np.random.default_rng(0))
    view = model_wo_softmax(model)
    assert view.output_shape == model.output_shape
    np.testing.assert_allclose(ops.softmax(view(x), axis=-1), model(x), rtol=1e-5, atol=1e-7)


def test_softmax_over_another_axis_is_taken_off() -> None:
    x = keras.Input((4, 3))
    model = keras.Model(x, L.Softmax(axis=1)(L.Dense(2)(x)))
    array = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
    np.testing.assert_allclose(ops.softmax(model_wo_softmax(model)(array), axis=1), model(array), rtol=1e-5)


def _tree():
    """Outputs that end in one softmax, one behind it, one beside it, and one that needs it."""
    x = keras.Input(SHAPE)
    p = L.Dense(3, activation="softmax", name="p")(x)
    outputs = [
        p,
        L.Reshape((3, 1), name="shaped")(p),
        L.Dense(2, name="after")(p),
        L.Dense(1, name="other")(x),
    ]
    return randomise(keras.Model(x, outputs), seed=1)


def test_other_outputs_still_get_the_softmax() -> None:
    model, x = _tree(), _data()
    p, shaped, after, other = (ops.convert_to_numpy(y) for y in model(x))
    z, z_shaped, *rest = (ops.convert_to_numpy(y) for y in model_wo_softmax(model)(x))
    np.testing.assert_allclose(ops.softmax(z, axis=-1), p, rtol=1e-5)
    np.testing.assert_allclose(z_shaped[..., 0], z, rtol=1e-6)
    np.testing.assert_allclose(rest[0], after, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(rest[1], other, rtol=1e-5, atol=1e-6)
    assert np.ptp(shaped) > 0.1
    assert [canonical(trace(model), k).head for k in range(4)] == ["softmax", "softmax", None, None]


def test_output_behind_a_softmax_is_explained_with_it() -> None:
    form = canonical(trace(_tree()), "after")
    kinds = [(s.path[-1], s.part) for s in form.graph.steps]
    assert kinds == [("p", "linear"), ("p", "activation"), ("after", "linear")]


@pytest.mark.parametrize("name", ["vgg_like", "all_convolutional", "raw_ops_net", "lstm_net"])
def test_view_shares_weights_and_leaves_the_model_alone(name: str) -> None:
    case = MODELS[name]
    model, x = case.build(), case.inputs(3, np.random.default_rng(0))
    before, config = ops.convert_to_numpy(model(x)), model.get_config()
    nodes = [len(layer._inbound_nodes) for layer in model.layers]
    view = model_wo_softmax(model)
    assert {id(w) for w in view.weights} == {id(w) for w in model.weights}
    found = view.predict(x, verbose=0) if name == "vgg_like" else view(x)
    np.testing.assert_allclose(ops.softmax(found), before, rtol=1e-4, atol=1e-6)
    assert [len(layer._inbound_nodes) for layer in model.layers] == nodes
    assert model.get_config() == config
    kernel = model.trainable_weights[0]
    kernel.assign(kernel * -2.0)
    assert np.abs(ops.softmax(view(x)) - before).max() > 1e-3
    np.testing.assert_allclose(ops.softmax(view(x)), model(x, training=False), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "float32", "mixed_bfloat16"])
def test_view_computes_in_the_precision_of_the_model(dtype: str) -> None:
    model = MODELS["dense_net"].build(dtype=dtype)
    x = np.random.default_rng(0).normal(size=(3, 6))
    view = model_wo_softmax(model)
    logits, p = view(x), model(x)
    assert logits.dtype == p.dtype
    assert (view.dtype_policy.name, view.compute_dtype) == (model.dtype_policy.name, model.compute_dtype)
    tolerance = {"float64": 1e-13, "float32": 1e-6}.get(dtype, 1e-2)
    difference = ops.cast(ops.softmax(logits), "float64") - ops.cast(p, "float64")
    assert float(ops.max(ops.abs(difference))) < tolerance


@pytest.mark.parametrize("spelling", ["layer", "argument", "ops", "then_reshape"])
def test_view_has_no_head_left(spelling: str) -> None:
    view = model_wo_softmax(_model(SOFTMAX[spelling]))
    form = canonical(trace(view))
    assert (form.head, form.stripped) == (None, False)
    with pytest.raises(errors.HeadError):
        model_wo_softmax(view)


def test_view_is_explained_like_the_model() -> None:
    model = _model(SOFTMAX["nested_twice"])
    forms = [canonical(trace(m)) for m in (model, model_wo_softmax(model))]
    paths = [[(s.path, s.kind) for s in form.graph.steps] for form in forms]
    assert paths[0] == paths[1]


def test_subclassed_model_has_no_head_to_find() -> None:
    with pytest.raises(errors.HeadError, match="subclassed"):
        model_wo_softmax(MODELS["subclassed_net"].build())


def test_dict_inputs_keep_their_shape_in_the_view() -> None:
    a, b = keras.Input((2,), name="a"), keras.Input((3,), name="b")
    model = keras.Model({"a": a, "b": b}, L.Dense(2, activation="softmax")(L.Concatenate()([a, b])))
    view = model_wo_softmax(model)
    assert view.input_shape == {"a": (None, 2), "b": (None, 3)}
    x = {"b": np.ones((2, 3), "float32"), "a": np.zeros((2, 2), "float32")}
    np.testing.assert_allclose(ops.softmax(view(x)), model(x), rtol=1e-6)
