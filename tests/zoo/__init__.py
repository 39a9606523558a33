"""What the test zoo shares: seeded weights, model cases, nested pairs, spellings of a ReLU.

`layers.py` holds one tiny model for every class of `keras.layers`, `models.py` the named networks,
`real.py` the trained ones. Nothing here reads or moves a global random state.
"""

import contextlib
import dataclasses
import functools
import random
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import activations, ops
from keras import layers as L


@contextlib.contextmanager
def undisturbed_random_state() -> Iterator[None]:
    """Keras draws the seeds of initialisers from Python's `random`: put its state back after."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


def _draw(name: str, shape: tuple, rng: np.random.Generator) -> np.ndarray:
    """Values for one weight: never zero where zero would hide it, positive where it must be."""
    if name.endswith("variance") or name in ("gamma", "scale"):
        return rng.uniform(0.5, 1.5, shape)
    if len(shape) < 2 or "bias" in name:
        return rng.uniform(0.1, 0.4, shape) * rng.choice([-1.0, 1.0], shape)
    return rng.normal(size=shape) * np.sqrt(2.0 / np.prod(shape[:-1]))


def randomise(model: keras.Model, seed: int = 0) -> keras.Model:
    """Set every weight from `default_rng(seed)`: biases non-zero, variances positive."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        # The kernels of a spectrogram are a Fourier basis: random ones would be another layer.
        if "float" in str(weight.dtype) and weight.name not in ("real_kernel", "imag_kernel"):
            weight.assign(_draw(weight.name, tuple(weight.shape), rng))
    return model


class Kit:
    """`keras.layers` with one dtype policy for every layer, never the global one."""

    def __init__(self, dtype: str | None = None):
        self.dtype = dtype

    def __getattr__(self, name: str) -> Callable:
        return functools.partial(getattr(L, name), dtype=self.dtype)

    def input(self, *shape: int, dtype: str | None = None, name: str | None = None) -> Any:
        """An input of the kit's float type; mixed precision takes float32."""
        own = "float64" if self.dtype == "float64" else "float32"
        return keras.Input(shape, dtype=dtype or own, name=name)


@dataclasses.dataclass(frozen=True)
class Case:
    """What goes into a model: `shapes` of the inputs (a dict for dict inputs), `tokens` the size
    of the vocabulary of integer inputs (0: floats), `graph` False for a subclassed model and
    `dtypes` the policies for which TensorFlow has CPU kernels.
    """

    name: str
    body: Callable[..., Any]
    shapes: tuple | dict
    tokens: int = 0
    graph: bool = True
    dtypes: tuple = ("float32", "float64", "mixed_float16")

    def _each(self, make: Callable[..., Any]) -> Any:
        """`make(shape, name)` for every input: one, a list or a dict, as the model takes them."""
        if isinstance(self.shapes, dict):
            return {name: make(shape, name) for name, shape in self.shapes.items()}
        made = [make(shape, None) for shape in self.shapes]
        return made if len(made) > 1 else made[0]

    def symbols(self, k: Kit) -> Any:
        """Fresh symbolic inputs."""
        dtype = "int32" if self.tokens else None
        return self._each(lambda shape, name: k.input(*shape, dtype=dtype, name=name))

    def inputs(self, batch: int, rng: np.random.Generator) -> Any:
        """Arrays of `batch` rows; token 0 is padding and never the first of a row."""

        def array(shape: tuple, name: str | None) -> np.ndarray:
            if not self.tokens:
                return rng.normal(size=(batch, *shape)).astype("float32")
            tokens = rng.integers(0, self.tokens, (batch, *shape), dtype="int32")
            tokens[:, 0] = np.maximum(tokens[:, 0], 1)
            return tokens

        return self._each(array)


class ModelCase(Case):
    """A named network."""

    def build(self, dtype: str | None = None, seed: int = 0) -> keras.Model:
        """A new model with seeded weights."""
        k = Kit(dtype)
        with undisturbed_random_state():
            x = self.symbols(k)
            args = x if isinstance(x, list) else [] if isinstance(x, dict) else [x]
            y = self.body(k, *args, **(x if isinstance(x, dict) else {}))
            return randomise(y if isinstance(y, keras.Model) else keras.Model(x, y), seed)

    __call__ = build


