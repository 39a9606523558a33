"""Strong features: what is kept, what is replaced, and what the network says of both."""

import keras
import numpy as np
import pytest
from keras import layers as L

from innexplain.errors import ArgumentError, InputError, ModelError
from innexplain.evaluators import strong_features
from innexplain.samplers import ConstantSampler, MeanSampler, UniformSampler


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


class Recorder:
    """Keeps what it was asked; says class 1 for a brighter right half, else class 0."""

    def __init__(self) -> None:
        self.asked: list[np.ndarray] = []

    def __call__(self, x: np.ndarray) -> np.ndarray:
        self.asked.append(x)
        width = x.shape[2] // 2
        return np.stack([x[:, :, :width].sum(axis=(1, 2, 3)), x[:, :, width:].sum(axis=(1, 2, 3))], axis=1)

    @property
    def parts(self) -> list[np.ndarray]:
        """The whole inputs, those with only the strong features, those without them."""
        return np.split(np.concatenate(self.asked), 3)


X = rng().random((4, 3, 6, 2)).astype("float32") + 0.5
MAPS = rng(1).normal(size=(4, 3, 6))
STRONG = np.stack([m > 0.5 * m.max() for m in MAPS])


def test_right_and_wrong_are_told_for_each_part() -> None:
    """Each image is bright where its class looks; only for the first two does the map say so."""
    x = np.full((4, 3, 6, 1), 0.1)
    x[0, :, :3], x[1, :, 3:], x[2, :, :3], x[3, :, :3] = 1, 1, 1, 1
    maps = np.zeros((4, 3, 6))
    maps[0, :, :3], maps[1, :, 3:], maps[2, :, 3:] = 1, 1, 1
    found = strong_features(Recorder(), x, maps, [0, 1, 0, 1])
    assert found.full.tolist() == [True, True, True, False]
    assert found.only_strong.tolist() == [True, True, False, False]  # the last has nothing left: class 0
    assert found.without_strong.tolist() == [False, False, True, False]
    assert found.share.tolist() == [0.5, 0.5, 0.5, 0]
    assert found.accuracy_full == 0.75
    assert found.accuracy_only_strong == 0.5
    assert found.accuracy_without_strong == 0.25


@pytest.mark.parametrize("threshold", [0, 0.25, 0.5, 0.9, 1])
def test_strong_is_above_a_fraction_of_the_maximum(threshold: float) -> None:
    model = Recorder()
    found = strong_features(model, X, MAPS, [0] * 4, threshold=threshold)
    strong = np.stack([m > threshold * m.max() for m in MAPS])
    whole, only, without = model.parts
    np.testing.assert_array_equal(whole, X)
    np.testing.assert_array_equal(only, np.where(strong[..., None], X, 0))
    np.testing.assert_array_equal(without, np.where(strong[..., None], 0, X))
    np.testing.assert_allclose(found.share, strong.mean(axis=(1, 2)))
    assert (found.share > 0).all() == (threshold < 1)


@pytest.mark.parametrize("maps", [np.zeros((4, 3, 6)), -np.abs(MAPS)], ids=["zero", "negative"])
def test_a_map_without_positive_relevance_marks_nothing(maps: np.ndarray) -> None:
    model = Recorder()
    found = strong_features(model, X, maps, [0] * 4, threshold=0)
    whole, only, without = model.parts
    assert not only.any()
    np.testing.assert_array_equal(without, whole)
    assert found.share.tolist() == [0] * 4
    np.testing.assert_array_equal(found.without_strong, found.full)


def test_channels_of_maps_are_summed_and_may_come_first() -> None:
    maps = rng(2).normal(size=X.shape)
    a, b = Recorder(), []
    strong_features(a, X, maps, [0] * 4)
    strong_features(
        lambda x: b.append(np.moveaxis(x, 1, -1)) or np.ones((len(x), 2)),
        np.moveaxis(X, -1, 1), np.moveaxis(maps, -1, 1), [0] * 4, channel_axis=0,
    )  # fmt: skip
    np.testing.assert_array_equal(np.concatenate(a.asked), np.concatenate(b))
    strong = maps.sum(axis=-1) > 0.5 * maps.sum(axis=-1).max(axis=(1, 2), keepdims=True)
    np.testing.assert_array_equal(a.parts[1] != 0, np.broadcast_to(strong[..., None], X.shape))


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        (0.5, [0.5, 0.5]),
        ([0.25, 0.75], [0.25, 0.75]),
        (np.array([0.25, 0.75]), [0.25, 0.75]),
        (ConstantSampler(2), [2, 2]),
    ],
)
def test_fills_are_numbers_one_a_channel_or_samplers(fill, expected: list) -> None:
    model = Recorder()
    strong_features(model, X, MAPS, [0] * 4, fill=fill)
    assert (model.parts[1][~STRONG] == np.float32(expected)).all()
    assert (model.parts[2][STRONG] == np.float32(expected)).all()


