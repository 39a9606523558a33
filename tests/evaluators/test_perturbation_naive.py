"""Region perturbation against a plain loop over images, repetitions, windows and pixels."""

import itertools

import keras
import numpy as np
import pytest
from keras import layers as L

from innexplain.errors import ArgumentError, InputError, ModelError
from innexplain.evaluators import region_perturbation
from innexplain.randomness import sample_rng
from innexplain.samplers import BlurSampler, ConstantSampler, MeanSampler, UniformSampler


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def windows(spatial: tuple, size: tuple) -> list[list[tuple]]:
    """The locations of each window, in reading order."""
    corners = itertools.product(*(range(0, d, s) for d, s in zip(spatial, size, strict=True)))
    return [
        list(itertools.product(*(range(c, min(c + s, d)) for c, s, d in zip(k, size, spatial, strict=True))))
        for k in corners
    ]


def naive(
    predict, x, maps, size, order, sampler, repeats, classes, seed=0, channels_first=False
) -> np.ndarray:
    """Scores (n, windows + 1) of channels-last inputs; the model may want them first."""
    spatial = maps.shape[1:]
    found = windows(spatial, size)
    numbers = np.zeros(spatial, int)
    for number, window in enumerate(found):
        for location in window:
            numbers[location] = number
    native = np.moveaxis(x, -1, 1) if channels_first else x
    scores = np.zeros((len(x), len(found) + 1))
    for i in range(len(x)):
        sums = [sum(float(maps[(i, *location)]) for location in window) for window in found]
        for r in range(repeats):
            if order == "random":
                ranked = sample_rng(seed, [native], i, r, 1).permutation(len(found))
            else:
                ranked = sorted(range(len(found)), key=lambda k: -sums[k] if order == "morf" else sums[k])
            axis = 0 if channels_first else -1
            content = sampler.fill(native[i].copy(), numbers, sample_rng(seed, [native], i, r, 0), axis)
            content = np.moveaxis(content, 0, -1) if channels_first else content
            image = x[i].copy()
            for step in range(len(found) + 1):
                if step:
                    for location in found[ranked[step - 1]]:
                        image[location] = content[location]
                given = np.moveaxis(image, -1, 0) if channels_first else image
                scores[i, step] += predict(given[None])[0, classes[i]] / repeats
    return scores


def network(seed: int = 1):
    """Some function that is not linear, with three outputs."""
    generator = rng(seed)
    weights: dict[int, np.ndarray] = {}

    def predict(x: np.ndarray) -> np.ndarray:
        flat = x.reshape(len(x), -1).astype("float64")
        kernel = weights.setdefault(flat.shape[1], generator.normal(size=(flat.shape[1], 3)))
        z = np.exp(np.tanh(flat @ kernel))
        return z / z.sum(axis=1, keepdims=True)

    return predict


SHAPES = [((9,), (2,), 2), ((5, 6), (2, 4), 3), ((6, 5), (4, 2), 1), ((3, 4, 2), (2, 3, 1), 2)]

SAMPLERS = [
    UniformSampler(-0.5, 1.5),
    ConstantSampler(0.3),
    MeanSampler(),
    MeanSampler("image"),
    BlurSampler(1.0),
]


@pytest.mark.parametrize(("spatial", "size", "channels"), SHAPES, ids=str)
@pytest.mark.parametrize("order", ["morf", "lerf", "random"])
@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
@pytest.mark.parametrize("channels_first", [False, True])
def test_a_plain_loop_agrees(spatial, size, channels, order, sampler, channels_first) -> None:
    x, maps = rng().random((2, *spatial, channels)), rng(1).normal(size=(2, *spatial, channels))
    predict = network()
    given = [np.moveaxis(a, -1, 1) for a in (x, maps)] if channels_first else [x, maps]
    found = region_perturbation(
        predict, *given, region_size=size, order=order, sampler=sampler, repeats=3, batch_size=7,
        channel_axis=0 if channels_first else -1,
    )  # fmt: skip
    classes = predict(given[0]).argmax(axis=1)
    expected = naive(
        predict, x, maps.sum(axis=-1), size, order, sampler, 3, classes, channels_first=channels_first
    )
    np.testing.assert_allclose(found.scores, expected, rtol=1e-10)
    assert np.ptp(found.scores, axis=1).min() > 1e-4