# --- Pairs whose layers are spread over the levels -----------------------------------------------


def _normed(x: Any) -> Any:
    return L.BatchNormalization()(L.Conv2D(3, 3, padding="same", use_bias=False)(x))


ARCHITECTURES = {  # input shape, a stage that can be repeated
    "dense": ((6,), lambda x: L.Dense(5, activation="relu")(x)),
    "conv": ((6, 6, 2), lambda x: L.ReLU()(_normed(x))),
    "residual": ((6, 6, 3), lambda x: L.Activation("relu")(L.Add()([x, _normed(x)]))),
    "conv_1d": ((7, 2), lambda x: L.Conv1D(3, 3, padding="causal", activation="relu")(x)),
}


def _head() -> list:
    return [L.Flatten(), L.Dense(3, activation="softmax")]


def _chain(x: Any, steps: list) -> Any:
    return functools.reduce(lambda y, step: step(y), steps, x)


def _model(shape: tuple, steps: list, name: str | None = None) -> keras.Model:
    x = keras.Input(shape)
    return keras.Model(x, _chain(x, steps), name=name)


def _deep(shape: tuple, stage: Callable, depth: int, nested: bool) -> keras.Model:
    """Three stages and a head; each level puts what it has so far into a sub-model."""
    base = [stage] * (4 - depth)
    for level in range(depth):
        whole = functools.partial(_chain, steps=base)
        base = [_model(shape, base, f"base_{level}") if nested else whole]
        base += [stage] if level < depth - 1 else []
    return _model(shape, base + _head())


def _sequential(shape: tuple, stage: Callable, nested: bool) -> keras.Model:
    """`Sequential([base, head])`, the shape of transfer learning."""
    if not nested:
        return _model(shape, [stage] * 2 + _head())
    base = _model(shape, [stage] * 2, "base")
    return keras.Sequential([keras.Input(shape), base, keras.Sequential(_head(), name="head")])


def _shared(nested: bool) -> keras.Model:
    """A sub-model called on both inputs, or its layers called twice."""
    layers = [L.Conv2D(3, 3, activation="relu"), L.Conv2D(2, 2), L.ReLU(), L.Flatten()]
    a, b = keras.Input((6, 6, 2)), keras.Input((6, 6, 2))
    tower = [_model((6, 6, 2), layers, "tower")] if nested else layers
    return keras.Model([a, b], L.Dense(3)(L.Concatenate()([_chain(a, tower), _chain(b, tower)])))


def _dict_inner(nested: bool) -> keras.Model:
    """An inner model that takes a dict and returns two tensors."""

    def body(x: dict) -> list:
        left, right = (L.Dense(5, activation="relu")(x[side]) for side in ("left", "right"))
        return [L.Add()([left, right]), L.Multiply()([left, right])]

    a, b = keras.Input((4,)), keras.Input((6,))
    inner = {"left": keras.Input((4,), name="left"), "right": keras.Input((6,), name="right")}
    call = keras.Model(inner, body(inner), name="pair") if nested else body
    return keras.Model([a, b], L.Dense(3)(L.Concatenate()(call({"left": a, "right": b}))))


class PairCase(Case):
    """`build()` gives `(nested, inlined)`: two models of equal weights and equal function."""

    def build(self, seed: int = 0) -> tuple[keras.Model, keras.Model]:
        with undisturbed_random_state():
            nested, inlined = self.body(True), self.body(False)
        inlined.set_weights(randomise(nested, seed).get_weights())
        return nested, inlined


def nest_pairs() -> tuple[PairCase, ...]:
    """Depth 1 to 3 and `Sequential([base, head])` of each architecture, shared and dict inner."""
    two = ((6, 6, 2), (6, 6, 2))
    cases = [PairCase("shared", _shared, two), PairCase("dict_inner", _dict_inner, ((4,), (6,)))]
    for name, (shape, stage) in ARCHITECTURES.items():
        bodies = {f"depth_{d}": functools.partial(_deep, shape, stage, d) for d in (1, 2, 3)}
        bodies["sequential"] = functools.partial(_sequential, shape, stage)
        cases += [PairCase(f"{name}_{how}", body, (shape,)) for how, body in bodies.items()]
    return tuple(cases)