def test_the_mean_is_that_of_the_strong_part_or_of_the_rest() -> None:
    model = Recorder()
    strong_features(model, X, MAPS, [0] * 4, fill=MeanSampler())
    for image, s, only, without in zip(X, STRONG, *model.parts[1:], strict=True):
        np.testing.assert_allclose(only[~s], np.tile(image[~s].mean(axis=0), ((~s).sum(), 1)), rtol=1e-5)
        np.testing.assert_allclose(without[s], np.tile(image[s].mean(axis=0), (s.sum(), 1)), rtol=1e-5)


def test_noise_has_the_range_of_the_inputs_and_a_seed() -> None:
    parts = []
    for seed in (0, 0, 1):
        model = Recorder()
        strong_features(model, X, MAPS, [0] * 4, fill=UniformSampler(), seed=seed)
        parts.append(model.parts)
    low, high = X.min(axis=(0, 1, 2)), X.max(axis=(0, 1, 2))
    assert (parts[0][1] >= low).all() and (parts[0][1] <= high).all()
    np.testing.assert_array_equal(parts[0], parts[1])
    assert (parts[0][1] != parts[2][1]).sum() == (parts[0][1] != X).sum() > 0


@pytest.mark.parametrize("batch_size", [1, 3, 4])
def test_batches_do_not_matter(batch_size: int) -> None:
    model, whole = Recorder(), Recorder()
    a = strong_features(model, X, MAPS, [0, 1, 0, 1], fill=UniformSampler(), batch_size=batch_size)
    b = strong_features(whole, X, MAPS, [0, 1, 0, 1], fill=UniformSampler())
    np.testing.assert_array_equal(model.parts, whole.parts)
    assert a.only_strong.tolist() == b.only_strong.tolist()
    assert max(map(len, model.asked)) == batch_size


@pytest.mark.parametrize("shape", [(5, 8), (5, 7, 2), (5, 3, 4, 6, 1)])
def test_inputs_of_any_rank(shape: tuple) -> None:
    x = rng().random(shape) + 0.5
    asked: list[np.ndarray] = []
    found = strong_features(
        lambda a: asked.append(a) or np.eye(2)[[0] * len(a)], x, x, [0] * 5, threshold=0.8
    )
    maps = x if x.ndim == 2 else x.sum(axis=-1)
    strong = maps > 0.8 * maps.reshape(5, -1).max(axis=1).reshape(5, *[1] * (maps.ndim - 1))
    only = asked[1] if x.ndim == 2 else asked[1][..., 0]
    np.testing.assert_array_equal(only != 0, strong)
    np.testing.assert_allclose(found.share, strong.reshape(5, -1).mean(axis=1))


def test_pixels_stay_whole_numbers() -> None:
    x = rng().integers(0, 256, X.shape, "uint8")
    model = Recorder()
    strong_features(model, x, MAPS, [0] * 4, fill=127.6)
    assert model.parts[1].dtype == np.uint8
    assert 128 in model.parts[1]


def test_a_sigmoid_unit_has_two_classes() -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3, 6, 2)), L.Flatten(), L.Dense(1, activation="sigmoid")])
    predicted = (np.asarray(model(X - 1))[:, 0] > 0.5).astype(int)
    found = strong_features(model, X - 1, MAPS, predicted)
    assert found.accuracy_full == 1
    assert strong_features(model, X - 1, MAPS, 1 - predicted).accuracy_full == 0


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"y": [0, 1]}, InputError, "y must be 4 class indices, one a sample"),
        ({"y": np.eye(4)}, InputError, "y must be 4 class indices"),
        ({"y": [0, 1, 2, 0]}, ArgumentError, "between 0 and 1.* Received: 2"),
        ({"y": [0, -1, 1, 0]}, ArgumentError, "between 0 and 1.* Received: -1"),
        ({"attributions": MAPS[:, :2]}, InputError, "must have the shape of x"),
        ({"attributions": MAPS * np.nan}, InputError, "attributions must be finite"),
        ({"x": X * np.inf}, InputError, "x must be finite"),
        ({"threshold": -0.1}, ArgumentError, r"threshold must be a finite number in \[0, 1\]"),
        ({"threshold": 50}, ArgumentError, "threshold must be"),
        ({"threshold": None}, ArgumentError, "threshold must be"),
        ({"fill": None}, ArgumentError, "fill must be a finite number"),
        ({"fill": "gray"}, ArgumentError, "fill must be a finite number"),
        ({"fill": [1, 2, 3]}, ArgumentError, "each of the 2 channels"),
        ({"seed": -1}, ArgumentError, "seed must be"),
        ({"batch_size": 0}, ArgumentError, "batch_size must be"),
        ({"channel_axis": 2}, ArgumentError, "channel_axis must be"),
        ({"model": lambda x: x.sum(axis=(1, 2, 3))}, ArgumentError, "an output for each class"),
        ({"model": "net.keras"}, ModelError, "Expected a keras.Model, or a function"),
    ],
)
def test_bad_arguments_are_refused(changed: dict, error: type, words: str) -> None:
    given = {"model": Recorder(), "x": X, "attributions": MAPS, "y": [0] * 4, **changed}
    positional = [given.pop(name) for name in ("model", "x", "attributions", "y")]
    with np.errstate(invalid="ignore"), pytest.raises(error, match=words):
        strong_features(*positional, **given)
