"""What is known of each class of layers and operations: one record a class.

The tables hold class names, not classes, since each version of Keras has its own set of layers; `classify.py`
finds the record of an operation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True)
class Kind:
    """What the operations of a class have in common; whatever is not said of them is not known to hold.

    Args:
        meaning: what they are to a backward pass, one of the strings above.
        linear: which of the builders in `linear.py` gives their linear parts.
        dense: has a kernel and is no convolution.
        batch_norm: `s z + t` with the statistics of batches, which a linear part can take up.
        idle: does nothing at inference.
        keeps_order: only rearranges, in order where one axis is longer than 1.
        reshapes: to any shape.
        axes: the order in which a layer or operation puts the axes.
        pads: puts values around its input.
        keeps_sign: gives nothing below zero if its inputs do not, whatever its settings but interpolation.
        never_negative: gives nothing below zero.
        bounded: gives what lies between two bounds, so that it may gate a signal.
        zero_at_zero: is near zero where its input is, and only a bounded factor away from it; with settings
            such as offset at zero.
        leaks: passes part of what is below zero, whatever its settings.
        capped: has a largest value, whatever its settings.
        head: a final `"softmax"` or `"sigmoid"` turns scores into probabilities.
        gated: a product that is linear in each factor, or in its dividend: the others may gate it.
        quotient: the first input is divided by the second.
        elementwise: every output has one value of each input, unless shapes differ.
        keeps_samples: works along axes whose loss the shapes tell; all layers keep samples apart.
        with_constants: what it is where one argument only is a tensor of the graph.
    """

    meaning: str
    linear: str = ""
    dense: bool = False
    batch_norm: bool = False
    idle: bool = False
    keeps_order: bool = False
    reshapes: bool = False
    axes: Callable[[Any], Sequence[int] | None] | None = None
    pads: bool = False
    keeps_sign: bool = False
    never_negative: bool = False
    bounded: bool = False
    zero_at_zero: bool = False
    leaks: bool = False
    capped: bool = False
    head: str | None = None
    gated: bool = False
    quotient: bool = False
    elementwise: bool = False
    keeps_samples: bool = False
    with_constants: Kind | None = None


def _by_name(*rows: tuple[Kind, str]) -> dict[str, Kind]:
    """A record for every name; a star stands for 1, 2 and 3."""
    return {
        name.replace("*", rank): kind
        for kind, names in rows
        for name in names.split()
        for rank in ("123" if "*" in name else "*")
    }


_SIGMOID = Kind(ACTIVATION, head="sigmoid", bounded=True, never_negative=True)
_SOFTMAX = Kind(ACTIVATION, head="softmax", bounded=True, never_negative=True)
_FACTOR = Kind(SCALE, zero_at_zero=True, elementwise=True)

#: An activation that does nothing, and a softmax that was taken off.
NOTHING = Kind(ROUTE, keeps_sign=True, keeps_order=True)

LAYERS = _by_name(
    (Kind(KERNEL, linear="dense", dense=True), "Dense"),
    (Kind(KERNEL, linear="einsum", dense=True), "EinsumDense"),
    (Kind(KERNEL, linear="conv"), "Conv*D"),
    (Kind(KERNEL, linear="depthwise"), "DepthwiseConv*D"),
    (Kind(KERNEL, linear="separable"), "SeparableConv*D"),
    (Kind(KERNEL, linear="transposed"), "Conv*DTranspose"),
    (Kind(RELU), "ReLU"),
    (Kind(RELU, leaks=True), "LeakyReLU"),
    (Kind(ACTIVATION, zero_at_zero=True), "ELU PReLU"),
    (_SOFTMAX, "Softmax"),
    (Kind(SUM, keeps_sign=True), "Add Average"),
    (Kind(SUM), "Subtract CustomScaleLayer"),
    (Kind(PRODUCT, keeps_sign=True, gated=True, elementwise=True), "Multiply"),
    (Kind(PRODUCT, gated=True), "Dot"),
    (Kind(MEAN, keeps_sign=True), "AveragePooling*D GlobalAveragePooling*D AdaptiveAveragePooling*D"),
    (Kind(WINNER, keeps_sign=True), "Maximum Minimum MaxPooling*D GlobalMaxPooling*D AdaptiveMaxPooling*D"),
    (Kind(ROUTE, keeps_sign=True), """Concatenate RepeatVector Masking CenterCrop Resizing MaxNumBoundingBoxes
        MixUp CutMix RandAugment AugMix Pipeline StochasticDepth Cropping*D UpSampling*D"""),
    (NOTHING, "InputLayer"),
    (Kind(ROUTE, keeps_sign=True, keeps_order=True, reshapes=True), "Reshape Flatten"),
    (Kind(ROUTE, keeps_sign=True, keeps_order=True, axes=lambda layer: (0, *layer.dims)), "Permute"),
    (Kind(ROUTE, keeps_sign=True, keeps_order=True, idle=True), "Identity Dropout ActivityRegularization"),
    (Kind(ROUTE, keeps_sign=True, idle=True), "AlphaDropout GaussianDropout GaussianNoise SpatialDropout*D"),
    (Kind(ROUTE, keeps_sign=True, pads=True), "ZeroPadding*D"),
    (Kind(ROUTE), """RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop
        RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHue
        RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness
        RandomShear RandomTranslation RandomZoom"""),
    (Kind(SCALE, batch_norm=True), "BatchNormalization"),
    (Kind(SCALE, zero_at_zero=True), "Rescaling LayerScale"),
    (Kind(SCALE), "Normalization"),
    (Kind(NORMALIZE, zero_at_zero=True), "RMSNormalization UnitNormalization LocalResponseNormalization"),
    (Kind(NORMALIZE), "LayerNormalization GroupNormalization"),
    (Kind(EMBEDDING), "Embedding ReversibleEmbedding"),
    (Kind(RECURRENT), """RNN SimpleRNN GRU LSTM ConvLSTM*D SimpleRNNCell GRUCell LSTMCell StackedRNNCells
        Bidirectional"""),
    (Kind(ATTENTION), "Attention AdditiveAttention MultiHeadAttention GroupedQueryAttention"),
    (Kind(WRAPPER), "TimeDistributed SpectralNormalization Wrapper"),
    (Kind(DISCRETE), """CategoryEncoding Discretization Hashing HashedCrossing IntegerLookup StringLookup
        TextVectorization FeatureSpace Equalization AutoContrast Solarization
        ContrastLimitedAdaptiveHistogramEqualization"""),
    (Kind(OPAQUE), """Lambda TFSMLayer TorchModuleWrapper FlaxLayer JaxLayer STFTSpectrogram
        MelSpectrogram"""),
)  # fmt: skip

OPERATIONS = _by_name(
    (Kind(RELU), "Relu ReLU"),
    (Kind(RELU, capped=True), "Relu6"),
    (Kind(RELU, leaks=True), "LeakyRelu"),
    (_SIGMOID, "Sigmoid"),
    (_SOFTMAX, "Softmax"),
    (Kind(ACTIVATION, bounded=True, never_negative=True), "HardSigmoid"),
    (Kind(ACTIVATION, bounded=True, zero_at_zero=True), "Tanh HardTanh"),
    (Kind(ACTIVATION, never_negative=True), "Softplus Exp"),
    (Kind(ACTIVATION, never_negative=True, zero_at_zero=True), "Square"),
    (Kind(ACTIVATION, zero_at_zero=True), """Softsign Silu Gelu Elu Selu Celu HardSilu Mish SoftShrink
        HardShrink TanhShrink Erf Expm1 Log1p Sin Absolute Abs"""),
    (Kind(ACTIVATION), """LogSoftmax LogSigmoid Squareplus SparsePlus SparseSigmoid Sparsemax Threshold Exp2
        Log Log2 Log10 Sqrt Rsqrt Clip Cos Reciprocal Sign"""),
    (Kind(SUM, keeps_sign=True, with_constants=Kind(SCALE)), "Add"),
    (Kind(SUM, with_constants=Kind(SCALE)), "Subtract"),
    (Kind(PRODUCT, keeps_sign=True, gated=True, elementwise=True, keeps_samples=True, with_constants=_FACTOR),
     "Multiply"),
    (Kind(PRODUCT, gated=True, elementwise=True, quotient=True, with_constants=_FACTOR),
     "Divide TrueDivide DivideNoNan"),
    (Kind(PRODUCT, gated=True, with_constants=Kind(LINEAR)), "Matmul Einsum Dot Tensordot Inner Outer"),
    (Kind(PRODUCT, with_constants=Kind(ACTIVATION)), "Power"),
    (Kind(PRODUCT, with_constants=Kind(SCALE)), "DotProductAttention"),
    (Kind(MEAN, keeps_sign=True), "AveragePool AdaptiveAveragePool"),
    (Kind(MEAN, keeps_sign=True, keeps_samples=True), "Mean Sum"),
    (Kind(WINNER, keeps_sign=True), "MaxPool AdaptiveMaxPool"),
    (Kind(WINNER, keeps_sign=True, keeps_samples=True), "Max Min Amax Amin"),
    (Kind(WINNER, keeps_sign=True, with_constants=Kind(ACTIVATION)), "Maximum Minimum"),
    (Kind(ROUTE, keeps_sign=True), """Concatenate Stack Hstack Vstack Dstack Append Split Unstack Ravel
        Swapaxes Moveaxis GetItem Slice Take TakeAlongAxis Flip Roll Repeat Tile BroadcastTo ConvertToTensor
        Copy DepthToSpace SpaceToDepth"""),
    (Kind(ROUTE, keeps_sign=True, keeps_order=True), "ExpandDims"),
    (Kind(ROUTE, keeps_sign=True, keeps_order=True, keeps_samples=True), "Squeeze Cast"),
    (Kind(ROUTE, keeps_sign=True, keeps_order=True, keeps_samples=True, idle=True), "Identity"),
    (Kind(ROUTE, keeps_sign=True, keeps_order=True, reshapes=True), "Reshape"),
    (Kind(ROUTE, keeps_sign=True, keeps_order=True, axes=lambda operation: operation.axes), "Transpose"),
    (Kind(ROUTE, keeps_sign=True, pads=True), "Pad"),
    (Kind(SCALE, zero_at_zero=True), "Negative"),
    (Kind(SCALE), "BatchNorm"),
    (Kind(NORMALIZE, zero_at_zero=True), "Normalize RMSNorm"),
    (Kind(NORMALIZE), "LayerNorm"),
    (Kind(DISCRETE), """OneHot MultiHot Argmax Argmin Argsort Floor Ceil Round Bincount Digitize
        StopGradient"""),
    (Kind(COMPARE), """Equal NotEqual Greater GreaterEqual Less LessEqual LogicalAnd LogicalOr LogicalNot
        LogicalXor All Any Isclose Isfinite Isinf Isnan Signbit"""),
)  # fmt: skip