# --- Every way of writing a ReLU -----------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class ReluSpelling:
    """One way of writing a non-linearity; all spellings of a `group` compute the same function.

    `argument` is given as `activation=` to Dense and Conv2D; or else `make()` gives a layer or a
    function, which is called on the output of the linear layer.
    """

    name: str
    group: str
    argument: Any = None
    make: Callable[[], Callable] | None = None

    def _active(self, layer: type, *args: Any, **kwargs: Any) -> list:
        linear = layer(*args, activation=self.argument, **kwargs)
        return [linear, self.make()] if self.make else [linear]

    def _conv(self) -> list:
        return self._active(L.Conv2D, 4, 3, padding="same")

    def _network(self, middle: list) -> keras.Model:
        head = [L.GlobalAveragePooling2D(), *self._active(L.Dense, 5), L.Dense(3)]
        return _model((6, 6, 4), [*middle, *head])

    def build(self, seed: int = 0) -> tuple[keras.Model, keras.Model, keras.Model]:
        """`(flat, nested, shared)`, one seed; `shared` calls a tower of shared layers twice."""
        shape = (6, 6, 4)
        with undisturbed_random_state():
            inner = _model(shape, [*self._conv(), _model(shape, self._conv(), "inner")], "outer")
            tower = _model(shape, self._conv() * 2, "tower")
            middles = [*self._conv(), *self._conv()], [inner], [tower, tower]
            return tuple(randomise(self._network(middle), seed) for middle in middles)

    @staticmethod
    def inputs(batch: int, rng: np.random.Generator) -> np.ndarray:
        """Wide enough that a ceiling of 6 and a threshold of 0.5 both matter."""
        return rng.normal(scale=6.0, size=(batch, 6, 6, 4)).astype("float32")


def _spelled(group: str, arguments: dict, after: dict) -> list[ReluSpelling]:
    given = [ReluSpelling(f"{group}:{n}", group, argument=a) for n, a in arguments.items()]
    return given + [ReluSpelling(f"{group}:{n}", group, make=make) for n, make in after.items()]


def relu_spellings() -> tuple[ReluSpelling, ...]:
    """Every spelling of five functions: relu, relu6, leaky, leaky_default and threshold."""
    A, slope = L.Activation, {"negative_slope": 0.1}
    as_argument = {"argument": "relu", "argument_ops": ops.relu, "argument_call": activations.relu}
    relu = {
        "ReLU": L.ReLU,
        "Activation": lambda: A("relu"),
        "Activation_ops": lambda: A(ops.relu),
        "Activation_function": lambda: A(activations.relu),
        "ops": lambda: ops.relu,
        "function": lambda: activations.relu,
        "maximum": lambda: lambda x: ops.maximum(x, 0.0),
        "maximum_left": lambda: lambda x: ops.maximum(0.0, x),
        "LeakyReLU_0": lambda: L.LeakyReLU(negative_slope=0.0),
    }
    relu6 = {
        "ReLU": lambda: L.ReLU(max_value=6),
        "Activation": lambda: A("relu6"),
        "ops": lambda: ops.relu6,
        "function": lambda: activations.relu6,
        "function_max": lambda: lambda x: activations.relu(x, max_value=6.0),
    }
    leaky = {
        "ReLU": lambda: L.ReLU(**slope),
        "LeakyReLU": lambda: L.LeakyReLU(**slope),
        "ops": lambda: lambda x: ops.leaky_relu(x, **slope),
        "function": lambda: lambda x: activations.leaky_relu(x, **slope),
    }
    default = {
        "Activation": lambda: A("leaky_relu"),
        "ReLU": lambda: L.ReLU(negative_slope=0.2),
        "LeakyReLU": lambda: L.LeakyReLU(negative_slope=0.2),
        "ops": lambda: ops.leaky_relu,
        "function": lambda: activations.leaky_relu,
    }
    threshold = {
        "ReLU": lambda: L.ReLU(threshold=0.5),
        "function": lambda: lambda x: activations.relu(x, threshold=0.5),
    }
    return (
        *_spelled("relu", as_argument, relu),
        *_spelled("relu6", {"argument": "relu6"}, relu6),
        *_spelled("leaky", {}, leaky),
        *_spelled("leaky_default", {"argument": "leaky_relu"}, default),
        *_spelled("threshold", {}, threshold),
    )
