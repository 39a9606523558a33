"""Named networks: each line of `MODELS` is a `ModelCase`, which is also its builder.

`conv_net(dtype=None, seed=0)` gives the model, `conv_net.inputs(batch, rng)` arrays that fit it.
`dtype` ("mixed_float16", "float64", ...) is the policy of each layer; the global one stays.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from . import Kit, ModelCase, nest_pairs, relu_spellings

__all__ = ["MODELS", "model_cases", "nest", "nest_pairs", "relu_spellings"]

MODELS: dict[str, ModelCase] = {}


def network(*shapes: Any, **fields: Any) -> Callable:
    """Register a body `(kit, *inputs) -> outputs` as the case of its name."""
    wanted = shapes[0] if isinstance(shapes[0], dict) else shapes

    def register(body: Callable) -> ModelCase:
        return MODELS.setdefault(body.__name__, ModelCase(body.__name__, body, wanted, **fields))

    return register


def model_cases() -> tuple[ModelCase, ...]:
    """Every named network."""
    return tuple(MODELS.values())


def nest(case: ModelCase, depth: int = 1, seed: int = 0) -> tuple[keras.Model, keras.Model]:
    """`(nested, inlined)`: the whole network wrapped `depth` times, and an equal plain one."""
    nested = case.build(seed=seed)
    for _ in range(depth):
        x = case.symbols(Kit())
        nested = keras.Model(x, nested(x))
    return nested, case.build(seed=seed)


@network((6,))
def dense_net(k: Kit, x: Any) -> Any:
    """Three Dense, softmax as the last one's activation."""
    y = k.Dense(5, activation="relu")(k.Dense(8, activation="relu")(x))
    return k.Dense(3, activation="softmax")(y)


@network((8, 8, 3))
def conv_net(k: Kit, x: Any) -> Any:
    """Convolution, batch norm, ReLU, max-pool, global average, a Softmax layer."""
    y = k.ReLU()(k.BatchNormalization()(k.Conv2D(4, 3, use_bias=False)(x)))
    y = k.Conv2D(5, 2, strides=2, activation="relu")(k.MaxPooling2D(2)(y))
    return k.Softmax()(k.Dense(3)(k.GlobalAveragePooling2D()(y)))


@network((8, 8, 3))
def vgg_like(k: Kit, x: Any) -> Any:
    """Two blocks of convolutions with max-pool, Flatten, Dense with Dropout."""
    for filters in (3, 4):
        x = k.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = k.MaxPooling2D(2)(k.Conv2D(filters, 3, padding="same", activation="relu")(x))
    y = k.Dropout(0.5)(k.Dense(6, activation="relu")(k.Flatten()(x)))
    return k.Dense(3, activation="softmax")(y)


@network((8, 8, 1))
def all_convolutional(k: Kit, x: Any) -> Any:
    """3x3 convolutions, max-pool, a 1x1 convolution to one kernel a class, global average."""
    y = k.MaxPooling2D(2)(k.Conv2D(4, 3, padding="same", activation="relu")(x))
    y = k.Conv2D(3, 1)(k.Conv2D(5, 3, padding="same", activation="relu")(y))
    return k.Activation("softmax")(k.GlobalAveragePooling2D()(y))


@network((8, 8, 3))
def residual(k: Kit, x: Any) -> Any:
    """Two residual blocks with batch norm: an identity shortcut and a strided 1x1 one."""
    x = k.Conv2D(4, 3, padding="same")(x)
    for strides in (1, 2):
        y = k.Conv2D(4, 3, strides=strides, padding="same", use_bias=False)(x)
        y = k.BatchNormalization()(k.Conv2D(4, 3, padding="same")(k.ReLU()(y)))
        x = k.Conv2D(4, 1, strides=2)(x) if strides == 2 else x
        x = k.ReLU()(k.Add()([x, y]))
    return k.Dense(3)(k.GlobalAveragePooling2D()(x))


@network((8, 8, 3))
def dense_block(k: Kit, x: Any) -> Any:
    """BN-ReLU-convolution steps that see all earlier maps, then average-pool."""
    for _ in range(2):
        y = k.Activation("relu")(k.BatchNormalization()(x))
        x = k.Concatenate()([x, k.Conv2D(2, 3, padding="same")(y)])
    return k.Dense(3)(k.Flatten()(k.AveragePooling2D(4)(x)))


@network((8, 8, 3))
def inception_like(k: Kit, x: Any) -> Any:
    """Branches of 1x1, 3x3, dilated and pooled convolutions, concatenated."""
    one = k.Conv2D(2, 1, activation="relu")(x)
    three = k.Conv2D(2, 3, padding="same", activation="relu")(one)
    wide = k.Conv2D(2, 3, padding="same", dilation_rate=2, activation="relu")(x)
    pooled = k.Conv2D(2, 1)(k.MaxPooling2D(3, strides=1, padding="same")(x))
    return k.Dense(3)(k.GlobalMaxPooling2D()(k.Concatenate()([one, three, wide, pooled])))


