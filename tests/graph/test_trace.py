"""Reading models: paths, calls, slots, structures."""

import keras
import numpy as np
import pytest
from keras import layers as L

from innexplain.errors import ModelError
from innexplain.graph import trace
from tests.zoo.models import MODELS

SHAPE = (4,)


def _paths(model) -> list:
    return [step.path for step in trace(model).steps]


def _inner(name: str = "inner", shape: tuple = SHAPE):
    x = keras.Input(shape)
    return keras.Model(x, L.Dense(4, name="dense")(L.ReLU(name="relu")(x)), name=name)


def test_flat_model_is_its_layers_in_order() -> None:
    layers = [L.Dense(3, name="a"), L.ReLU(name="b"), L.Dense(2, name="c")]
    graph = trace(keras.Sequential([keras.Input(SHAPE), *layers]))
    assert [s.operation for s in graph.steps] == layers
    assert [(s.path, s.inputs, s.outputs, s.call) for s in graph.steps] == [
        (("a",), (0,), (1,), 0),
        (("b",), (1,), (2,), 0),
        (("c",), (2,), (3,), 0),
    ]
    assert [(e.slot, e.value.shape, e.origin) for e in graph.entries] == [(0, (None, 4), 0)]
    assert [e.slot for e in graph.exits] == [3]
    assert graph.values[1].shape == (None, 3)
    assert graph.values[1].dtype == "float32"


def test_nested_models_are_flattened_and_give_paths() -> None:
    x = keras.Input(SHAPE)
    middle = keras.Model(x, L.Dense(4, name="top")(_inner()(x)), name="middle")
    y = keras.Input(SHAPE)
    model = keras.Model(y, L.Dense(2, name="head")(middle(y)))
    assert _paths(model) == [
        ("middle", "inner", "relu"),
        ("middle", "inner", "dense"),
        ("middle", "top"),
        ("head",),
    ]


def test_sequential_inside_sequential_inside_functional() -> None:
    deep = keras.Sequential([L.Dense(3, name="d")], name="deep")
    base = keras.Sequential([keras.Input(SHAPE), deep, L.ReLU(name="r")], name="base")
    x = keras.Input(SHAPE)
    model = keras.Model(x, keras.Sequential([L.Dense(2, name="out")], name="head")(base(x)))
    assert _paths(model) == [("base", "deep", "d"), ("base", "r"), ("head", "out")]


def test_shared_layers_count_their_calls_over_all_levels() -> None:
    shared, inner = L.Dense(4, name="shared"), keras.Input(SHAPE)
    tower = keras.Model(inner, shared(shared(inner)), name="tower")
    x = keras.Input(SHAPE)
    graph = trace(keras.Model(x, shared(tower(tower(x)))))
    assert [(s.path, s.call) for s in graph.steps] == [
        (("tower", "shared"), 0),
        (("tower", "shared"), 1),
        (("tower", "shared"), 2),
        (("tower", "shared"), 3),
        (("shared",), 4),
    ]
    assert all(s.operation is shared for s in graph.steps)
    assert [str(s) for s in graph.steps][2:] == [
        "tower/shared (call 3)",
        "tower/shared (call 4)",
        "shared (call 5)",
    ]


def test_nodes_outside_the_model_are_left_out() -> None:
    x = keras.Input(SHAPE)
    dense = L.Dense(3, name="used")
    y = dense(x)
    L.ReLU(name="stranger")(y)
    dense(keras.Input(SHAPE))
    assert _paths(keras.Model(x, y)) == [("used",)]


def test_several_inputs_and_outputs_keep_their_order() -> None:
    a, b = keras.Input((3,), name="a"), keras.Input((5,), name="b")
    first, second = L.Dense(2, name="first")(b), L.Dense(2, name="second")(a)
    graph = trace(keras.Model([b, a], [second, first, b]))
    assert [(e.name, e.slot, e.value.shape) for e in graph.entries] == [
        ("b", 0, (None, 5)),
        ("a", 1, (None, 3)),
    ]
    by_path = {s.path[-1]: s for s in graph.steps}
    assert by_path["first"].inputs == (0,)
    assert by_path["second"].inputs == (1,)
    assert [e.slot for e in graph.exits] == [*by_path["second"].outputs, *by_path["first"].outputs, 0]
    assert graph.input_structure == [0, 1]


def test_dict_inputs_keep_their_structure_and_dict_outputs_their_names() -> None:
    model = MODELS["dict_inputs"].build()
    graph = trace(model)
    assert set(graph.input_structure) == {"image", "table"}
    assert {e.name: graph.input_structure[e.name] for e in graph.entries} == graph.input_structure
    x = keras.Input(SHAPE)
    outputs = {"zebra": L.Dense(2)(x), "ant": L.Dense(3)(x)}
    exits = trace(keras.Model(x, outputs)).exits
    widths = {e.name: trace(keras.Model(x, outputs)).values[e.slot].shape[-1] for e in exits}
    assert widths == {"zebra": 2, "ant": 3}


