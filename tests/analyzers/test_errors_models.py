"""Models and addresses that cannot be: a named exception each, with what was expected and the way out."""

import keras
import numpy as np
import pytest
from keras import layers as L

import innexplain
from innexplain.errors import (
    AddressError,
    ArgumentError,
    GraphError,
    InputError,
    ModelError,
    UnknownNameError,
)
from tests.zoo.models import MODELS

from . import over
from .test_errors import MODEL, create, refused


class Called(keras.Model):
    def __init__(self):
        super().__init__(name="called")
        self.dense = L.Dense(2)

    def call(self, inputs):
        return self.dense(inputs)


def test_input_that_a_subclassed_model_cannot_take():
    model = Called()
    model(np.zeros((1, 4), "float32"))
    analyze = create(model=model).analyze
    words = r"'called' fails.*\(3, 5\).*expected axis -1 of input shape to have value 4"
    message = refused(InputError, words, analyze, np.ones((3, 5)))
    assert "\x1b" not in message
    refused(InputError, "batch axis first. Received: a scalar", analyze, 1.0)


@pytest.mark.parametrize(
    "model",
    [None, "net.keras", keras.Model, L.Dense(2), [MODEL]],
    ids=["none", "name", "class", "layer", "list"],
)
def test_no_model(model):
    words = r"Expected a keras.Model, or a function.* Received: .*\(of type .*keras.models.load_model"
    refused(ModelError, words, create, model=model)
    refused(ModelError, "Expected a keras.Model", innexplain.check_model, model, "gradient")
    refused(ModelError, "Expected a keras.Model", innexplain.model_wo_softmax, model)


@pytest.mark.parametrize(
    "model", [keras.Sequential([L.Dense(2)], name="called"), Called()], ids=["sequential", "own"]
)
@over("input", "gradient", "lrp.epsilon", "clear")
def test_model_that_was_never_built(name, model):
    words = r"'called' was never built: .*Give it a keras.Input, call model.build\(input_shape\), or call it"
    refused(ModelError, words, create, name, model=model)


def test_subclassed_model_without_a_graph():
    model = Called()
    model(np.zeros((1, 4), "float32"))
    words = r"guided_backprop rewrites.*'called' \(Called\) has no graph.*functional API.*gradient"
    refused(GraphError, words, create, "guided_backprop", model=model)
    assert not innexplain.check_model(model, "guided_backprop").ok


def test_outputs():
    refused(
        UnknownNameError, r"one of the outputs \['head'\].*'haed'.*Did you mean 'head'", create, output="haed"
    )
    refused(AddressError, "No step of the model answers to 1.5", create, output=1.5)
    refused(
        AddressError,
        r"answers to \('net', 'conv'\).*path tuple.*Did you mean 'conv'",
        create,
        output=("net", "conv"),
    )
    refused(AddressError, "No step of the model answers to", create, output=L.Dense(2))
    two = MODELS["two_inputs_two_outputs"].build()
    refused(ArgumentError, "has 2 outputs. Say which one.*output=", create, model=two)


def test_two_outputs_of_one_name():
    """A layer that is called twice gives its name to both outputs: the first is not taken silently."""
    a, b, dense = keras.Input((4,)), keras.Input((4,)), L.Dense(2, name="twin")
    model = keras.Model([a, b], [dense(a), dense(b)])
    refused(ArgumentError, r"'twin' stands for 2 of the outputs.*index", create, model=model, output="twin")


def test_rules_for_layers_that_are_not_there():
    refused(AddressError, "answers to 'conf'.*Did you mean 'conv'", create, rules={"conf": "gradient"})
    refused(UnknownNameError, "A rule of gradient must be one of.*'grad'", create, rules={"conv": "grad"})
