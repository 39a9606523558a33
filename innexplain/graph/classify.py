"""Which record of `kinds.py` an operation, a call of it or an activation function has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from innexplain.graph.kinds import (
    ACTIVATION,
    DISCRETE,
    LAYERS,
    LINEAR,
    NOTHING,
    OPAQUE,
    OPERATIONS,
    RELU,
    ROUTE,
    SCALE,
    WRAPPER,
    Kind,
)

TENSOR = object()  # stands for a tensor among a call's arguments

# What a subclass may override and still compute the same.
_HARMLESS = (
    "build", "from_config", "get_config", "add_weight", "call", "enable_lora", "compute_output_shape",
    "compute_output_spec", "get_build_config", "build_from_config", "get_compile_config", "count_params",
    "save_own_variables", "load_own_variables", "quantize",
)  # fmt: skip

# Functions that may stand behind `activation=` are called as operations are, in lower case, or otherwise.
_FUNCTIONS = {name.lower(): kind for name, kind in OPERATIONS.items() if kind.meaning in (RELU, ACTIVATION)}
_OTHER_NAMES = {"exponential": "exp", "hardswish": "hardsilu", "softmaxv2": "softmax", "swish": "silu"}


def keras_type(operation: Any) -> type | None:
    """The class of Keras's own (or ours) whose behaviour a layer has; `None` for custom code.

    A subclass counts as its base as long as it overrides nothing that the base computes with, such as
    `call`, or the `convolution_op` and `kernel` of a convolution.
    """
    own = type(operation)
    for base in own.__mro__:
        if base.__module__.split(".")[0] in ("keras", "innexplain") and hasattr(base, "call"):
            same = own.call is base.call and own.__call__ is base.__call__ and not _overridden(own, base)
            return base if same and base is not keras.layers.Layer else None
    return None


def _overridden(own: type, base: type) -> list[str]:
    """The methods and properties of a base that a subclass replaces, without harmless ones."""
    return [
        name
        for cls in own.__mro__[: own.__mro__.index(base)]
        for name, value in vars(cls).items()
        if name not in _HARMLESS
        and not name.startswith("__")
        and hasattr(base, name)
        and (callable(value) or isinstance(value, (property, staticmethod, classmethod)))
    ]


def activation_kind(function: Any) -> Kind:
    """The record of what stands behind `activation=`; that of unknown code for a function of the user's."""
    if isinstance(function, keras.Operation):
        return kind_of(function)  # a layer used as a function
    name = getattr(function, "__name__", None)
    if function is None or (_is_known(function) and name in ("linear", "identity")):
        return NOTHING
    if not name or not _is_known(function):
        return Kind(OPAQUE)
    name = name.lower().replace("_", "")
    return _FUNCTIONS.get(_OTHER_NAMES.get(name, name), Kind(ACTIVATION))


def _is_known(function: Any) -> bool:
    module = getattr(function, "__module__", "") or ""
    return module.split(".")[0] in ("keras", "tensorflow")


def kind_of(operation: Any, arguments: Sequence[Any] = (TENSOR,)) -> Kind:
    """The record of one call of an operation.

    Args:
        operation: a Keras layer or operation.
        arguments: the call's arguments, flat, with `TENSOR` in place of each tensor; so
            `maximum(x, 0)` is a ReLU, `x * 2` a scale, and `2 / x` a non-linearity.

    >>> kind_of(keras.layers.Conv2D(3, 3)).meaning, kind_of(keras.layers.Activation("relu")).meaning
    ('kernel', 'relu')
    """
    base = keras_type(operation)
    if base is None:
        return Kind(OPAQUE)
    if issubclass(base, keras.layers.Layer):
        return _layer_kind(base.__name__, operation, arguments)
    kind = OPERATIONS.get(base.__name__, Kind(OPAQUE))
    if base.__name__ == "Cast" and "float" not in keras.backend.standardize_dtype(operation.dtype):
        return Kind(DISCRETE, keeps_samples=True)
    constants = [a for a in arguments if a is not TENSOR]
    if len(arguments) - len(constants) != 1:
        return kind
    if base.__name__ == "Maximum" and all(_is_zero(c) for c in constants if c is not None):
        return Kind(RELU)
    if kind.quotient and arguments[0] is not TENSOR:
        return Kind(ACTIVATION)
    return kind.with_constants or kind


def _is_zero(constant: Any) -> bool:
    try:
        return bool(np.all(np.asarray(constant) == 0))
    except (TypeError, ValueError):
        return False


def _layer_kind(name: str, layer: Any, arguments: Sequence[Any]) -> Kind:
    if name == "Activation":
        return activation_kind(layer.activation)
    if name == "Pipeline":
        return _pipeline_kind({kind_of(inner).meaning for inner in layer.layers})
    if name == "ReversibleEmbedding" and any(a is True for a in arguments):
        return Kind(LINEAR if layer.logit_soft_cap is None else ACTIVATION)  # called with reverse=True
    return LAYERS.get(name, Kind(OPAQUE))


def _pipeline_kind(meanings: set[str]) -> Kind:
    """The record of a chain of layers that is called as one."""
    if DISCRETE in meanings:
        return Kind(DISCRETE)
    if meanings <= {ROUTE}:
        return LAYERS["Pipeline"]
    return Kind(SCALE if meanings <= {ROUTE, SCALE} else WRAPPER)