def test_tensor_used_twice_in_one_call_is_one_input() -> None:
    x = keras.Input(SHAPE)
    graph = trace(keras.Model(x, [L.Add()([x, x]), L.Multiply()([x, L.ReLU()(x), x]), x * x]))
    assert [s.inputs for s in graph.steps if s.type_name != "ReLU"] == [(0,), (0, 2), (0,)]


def test_tensors_in_keyword_arguments_are_inputs() -> None:
    x, state = keras.Input((5, 3)), keras.Input((4,))
    graph = trace(keras.Model([x, state], L.GRU(4)(x, initial_state=state)))
    assert [s.inputs for s in graph.steps] == [(0, 1)]


def test_constants_are_no_inputs() -> None:
    x = keras.Input(SHAPE)
    variable = keras.Variable(np.ones(4, "float32"))
    graph = trace(keras.Model(x, (x + np.ones(4, "float32")) * variable - 3.0))
    assert [len(s.inputs) for s in graph.steps] == [1, 1, 1]


def test_layer_with_several_outputs_writes_several_slots() -> None:
    x = keras.Input((5, 3))
    sequence, hidden, carry = L.LSTM(2, return_sequences=True, return_state=True)(x)
    graph = trace(keras.Model(x, [carry, sequence]))
    (step,) = graph.steps
    assert len(step.outputs) == 3
    assert [graph.values[e.slot].shape for e in graph.exits] == [(None, 2), (None, 5, 2)]
    assert graph.exits[0].slot == step.outputs[2]
    assert hidden.shape == (None, 2)


def test_subgraph_begins_at_the_tensor_it_is_given() -> None:
    x = keras.Input((8, 8, 2), name="image")
    middle = L.Conv2D(3, 3, name="below")(x)
    model = keras.Model(middle, L.Dense(2, name="above")(L.Flatten(name="flat")(middle)))
    graph = trace(model)
    assert [s.path for s in graph.steps] == [("flat",), ("above",)]
    assert graph.entries[0].value.shape == (None, 6, 6, 3)


def test_model_that_hands_its_input_on() -> None:
    x, y = keras.Input(SHAPE), keras.Input(SHAPE)
    same = keras.Model(y, y, name="same")
    graph = trace(keras.Model(x, [same(x), L.Dense(2)(same(x))]))
    assert [s.type_name for s in graph.steps] == ["Dense"]
    assert (graph.steps[0].inputs, graph.exits[0].slot) == ((0,), 0)


def test_nested_model_that_casts_gets_a_step_for_it() -> None:
    x, wide = keras.Input(SHAPE), keras.Input(SHAPE, dtype="float64", name="wide")
    inner = keras.Model(wide, L.Dense(2, dtype="float64", name="dense")(wide), name="inner")
    graph = trace(keras.Model(x, inner(x)))
    assert [(s.path, s.part) for s in graph.steps] == [
        (("inner", "wide"), "cast"),
        (("inner", "dense"), ""),
    ]
    assert [graph.values[s.outputs[0]].dtype for s in graph.steps] == ["float64", "float64"]


def test_nested_model_whose_rank_keras_adjusts_stays_whole() -> None:
    x, column = keras.Input((3,)), keras.Input((3, 1))
    inner = keras.Model(column, L.Flatten()(L.Dense(2)(column)), name="inner")
    (step,) = trace(keras.Model(x, inner(x))).steps
    assert (step.path, step.kind) == (("inner",), "opaque")


class Doubled(keras.Model):
    """A functional model in whose graph the doubling does not show."""

    def call(self, inputs, training=None):
        return 2 * super().call(inputs, training=training)


class Trained(keras.Model):
    """A functional model with a training step of its own."""

    def train_step(self, data):
        return {}


def test_model_that_overrides_call_has_no_graph() -> None:
    x = keras.Input(SHAPE)
    plain = Trained(x, L.Dense(3, name="dense")(x))
    assert (trace(plain).opaque, _paths(plain)) == (False, [("dense",)])
    doubled = Doubled(x, L.Dense(3)(x), name="doubled")
    assert trace(doubled).opaque
    outer = trace(keras.Model(x, doubled(x)))
    assert (outer.opaque, [s.path for s in outer.steps]) == (False, [("doubled",)])


def test_tracing_leaves_no_node_behind() -> None:
    model = MODELS["residual"].build()
    before = [len(layer._inbound_nodes) for layer in model.layers]
    trace(model)
    assert [len(layer._inbound_nodes) for layer in model.layers] == before


def test_what_is_no_model_is_refused_by_what_it_is() -> None:
    with pytest.raises(ModelError, match=r"Expected a keras\.Model\. Received: 3"):
        trace(3)
    with pytest.raises(ModelError, match="Dense"):
        trace(L.Dense(2))
    with pytest.raises(ModelError, match="'young' was never built"):
        trace(keras.Sequential([L.Dense(2)], name="young"))


def test_masks_that_keras_makes_are_among_the_steps() -> None:
    x = keras.Input((5, 3))
    graph = trace(keras.Model(x, L.LSTM(2)(L.Masking(name="masking")(x))))
    lstm = graph.steps[-1]
    assert lstm.type_name == "LSTM"
    assert {graph.values[slot].dtype for slot in lstm.inputs} == {"float32", "bool"}