@pytest.mark.parametrize("order", ["morf", "random"])
def test_a_plain_loop_agrees_on_tables(order: str) -> None:
    x, maps = rng().random((3, 7)), rng(1).normal(size=(3, 7))
    sampler = UniformSampler(tuple(x.min(axis=0)), tuple(x.max(axis=0)))
    found = region_perturbation(network(), x, maps, region_size=2, order=order, target=[2, 0, 1], repeats=2)
    expected = naive(network(), x, maps, (2,), order, sampler, 2, [2, 0, 1])
    np.testing.assert_allclose(found.scores, expected, rtol=1e-10)


def test_a_plain_loop_agrees_on_pixels_of_whole_numbers() -> None:
    x, maps = rng().integers(0, 256, (2, 5, 6, 3), "uint8"), rng(1).normal(size=(2, 5, 6))

    class Rounded(UniformSampler):
        def fill(self, image, labels, generator, channel_axis=-1):
            return np.rint(super().fill(image.astype("float64"), labels, generator, channel_axis))

    sampler = UniformSampler().fitted(x)
    predict = network()
    found = region_perturbation(lambda a: predict(a / 255), x, maps, region_size=3, repeats=2)
    expected = naive(
        lambda a: predict(a / 255), x, maps, (3, 3), "morf", Rounded(sampler.low, sampler.high), 2,
        predict(x / 255).argmax(axis=1),
    )  # fmt: skip
    np.testing.assert_allclose(found.scores, expected, rtol=1e-10)


def convolutional(units: int, activation: str, batch_size: int | None = None) -> keras.Model:
    keras.utils.set_random_seed(0)
    x = keras.Input((6, 5, 2), batch_size=batch_size)
    y = L.Flatten()(L.Conv2D(4, 3, activation="tanh")(x))
    return keras.Model(x, L.Dense(units, activation=activation)(y))


X = rng(2).random((5, 6, 5, 2)).astype("float32")
MAPS = rng(3).normal(size=(5, 6, 5))


def test_a_plain_loop_agrees_on_a_keras_model() -> None:
    model = convolutional(3, "softmax")
    found = region_perturbation(model, X, MAPS, region_size=(2, 3), sampler=MeanSampler())
    predicted = np.asarray(model(X)).argmax(axis=1)
    expected = naive(
        lambda x: model(x).numpy(), X, MAPS, (2, 3), "morf", MeanSampler(), 1, predicted
    )  # fmt: skip
    np.testing.assert_allclose(found.scores, expected, atol=1e-6)


def test_one_sigmoid_unit_watches_the_predicted_side() -> None:
    model = convolutional(1, "sigmoid")
    p = np.asarray(model(X))[:, 0]
    X2 = X if (p > 0.5).any() and (p < 0.5).any() else X - 0.5 * np.arange(-2, 3)[:, None, None, None]
    X2 = X2.astype("float32")
    p = np.asarray(model(X2))[:, 0]
    assert (p > 0.5).any() and (p < 0.5).any()
    settings = {"region_size": 2, "repeats": 2}
    found = region_perturbation(model, X2, MAPS, **settings)
    np.testing.assert_allclose(found.scores[:, 0], np.maximum(p, 1 - p), rtol=1e-5)
    unit = region_perturbation(lambda x: model(x).numpy(), X2, MAPS, target=0, **settings).scores
    np.testing.assert_allclose(found.scores, np.where(p[:, None] > 0.5, unit, 1 - unit), atol=1e-6)
    one = region_perturbation(model, X2, MAPS, target=1, **settings).scores
    np.testing.assert_allclose(one, unit, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 4, 7])