@network((8, 8, 4))
def depthwise_separable(k: Kit, x: Any) -> Any:
    """Depthwise, pointwise, separable and grouped convolutions with ReLU6."""
    y = k.ReLU(max_value=6.0)(k.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x))
    y = k.SeparableConv2D(4, 3, strides=2, padding="same", activation="relu")(k.Conv2D(4, 1)(y))
    return k.Dense(3)(k.GlobalAveragePooling2D()(k.Conv2D(4, 2, groups=2)(y)))


@network((8, 8, 3))
def squeeze_excite(k: Kit, x: Any) -> Any:
    """Channels gated by a sigmoid of their means: Multiply."""
    y = k.Conv2D(4, 3, activation="relu")(x)
    gate = k.Dense(2, activation="relu")(k.GlobalAveragePooling2D()(y))
    gate = k.Reshape((1, 1, 4))(k.Dense(4, activation="sigmoid")(gate))
    return k.Dense(3)(k.GlobalAveragePooling2D()(k.Multiply()([y, gate])))


@network((8, 8, 1))
def u_net(k: Kit, x: Any) -> Any:
    """Down twice, up by a transposed convolution and by up-sampling, softmax at each pixel."""
    top = k.Conv2D(2, 3, padding="same", activation="relu")(x)
    middle = k.Conv2D(3, 3, padding="same", activation="relu")(k.MaxPooling2D(2)(top))
    y = k.Conv2D(3, 3, padding="same", activation="relu")(k.AveragePooling2D(2)(middle))
    y = k.Concatenate()([middle, k.Conv2DTranspose(3, 3, strides=2, padding="same")(y)])
    y = k.Concatenate()([top, k.UpSampling2D(2)(k.ReLU()(y))])
    return k.Conv2D(3, 1, activation="softmax")(y)


@network((12, 2))
def conv_1d(k: Kit, x: Any) -> Any:
    """A time series: causal, dilated and strided convolutions."""
    y = k.Conv1D(3, 3, padding="causal", dilation_rate=2, activation="relu")(x)
    y = k.MaxPooling1D(2)(k.BatchNormalization()(y))
    y = k.Conv1D(4, 2, strides=2, activation="relu")(k.ZeroPadding1D(1)(y))
    return k.Dense(3, activation="softmax")(k.GlobalAveragePooling1D()(y))


@network((6, 6, 6, 1), dtypes=("float32",))
def conv_3d(k: Kit, x: Any) -> Any:
    """A volume: two convolutions with max-pool, whose CPU kernel is float32 only."""
    y = k.MaxPooling3D(2)(k.Conv3D(2, 3, padding="same", activation="relu")(x))
    y = k.GlobalAveragePooling3D()(k.Conv3D(3, 2, activation="relu")(y))
    return k.Dense(3, activation="softmax")(y)


@network((7,))
def tabular_regression(k: Kit, x: Any) -> Any:
    """One linear unit behind tanh and ReLU."""
    return k.Dense(1)(k.Dense(5, activation="relu")(k.Dense(6, activation="tanh")(x)))


@network((7,))
def binary_sigmoid(k: Kit, x: Any) -> Any:
    """Two classes in one sigmoid unit, behind a batch norm."""
    y = k.BatchNormalization()(k.Dense(6)(x))
    return k.Dense(1, activation="sigmoid")(k.ReLU()(y))


@network((7,))
def multi_label(k: Kit, x: Any) -> Any:
    """Four independent sigmoids, as an Activation of their own."""
    return k.Activation("sigmoid")(k.Dense(4)(k.Dense(6, activation="relu")(x)))


@network((6, 6, 2), (5,))
def two_inputs_two_outputs(k: Kit, image: Any, table: Any) -> Any:
    """An image and a table give classes (softmax) and a number (linear)."""
    seen = k.GlobalAveragePooling2D()(k.Conv2D(4, 3, activation="relu")(image))
    both = k.Concatenate()([seen, k.Dense(4, activation="relu")(table)])
    return [k.Dense(3, activation="softmax")(both), k.Dense(1)(both)]


@network({"image": (6, 6, 2), "table": (5,)})
def dict_inputs(k: Kit, image: Any, table: Any) -> Any:
    """The same two inputs by name, one output."""
    seen = k.Flatten()(k.Conv2D(2, 3, strides=2, activation="relu")(image))
    return k.Dense(3)(k.Concatenate()([k.Dense(4, activation="relu")(table), seen]))


@network((6,))
def shared_layer(k: Kit, x: Any) -> Any:
    """One Dense and one ReLU layer, each called three times."""
    dense, relu = k.Dense(6), k.ReLU()
    y = relu(dense(relu(dense(x))))
    return k.Dense(3)(k.Add()([y, relu(dense(y))]))


