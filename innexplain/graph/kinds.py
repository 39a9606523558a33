"""What a layer or operation means to a backward pass.

A kind is a plain string.  The tables hold class names, not classes, since each version of Keras has its own
set of layers; `kind_of` resolves a class to the Keras class whose `call` it uses, so that a subclass that
keeps the behaviour keeps the kind, and one that overrides `call` is `OPAQUE`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

__all__ = [
    "ACTIVATION", "ATTENTION", "COMPARE", "DISCRETE", "EMBEDDING", "KERNEL", "LINEAR", "MASK", "MEAN",
    "NORMALIZE", "OPAQUE", "PRODUCT", "RECURRENT", "RELU", "ROUTE", "SCALE", "SUM", "TENSOR", "WINNER",
    "WRAPPER",
    "activation_kind", "activation_name", "keras_type", "kind_of",
]  # fmt: skip

KERNEL = "kernel"  # z = W x + b
RELU = "relu"  # max(z, 0) in any spelling, with or without slope, cap and threshold
ACTIVATION = "activation"  # every other non-linearity
SUM = "sum"  # several inputs added, subtracted or averaged
PRODUCT = "product"  # several inputs multiplied
MEAN = "mean"  # one input averaged or summed over axes
WINNER = "winner"  # the maximum or minimum goes on
ROUTE = "route"  # values are moved, copied, padded, dropped; none is changed
LINEAR = "linear"  # multiplied by a constant matrix
SCALE = "scale"  # scaled and shifted by constants, element by element
NORMALIZE = "normalize"  # statistics of the very sample scale it
EMBEDDING = "embedding"  # integers to vectors
RECURRENT = "recurrent"
ATTENTION = "attention"
WRAPPER = "wrapper"  # a layer around a layer
DISCRETE = "discrete"  # no derivative: strings, integers, histograms
COMPARE = "compare"  # numbers in, truth values out: may select what goes on
MASK = "mask"  # truth values that only tell other layers what to leave out
OPAQUE = "opaque"  # unknown code: Lambda, custom layers, subclassed models

TENSOR = object()  # stands for a tensor among a call's arguments

_DIMENSIONS = ("1D", "2D", "3D")


def _ranked(*names: str) -> tuple[str, ...]:
    return tuple(name + d for name in names for d in _DIMENSIONS)


_LAYERS: dict[str, tuple[str, ...]] = {
    KERNEL: ("Dense", "EinsumDense", *_ranked("Conv", "DepthwiseConv", "SeparableConv"),
             *(f"Conv{d}Transpose" for d in _DIMENSIONS)),
    RELU: ("ReLU", "LeakyReLU"),
    ACTIVATION: ("ELU", "PReLU", "Softmax"),
    SUM: ("Add", "Subtract", "Average", "CustomScaleLayer"),
    PRODUCT: ("Multiply", "Dot"),
    MEAN: _ranked("AveragePooling", "GlobalAveragePooling", "AdaptiveAveragePooling"),
    WINNER: ("Maximum", "Minimum",
             *_ranked("MaxPooling", "GlobalMaxPooling", "AdaptiveMaxPooling")),
    ROUTE: ("Concatenate", "Reshape", "Flatten", "Permute", "RepeatVector", "Identity", "Dropout",
            "AlphaDropout", "GaussianDropout", "GaussianNoise", "ActivityRegularization", "Masking",
            "InputLayer", "CenterCrop", "Resizing", "MaxNumBoundingBoxes", "MixUp", "CutMix",
            "RandAugment", "AugMix", "Pipeline", "StochasticDepth",
            *_ranked("SpatialDropout", "Cropping", "ZeroPadding", "UpSampling"),
            *("Random" + what for what in (
                "Brightness", "ColorDegeneration", "ColorJitter", "Contrast", "Crop",
                "ElasticTransform", "Erasing", "Flip", "GaussianBlur", "Grayscale", "Hue", "Invert",
                "Perspective", "Posterization", "Rotation", "Saturation", "Sharpness", "Shear",
                "Translation", "Zoom"))),
    SCALE: ("BatchNormalization", "Normalization", "Rescaling", "LayerScale"),
    NORMALIZE: ("LayerNormalization", "GroupNormalization", "RMSNormalization",
                "UnitNormalization", "LocalResponseNormalization"),
    EMBEDDING: ("Embedding", "ReversibleEmbedding"),
    RECURRENT: ("RNN", "SimpleRNN", "GRU", "LSTM", *_ranked("ConvLSTM"), "SimpleRNNCell",
                "GRUCell", "LSTMCell", "StackedRNNCells", "Bidirectional"),
    ATTENTION: ("Attention", "AdditiveAttention", "MultiHeadAttention", "GroupedQueryAttention"),
    WRAPPER: ("TimeDistributed", "SpectralNormalization", "Wrapper"),
    DISCRETE: ("CategoryEncoding", "Discretization", "Hashing", "HashedCrossing", "IntegerLookup",
               "StringLookup", "TextVectorization", "FeatureSpace", "Equalization", "AutoContrast",
               "Solarization", "ContrastLimitedAdaptiveHistogramEqualization"),
    OPAQUE: ("Lambda", "TFSMLayer", "TorchModuleWrapper", "FlaxLayer", "JaxLayer", "STFTSpectrogram",
             "MelSpectrogram"),
}  # fmt: skip

_OPERATIONS: dict[str, tuple[str, ...]] = {
    RELU: ("Relu", "Relu6", "LeakyRelu", "ReLU"),
    ACTIVATION: ("Sigmoid", "Softmax", "LogSoftmax", "Tanh", "Softplus", "Softsign", "Silu", "Gelu",
                 "Elu", "Selu", "Celu", "HardSigmoid", "HardSilu", "HardTanh", "LogSigmoid",
                 "Mish", "Squareplus", "SparsePlus", "SparseSigmoid", "Sparsemax", "SoftShrink",
                 "HardShrink", "TanhShrink", "Threshold", "Erf", "Exp", "Expm1", "Exp2", "Log",
                 "Log1p", "Log2", "Log10", "Sqrt", "Rsqrt", "Square", "Absolute", "Abs", "Clip",
                 "Sin", "Cos", "Reciprocal", "Sign"),
    SUM: ("Add", "Subtract"),
    PRODUCT: ("Multiply", "Divide", "TrueDivide", "DivideNoNan", "Power", "Matmul", "Einsum", "Dot",
              "Tensordot", "Inner", "Outer", "DotProductAttention"),
    MEAN: ("AveragePool", "AdaptiveAveragePool", "Mean", "Sum"),
    WINNER: ("MaxPool", "AdaptiveMaxPool", "Max", "Min", "Amax", "Amin", "Maximum", "Minimum"),
    ROUTE: ("Concatenate", "Stack", "Hstack", "Vstack", "Dstack", "Append", "Split", "Unstack",
            "Reshape", "Ravel", "Squeeze", "ExpandDims", "Transpose", "Swapaxes", "Moveaxis", "Pad",
            "GetItem", "Slice", "Take", "TakeAlongAxis", "Flip", "Roll", "Repeat", "Tile",
            "BroadcastTo", "Cast", "ConvertToTensor", "Copy", "DepthToSpace", "SpaceToDepth",
            "Identity"),
    SCALE: ("Negative", "BatchNorm"),
    NORMALIZE: ("Normalize", "LayerNorm", "RMSNorm"),
    DISCRETE: ("OneHot", "MultiHot", "Argmax", "Argmin", "Argsort", "Floor", "Ceil", "Round", "Bincount",
               "Digitize", "StopGradient"),
    COMPARE: ("Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual", "LogicalAnd", "LogicalOr",
              "LogicalNot", "LogicalXor", "All", "Any", "Isclose", "Isfinite", "Isinf", "Isnan", "Signbit"),
}  # fmt: skip

# Functions that may stand behind `activation=`; every other known one is a plain non-linearity.
_RELU_FUNCTIONS = ("relu", "relu6", "leaky_relu")


def _by_name(table: dict[str, tuple[str, ...]]) -> dict[str, str]:
    return {name: kind for kind, names in table.items() for name in names}


# What a subclass may override and still compute the same.
_HARMLESS = (
    "build", "from_config", "get_config", "add_weight", "call", "enable_lora", "compute_output_shape",
    "compute_output_spec", "get_build_config", "build_from_config", "get_compile_config", "count_params",
    "save_own_variables", "load_own_variables", "quantize",
)  # fmt: skip

_LAYER_KIND = _by_name(_LAYERS)
_OPERATION_KIND = _by_name(_OPERATIONS)


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


def _known_function(function: Any) -> str | None:
    module = getattr(function, "__module__", "") or ""
    name = getattr(function, "__name__", None)
    return name if name and module.split(".")[0] in ("keras", "tensorflow") else None


def activation_name(function: Any) -> str:
    """A name to show for what stands behind `activation=`."""
    if isinstance(function, keras.Operation):
        return type(function).__name__
    return getattr(function, "__name__", type(function).__name__)


def activation_kind(function: Any) -> str:
    """`ROUTE` for no activation, `RELU`, `ACTIVATION`, or `OPAQUE` for a function of unknown content."""
    if isinstance(function, keras.Operation):
        return kind_of(function)  # a layer used as a function
    name = _known_function(function)
    if function is None or name in ("linear", "identity"):
        return ROUTE
    if name in _RELU_FUNCTIONS:
        return RELU
    return ACTIVATION if name else OPAQUE


def _is_zero(constant: Any) -> bool:
    try:
        return bool(np.all(np.asarray(constant) == 0))
    except (TypeError, ValueError):
        return False


def kind_of(operation: Any, arguments: Sequence[Any] = (TENSOR,)) -> str:
    """The kind of one call of an operation.

    Args:
        operation: a Keras layer or operation.
        arguments: the call's arguments, flat, with `TENSOR` in place of each tensor; so
            `maximum(x, 0)` is a ReLU, `x * 2` a scale, and `2 / x` a non-linearity.

    >>> kind_of(keras.layers.Conv2D(3, 3)), kind_of(keras.layers.Activation("relu"))
    ('kernel', 'relu')
    """
    if isinstance(operation, keras.Model):
        return OPAQUE
    if isinstance(operation, keras.layers.Layer):
        return _layer_kind(operation, arguments)
    if type(operation).__module__.split(".")[0] != "keras":
        return OPAQUE
    name = type(operation).__name__
    kind = _OPERATION_KIND.get(name, OPAQUE)
    if name == "Cast" and "float" not in keras.backend.standardize_dtype(operation.dtype):
        return DISCRETE
    return _with_constants(name, kind, arguments) if _n_tensors(arguments) == 1 else kind


def _n_tensors(arguments: Sequence[Any]) -> int:
    return sum(a is TENSOR for a in arguments)


def _with_constants(name: str, kind: str, arguments: Sequence[Any]) -> str:
    """The kind of an operation of which one argument only is a tensor of the graph."""
    if name in ("Maximum", "Minimum"):
        others = [a for a in arguments if a is not TENSOR and a is not None]
        return RELU if name == "Maximum" and all(map(_is_zero, others)) else ACTIVATION
    if name in ("Divide", "TrueDivide", "DivideNoNan"):
        return SCALE if arguments[0] is TENSOR else ACTIVATION
    if name == "Power":
        return ACTIVATION
    if name in ("Matmul", "Einsum", "Dot", "Tensordot", "Inner", "Outer"):
        return LINEAR
    return SCALE if kind in (PRODUCT, SUM) else kind


def _layer_kind(layer: Any, arguments: Sequence[Any]) -> str:
    base = keras_type(layer)
    if base is None:
        return OPAQUE
    if base.__name__ == "Activation":
        return activation_kind(layer.activation)
    if base.__name__ == "Pipeline":
        return _pipeline_kind([kind_of(inner) for inner in layer.layers])
    if base.__name__ == "ReversibleEmbedding" and any(a is True for a in arguments):
        return LINEAR if layer.logit_soft_cap is None else ACTIVATION  # called with reverse=True
    return _LAYER_KIND.get(base.__name__, OPAQUE)


def _pipeline_kind(inner: Sequence[str]) -> str:
    """The kind of a chain of layers that is called as one."""
    if DISCRETE in inner:
        return DISCRETE
    if set(inner) <= {ROUTE, SCALE}:
        return SCALE if SCALE in inner else ROUTE
    return WRAPPER