def test_a_model_with_a_fixed_batch_size(batch_size: int) -> None:
    fixed, free = convolutional(3, "softmax", 4), convolutional(3, "softmax")
    settings = {"region_size": 2, "repeats": 2, "batch_size": batch_size}
    a, b = (region_perturbation(m, X, MAPS, **settings).scores for m in (fixed, free))
    np.testing.assert_allclose(a, b, atol=1e-6)


# --- Bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"attributions": MAPS[:4]}, InputError, "must have the shape of x"),
        ({"attributions": np.swapaxes(MAPS, 1, 2)}, InputError, "must have the shape of x"),
        ({"attributions": np.where(MAPS > 1, np.nan, MAPS)}, InputError, "attributions must be finite"),
        ({"x": np.where(X > 0.9, np.nan, X)}, InputError, "x must be finite"),
        ({"x": X[0]}, InputError, "must have the shape of x"),
        ({"x": {"a": X}}, InputError, "x must be one array"),
        ({"region_size": 7}, ArgumentError, "must not exceed the input"),
        ({"region_size": (2, 6)}, ArgumentError, "must not exceed the input"),
        ({"region_size": (2, 2, 2)}, ArgumentError, "one a spatial axis"),
        ({"region_size": 0}, ArgumentError, "at least 1"),
        ({"steps": 10}, ArgumentError, "must not exceed the number of regions, 9"),
        ({"steps": 0}, ArgumentError, "steps must be an int of at least 1"),
        ({"steps": 2.0}, ArgumentError, "steps must be an int of at least 1"),
        ({"order": "mrof"}, ArgumentError, "Did you mean 'morf'"),
        ({"order": None}, ArgumentError, "order must be one of 'morf', 'lerf', 'random'"),
        ({"target": [0, 1]}, ArgumentError, "5 ints"),
        ({"target": 3}, ArgumentError, "between 0 and 2"),
        ({"target": "cat"}, ArgumentError, "target must be"),
        ({"repeats": 0}, ArgumentError, "repeats must be"),
        ({"batch_size": 0}, ArgumentError, "batch_size must be"),
        ({"batch_size": True}, ArgumentError, "batch_size must be"),
        ({"seed": -1}, ArgumentError, "seed must be"),
        ({"sampler": 0.5}, ArgumentError, "sampler must be one of innexplain.samplers"),
        ({"sampler": ConstantSampler((1, 2, 3))}, ArgumentError, "each of the 2 channels"),
        ({"channel_axis": 1}, ArgumentError, "channel_axis must be"),
        ({"channel_axis": 0}, InputError, "must have the shape of x"),
        ({"model": 3}, ModelError, "Expected a keras.Model, or a function"),
        ({"baseline": 3}, ArgumentError, "baseline must be a result"),
    ],
)
def test_bad_arguments_are_refused(changed: dict, error, words: str) -> None:
    given = {"model": network(), "x": X, "attributions": MAPS, "region_size": 2, **changed}
    with pytest.raises(error, match=words):
        region_perturbation(given.pop("model"), given.pop("x"), given.pop("attributions"), **given)


def test_a_random_order_of_something_else_is_refused_before_the_work() -> None:
    calls = []
    predict = network()

    def counting(x: np.ndarray) -> np.ndarray:
        calls.append(len(x))
        return predict(x)

    settings = {"region_size": 2, "repeats": 1}
    others = [
        region_perturbation(predict, X, MAPS, **settings, steps=3),
        region_perturbation(predict, X[:3], MAPS[:3], **settings),
        region_perturbation(predict, X, MAPS, **settings, target=lambda p: p[:, 0] ** 2),
    ]
    for other in others:
        with pytest.raises(
            ArgumentError, match="baseline must be a result of region_perturbation for the same"
        ):
            region_perturbation(counting, X, MAPS, baseline=other, **settings)
    assert sum(calls) == 3 * len(X)