@network((6, 6, 2), (6, 6, 2))
def shared_submodel(k: Kit, left: Any, right: Any) -> Any:
    """A siamese net: one tower for both inputs, added."""
    x = k.input(6, 6, 2)
    y = k.GlobalAveragePooling2D()(k.Conv2D(4, 3, activation="relu")(x))
    tower = keras.Model(x, k.Dense(4)(y), name="tower")
    return k.Dense(2)(k.Add()([tower(left), tower(right)]))


@network((6,))
def lambda_net(k: Kit, x: Any) -> Any:
    """Two Lambda layers: a smooth one and one that scales."""
    y = k.Dense(5, activation="relu")(k.Lambda(lambda t: t * 0.5 + 1.0)(x))
    return k.Dense(3, activation="softmax")(k.Lambda(lambda t: ops.tanh(t))(y))


@network((6,))
def raw_ops_net(k: Kit, x: Any) -> Any:
    """Operations without layers: scaling, ops.relu, slices, addition, ops.softmax."""
    y = ops.relu(k.Dense(5)(x * 2.0))
    return ops.softmax(k.Dense(3)(y[:, 1:] + y[:, :-1]), axis=-1)


@network((7,), tokens=11)
def token_net(k: Kit, x: Any) -> Any:
    """Integer tokens, 0 is padding: Embedding with a mask, mean, Dense."""
    y = k.GlobalAveragePooling1D()(k.Embedding(11, 4, mask_zero=True)(x))
    return k.Dense(3, activation="softmax")(k.Dense(5, activation="relu")(y))


@network((7,), (4,), tokens=11)
def token_two_inputs(k: Kit, question: Any, answer: Any) -> Any:
    """Two token inputs into one Embedding."""
    embed = k.Embedding(11, 4)
    pooled = [k.GlobalMaxPooling1D()(embed(question)), k.GlobalAveragePooling1D()(embed(answer))]
    return k.Dense(2)(k.Dense(5, activation="relu")(k.Concatenate()(pooled)))


@network((6, 3))
def lstm_net(k: Kit, x: Any) -> Any:
    """A bidirectional LSTM under a GRU."""
    sequence = k.Bidirectional(k.LSTM(3, return_sequences=True))(x)
    return k.Dense(3, activation="softmax")(k.GRU(4)(sequence))


@network((6, 4))
def attention_net(k: Kit, x: Any) -> Any:
    """A transformer block: attention and a GELU pair, each with a shortcut and layer norm."""
    y = k.MultiHeadAttention(2, 2, use_bias=False)(x, x)  # a key's bias would have no effect
    x = k.LayerNormalization()(k.Add()([x, y]))
    y = k.Dense(4)(k.Dense(6, activation="gelu")(x))
    x = k.LayerNormalization()(k.Add()([x, y]))
    return k.Dense(3, activation="softmax")(k.GlobalAveragePooling1D()(x))


@network((8, 8, 4))
def layer_norm_net(k: Kit, x: Any) -> Any:
    """A convolution with group norm, Dense with layer norm, ELU and PReLU."""
    y = k.ELU()(k.GroupNormalization(groups=2)(k.Conv2D(4, 3, strides=2)(x)))
    y = k.PReLU()(k.LayerNormalization()(k.Dense(5)(k.Flatten()(y))))
    return k.Dense(3)(y)


@network((3, 3, 4))
def subgraph_net(k: Kit, x: Any) -> Any:
    """The upper part of a network: `keras.Model(intermediate, output)`; `x` is not used."""
    image = k.input(8, 8, 2)
    middle = k.MaxPooling2D(2)(k.Conv2D(4, 3, activation="relu")(image))
    y = k.Flatten()(k.Conv2D(3, 2, activation="relu")(middle))
    return keras.Model(middle, k.Dense(3, activation="softmax")(y))


class Subclassed(keras.Model):
    """A model without a graph: Python code in `call`."""

    def __init__(self, k: Kit):
        super().__init__(dtype=k.dtype)
        self.hidden = k.Dense(5, activation="relu")
        self.head = k.Dense(3, activation="softmax")

    def call(self, inputs: Any) -> Any:
        return self.head(self.hidden(inputs))


@network((6,), graph=False)
def subclassed_net(k: Kit, x: Any) -> Any:
    """A subclassed model of two Dense."""
    model = Subclassed(k)
    model(x)
    return model


@network((3, 8, 8), dtypes=("float32",))
def channels_first(k: Kit, x: Any) -> Any:
    """Every layer with the channels in front of the space; whether a CPU can do more depends on the CPU."""
    first = {"data_format": "channels_first"}
    y = k.ReLU()(k.BatchNormalization(axis=1)(k.Conv2D(4, 3, **first)(x)))
    y = k.Conv2D(3, 3, padding="same", activation="relu", **first)(k.MaxPooling2D(2, **first)(y))
    return k.Dense(3, activation="softmax")(k.GlobalAveragePooling2D(**first)(y))
