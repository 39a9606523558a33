"""One tiny model for every class that `keras.layers` exports, whatever the Keras 3 version.

float input -> a Dense or convolution -> the layer -> Flatten -> Dense(3), at most 1,000 weights.
Models are seeded by `randomise` and leave every global random state as it was.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers as L

from . import randomise, undisturbed_random_state

VECTOR, SEQUENCE, IMAGE, VOLUME, RGB = (5,), (6, 3), (6, 6, 2), (3, 4, 3, 1), (6, 6, 3)
STEMS = {  # one weight layer in front, by rank without the batch
    1: lambda x: L.Dense(4)(x),
    2: lambda x: L.Dense(3)(x),
    3: lambda x: L.Conv2D(2, 2, padding="same")(x),
    4: lambda x: L.Conv3D(1, 2, padding="same")(x),
}
_SPATIAL = {  # families that exist in one, two and three dimensions
    "AdaptiveAveragePooling": {"output_size": 2},
    "AdaptiveMaxPooling": {"output_size": 2},
    "AveragePooling": {"pool_size": 2},
    "Conv": {"filters": 2, "kernel_size": 2},
    "Cropping": {"cropping": 1},
    "GlobalAveragePooling": {},
    "GlobalMaxPooling": {},
    "MaxPooling": {"pool_size": 2},
    "SpatialDropout": {"rate": 0.5},
    "UpSampling": {"size": 2},
    "ZeroPadding": {"padding": 1},
}


def _family(dimensions: int) -> dict:
    return {f"{name}{dimensions}D": kwargs for name, kwargs in _SPATIAL.items()}


def _each(names: str, **kwargs: Any) -> dict:
    return dict.fromkeys(names.split(), kwargs)


_TRANSPOSE = {"filters": 1, "kernel_size": 2, "strides": 2}
_UNIT = {"value_range": (0.0, 1.0)}
_MEL = {"fft_length": 16, "sequence_stride": 16, "sampling_rate": 100, "num_mel_bins": 4}

# Rows (input shape, behind a stem?) -> {exported name: arguments of its constructor}.
PLAIN = {
    (VECTOR, True): {
        **_each("ELU Flatten Identity LeakyReLU PReLU ReLU Softmax UnitNormalization"),
        **_each("BatchNormalization LayerNormalization RMSNormalization"),
        **_each("AlphaDropout Dropout GaussianDropout", rate=0.5),
        "Activation": {"activation": "tanh"},
        "ActivityRegularization": {"l2": 0.01},
        "Dense": {"units": 4, "activation": "relu"},
        "EinsumDense": {"equation": "ab,bc->ac", "output_shape": 3, "bias_axes": "c"},
        "GaussianNoise": {"stddev": 0.5},
        "Normalization": {"mean": [0.1, 0.2, 0.3, 0.4], "variance": [1.0, 2.0, 3.0, 4.0]},
        "RepeatVector": {"n": 3},
        "Rescaling": {"scale": 2.0, "offset": 0.5},
        "Reshape": {"target_shape": (2, 2)},
    },
    (SEQUENCE, True): {
        **_family(1),
        **_each("GRU LSTM SimpleRNN", units=3),
        "Conv1DTranspose": _TRANSPOSE,
        "DepthwiseConv1D": {"kernel_size": 2},
        "Permute": {"dims": (2, 1)},
        "SeparableConv1D": {"filters": 2, "kernel_size": 2},
    },
    (IMAGE, True): {
        **_family(2),
        "CenterCrop": {"height": 4, "width": 4},
        "Conv2DTranspose": _TRANSPOSE,
        "DepthwiseConv2D": {"kernel_size": 2},
        "Resizing": {"height": 4, "width": 4},
        "SeparableConv2D": {"filters": 2, "kernel_size": 2},
    },
    (VOLUME, True): {
        **_family(3),
        "Conv3DTranspose": _TRANSPOSE,
        "Cropping3D": {"cropping": ((0, 1), (1, 0), (0, 1))},
    },
    (RGB, False): {  # augmentation: values in [0, 1), no layer in front
        **_each("CutMix MixUp RandomFlip RandomPerspective"),
        **_each("AugMix AutoContrast RandAugment RandomElasticTransform", **_UNIT),
        **_each("RandomErasing RandomGaussianBlur RandomInvert Solarization", **_UNIT),
        **_each("RandomBrightness RandomColorDegeneration RandomHue", factor=0.2, **_UNIT),
        **_each("RandomSaturation RandomSharpness", factor=0.2, **_UNIT),
        **_each("RandomContrast RandomRotation", factor=0.2),
        "ContrastLimitedAdaptiveHistogramEqualization": {**_UNIT, "tile_grid_size": (2, 2)},
        "MaxNumBoundingBoxes": {"max_number": 2},
        "RandomColorJitter": {"brightness_factor": 0.2, **_UNIT},
        "RandomCrop": {"height": 6, "width": 6},  # newer Keras crops in training only
        "RandomPosterization": {"factor": 4, **_UNIT},
        "RandomShear": {"x_factor": 0.2},
        "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.2},
        "RandomZoom": {"height_factor": 0.2},
    },
    ((4, 4, 4), False): {"GroupNormalization": {"groups": 2}},
    ((3, 5, 2), False): {"ConvLSTM1D": {"filters": 2, "kernel_size": 2}},
    ((3, 4, 4, 1), False): {"ConvLSTM2D": {"filters": 2, "kernel_size": 2}},
    ((2, 3, 3, 3, 1), False): {"ConvLSTM3D": {"filters": 1, "kernel_size": 2}},
    ((64,), False): {"MelSpectrogram": _MEL},
    ((32, 1), False): {"STFTSpectrogram": {"frame_length": 8, "frame_step": 8}},
}


@dataclasses.dataclass(frozen=True)
class _Special:
    """A row that is more than one call: `body` maps the inputs to the tensor the head takes."""

    shapes: tuple
    body: Callable[..., Any]
    kind: str = "float"
    notes: str = ""
    inert: tuple = ()


def _merge(name: str) -> _Special:
    kwargs = {"axes": 1} if name == "Dot" else {}
    return _Special((VECTOR,), lambda x: getattr(L, name)(**kwargs)([L.Dense(4)(x), L.Dense(4)(x)]))


def _attend(name: str) -> _Special:
    return _Special((SEQUENCE,), lambda x: getattr(L, name)(use_scale=True)([L.Dense(3)(x), x]))


def _heads(name: str, *args: int) -> _Special:
    note, inert = "softmax removes the key's bias: it moves a query's scores alike", ("key/bias",)
    return _Special((SEQUENCE,), lambda x: getattr(L, name)(*args)(x, L.Dense(3)(x)), "float", note, inert)


def _cells(make: Callable[[], Any]) -> _Special:
    return _Special((SEQUENCE,), lambda x: L.RNN(make())(x), notes="a cell runs inside an RNN")


def _piped(name: str, **kwargs: Any) -> _Special:
    note = "many a Keras drops it from a graph, for its symbolic output is its input: so piped"
    return _Special((RGB,), lambda x: L.Pipeline([getattr(L, name)(**kwargs)])(x), notes=note)


def _mean(x: Any) -> Any:
    return L.GlobalAveragePooling1D()(x)


def _reversible(x: Any) -> Any:
    layer = L.ReversibleEmbedding(9, 4)
    return layer(_mean(layer(x)), reverse=True)


_IDS, _WORDS = (4,), ["one", "two", "three"]
_HOT = {"output_mode": "multi_hot"}
_STEPS = {"bin_boundaries": [-0.5, 0.0, 0.5], **_HOT}
SPECIAL = {
    **{name: _merge(name) for name in ("Add", "Average", "Concatenate", "Dot")},
    **{name: _merge(name) for name in ("Maximum", "Minimum", "Multiply", "Subtract")},
    "AdditiveAttention": _attend("AdditiveAttention"),
    "Attention": _attend("Attention"),
    "Bidirectional": _Special((SEQUENCE,), lambda x: L.Bidirectional(L.LSTM(2))(x)),
    "CategoryEncoding": _Special((_IDS,), lambda x: L.CategoryEncoding(9)(x), "integer"),
    "Discretization": _Special(
        (VECTOR,), lambda x: L.Discretization(**_STEPS)(L.Dense(4)(x)), notes="no gradient"
    ),
    "Embedding": _Special(
        (_IDS,), lambda x: _mean(L.Embedding(9, 4, mask_zero=True)(x)), "integer", "0 is padding"
    ),
    "Equalization": _piped("Equalization", **_UNIT),
    "GRUCell": _cells(lambda: L.GRUCell(3)),
    "GroupQueryAttention": _heads("GroupQueryAttention", 2, 2, 1),
    "HashedCrossing": _Special(
        ((1,), (1,)), lambda *x: L.HashedCrossing(7, output_mode="one_hot")(x), "integer"
    ),
    "Hashing": _Special((_IDS,), lambda x: L.Hashing(7, **_HOT)(x), "integer"),
    "IntegerLookup": _Special(
        (_IDS,), lambda x: L.IntegerLookup(vocabulary=[1, 2, 3, 4], **_HOT)(x), "integer"
    ),
    "LSTMCell": _cells(lambda: L.LSTMCell(3)),
    "Lambda": _Special((VECTOR,), lambda x: L.Lambda(lambda t: t * 2.0 + 1.0)(L.Dense(4)(x))),
    "Masking": _Special((SEQUENCE,), lambda x: _mean(L.Masking()(x)), notes="first step is zeros"),
    "MultiHeadAttention": _heads("MultiHeadAttention", 2, 2),
    "Pipeline": _Special((RGB,), lambda x: L.Pipeline([L.Rescaling(2.0), L.CenterCrop(4, 4)])(x)),
    "RNN": _cells(lambda: L.SimpleRNNCell(3)),
    "RandomGrayscale": _piped("RandomGrayscale"),
    "ReversibleEmbedding": _Special((_IDS,), _reversible, "integer", "called both ways"),
    "SimpleRNNCell": _cells(lambda: L.SimpleRNNCell(3)),
    "SpectralNormalization": _Special(
        (VECTOR,),
        lambda x: L.SpectralNormalization(L.Dense(4))(x),
        notes="vector_u is read in training only",
        inert=("vector_u",),
    ),
    "StackedRNNCells": _cells(lambda: L.StackedRNNCells([L.GRUCell(3), L.LSTMCell(2)])),
    "StringLookup": _Special((_IDS,), lambda x: L.StringLookup(vocabulary=_WORDS, **_HOT)(x), "string"),
    "TextVectorization": _Special(
        ((1,),), lambda x: L.TextVectorization(vocabulary=_WORDS, **_HOT)(x), "string"
    ),
    "TimeDistributed": _Special((SEQUENCE,), lambda x: L.TimeDistributed(L.Dense(2))(x)),
}

_MERGES = ("add", "average", "concatenate", "dot", "maximum", "minimum", "multiply", "subtract")
NOT_A_STEP = {
    "FlaxLayer": "runs a Flax module: needs JAX, another framework",
    "Input": "a function that returns a symbolic tensor",
    "InputLayer": "marks where a model's input enters; every case has one",
    "InputSpec": "describes a tensor; not a layer",
    "JaxLayer": "runs a JAX function: needs JAX, another framework",
    "Layer": "the base class: has no computation of its own",
    "TFSMLayer": "runs a SavedModel from a folder on disk: a black box",
    "TorchModuleWrapper": "runs a PyTorch module: needs PyTorch, another framework",
    "Wrapper": "the base class of wrappers: has no computation of its own",
    "deserialize": "a function that makes a layer from its configuration",
    "serialize": "a function that returns a layer's configuration",
    **dict.fromkeys(_MERGES, "a function that calls the layer class of the same name"),
}


@dataclasses.dataclass(frozen=True)
class LayerCase:
    """A model around one exported layer: `build()`, and `inputs(batch, rng)` that fit it.

    `kind` says what the inputs hold: "float", "integer" or "string". Weights whose path ends in
    one of `inert` cannot change the output; `notes` says why. Several inputs come as a list.
    """

    name: str
    build: Callable[[], keras.Model]
    inputs: Callable[[int, np.random.Generator], Any]
    kind: str = "float"
    notes: str = ""
    inert: tuple = ()


def _head(y: Any) -> Any:
    return L.Dense(3)(y if len(y.shape) == 2 else L.Flatten()(y))


def _build(row: _Special) -> keras.Model:
    dtype = {"float": "float32", "integer": "int32", "string": "string"}[row.kind]
    with undisturbed_random_state():
        x = [keras.Input(shape, dtype=dtype) for shape in row.shapes]
        return randomise(keras.Model(x if len(x) > 1 else x[0], _head(row.body(*x))))


def _inputs(row: _Special, name: str, batch: int, rng: np.random.Generator) -> Any:
    if row.kind == "integer":
        x = [rng.integers(0, 9, (batch, *shape), dtype="int32") for shape in row.shapes]
        for ids in x:  # 0 is padding for some: no row holds nothing else
            ids[:, 0] = np.maximum(ids[:, 0], 1)
    elif row.kind == "string":
        x = [rng.choice(["one", "two", "six"], (batch, *shape)) for shape in row.shapes]
    elif row.shapes == (RGB,):
        x = [rng.random((batch, *shape), dtype="float32") for shape in row.shapes]
    else:
        x = [rng.normal(size=(batch, *shape)).astype("float32") for shape in row.shapes]
    if name == "Masking":
        x[0][:, 0] = 0.0
    return x if len(x) > 1 else x[0]


def _plain_row(name: str, shape: tuple, stem: bool, kwargs: dict) -> _Special:
    before = STEMS[len(shape)] if stem else lambda x: x
    return _Special((shape,), lambda x: getattr(L, name)(**kwargs)(before(x)))


def layer_rows() -> dict[str, _Special]:
    """Every row of the tables above, also of classes that the Keras that runs lacks."""
    plain = {
        name: _plain_row(name, shape, stem, kwargs)
        for (shape, stem), names in PLAIN.items()
        for name, kwargs in names.items()
    }
    return {**plain, **SPECIAL}


def exported_layer_names() -> tuple[str, ...]:
    """Every public name of `keras.layers` in the Keras that runs, functions too."""
    public = {n: v for n, v in vars(L).items() if not n.startswith("_")}
    return tuple(sorted(n for n, v in public.items() if callable(v)))


def layer_cases() -> tuple[LayerCase, ...]:
    """One case for every exported class outside NOT_A_STEP; another name of a class counts too."""
    rows, exported, cases = layer_rows(), exported_layer_names(), []
    by_class = {getattr(L, name): row for name, row in rows.items() if name in exported}
    for name in exported:
        row = by_class.get(getattr(L, name))
        if row and name not in NOT_A_STEP:
            build, inputs = functools.partial(_build, row), functools.partial(_inputs, row, name)
            cases.append(LayerCase(name, build, inputs, row.kind, row.notes, row.inert))
    return tuple(cases)
