"""Region perturbation: curves that are known exactly, and what holds for every model."""

import itertools

import keras
import numpy as np
import pytest
from keras import layers as L

from innexplain.evaluators import region_perturbation
from innexplain.samplers import ConstantSampler, UniformSampler

ZERO = ConstantSampler(0.0)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


class Linear:
    """`f(x) = sum w x` of every sample, in a column; keeps what it was asked."""

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = weights
        self.asked: list[np.ndarray] = []

    def __call__(self, x: np.ndarray) -> np.ndarray:
        self.asked.append(x)
        return (x * self.weights).reshape(len(x), -1).sum(axis=1)[:, None]


# --- Closed forms --------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["morf", "lerf"])
def test_a_linear_model_loses_what_its_exact_map_says(order: str) -> None:
    """`AOPC(L) = 1/(L+1) sum_{k<=L} sum_{j<=k} (w x)_(j)`."""
    x, weights = rng().normal(size=(4, 6)), rng(1).normal(size=6)
    found = region_perturbation(
        Linear(weights), x, x * weights, region_size=1, order=order, sampler=ZERO, target=0
    )
    lost = np.sort(x * weights, axis=1)
    lost = lost if order == "lerf" else lost[:, ::-1]
    drops = np.concatenate([np.zeros((4, 1)), lost.cumsum(axis=1)], axis=1)
    expected = drops.cumsum(axis=1) / np.arange(1, 8)
    np.testing.assert_allclose(found.aopc_per_image, expected, atol=1e-12)
    np.testing.assert_allclose(found.aopc, expected.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(found.scores[:, :1] - found.scores, drops, atol=1e-12)
    assert found.order == order


def test_the_true_ranking_beats_every_other_one() -> None:
    x, weights = rng().normal(size=(1, 5)), rng(1).normal(size=5)
    maps = np.array(list(itertools.permutations(range(5))), float)
    many = np.repeat(x, len(maps), axis=0)
    found = region_perturbation(Linear(weights), many, maps, region_size=1, sampler=ZERO, target=0, repeats=1)
    areas = found.aopc_per_image[:, -1]
    best = maps[areas.argmax()]
    np.testing.assert_array_equal(best.argsort(), (x * weights)[0].argsort())
    assert np.sort(areas)[-1] > np.sort(areas)[-2]
    worst = maps[areas.argmin()]
    np.testing.assert_array_equal(worst.argsort(), (-x * weights)[0].argsort())


def test_random_order_loses_the_same_at_every_step_on_average() -> None:
    """`E f(x_k) = f(x) - k/N (f(x) - f(0))` of a linear model."""
    x, weights = rng().normal(size=(1, 8)), rng(1).normal(size=8)
    repeats = 4000
    found = region_perturbation(
        Linear(weights), x, x, region_size=1, order="random", sampler=ZERO, target=0, repeats=repeats,
        batch_size=4096,
    )  # fmt: skip
    total = (x * weights).sum()
    expected = total * (1 - np.arange(9) / 8)
    spread = (x * weights).std() * np.sqrt(8 / 4)  # of a sum of half of the terms, at most
    np.testing.assert_allclose(found.scores[0], expected, atol=5 * spread / np.sqrt(repeats))
    np.testing.assert_allclose(found.scores[0, [0, -1]], [total, 0], atol=1e-12)
    np.testing.assert_array_equal(found.aopc_minus_random, np.zeros(9))


def test_noise_leaves_the_mean_of_its_range_on_average() -> None:
    """A replaced feature contributes `w (low + high) / 2`."""
    x, weights = np.array([[0.9, 0.2, 0.6]]), np.array([3.0, 1.0, -2.0])
    repeats = 4000
    found = region_perturbation(
        Linear(weights), x, x * weights, region_size=1, sampler=UniformSampler(-1, 2), target=0,
        repeats=repeats, batch_size=4096,
    )  # fmt: skip
    lost = (weights * (x - 0.5))[0, [0, 1, 2]]  # in the order of w x
    expected = 2.7 + 0.2 - 1.2 - np.concatenate([[0], lost.cumsum()])
    deviation = 5 * np.sqrt((weights**2).sum() * 9 / 12 / repeats)
    np.testing.assert_allclose(found.scores[0], expected, atol=deviation)
    assert np.abs(found.scores[0, 1:] - expected[1:]).max() > 0  # it is noise


@pytest.mark.parametrize(
    ("spatial", "size", "window", "number"),
    [
        ((6, 9), (2, 3), np.s_[2:4, 6:9], 5),
        ((9, 6), (3, 2), np.s_[6:9, 2:4], 7),
        ((5, 7), (3, 3), np.s_[3:5, 6:7], 5),
        ((11,), 4, np.s_[8:11], 2),
        ((4, 3, 6), (2, 3, 2), np.s_[2:4, 0:3, 2:4], 4),
    ],
)
@pytest.mark.parametrize("axis", [-1, 0, None])
def test_a_model_that_looks_at_one_region(spatial, size, window, number: int, axis) -> None:
    weights, plain = np.zeros(spatial), 0.01 * rng().normal(size=(1, *spatial))
    weights[window] = 1
    x = plain.copy()
    x[0][window] = 1
    maps = plain + weights
    if axis is not None:
        at = axis if axis == -1 else 1
        x = np.repeat(np.expand_dims(x, at), 3, axis=at)
        weights = np.repeat(np.expand_dims(weights, axis), 3, axis=axis) / 3
    settings = {"region_size": size, "sampler": ZERO, "target": 0, "channel_axis": axis}
    model = Linear(weights)
    first = region_perturbation(model, x, maps, order="morf", **settings)
    score = first.scores[0, 0]
    steps = first.scores.shape[1] - 1
    np.testing.assert_allclose(first.scores[0], [score] + [0] * steps, atol=1e-12)
    last = region_perturbation(model, x, maps, order="lerf", **settings)
    np.testing.assert_allclose(last.scores[0], [score] * steps + [0], atol=1e-12)
    assert first.aopc[-1] == pytest.approx(score * steps / (steps + 1))
    assert last.aopc[-1] == pytest.approx(score / (steps + 1))


@pytest.mark.parametrize("order", ["morf", "lerf"])
def test_equal_regions_go_in_reading_order(order: str) -> None:
    model = Linear(np.ones((8, 10, 1)))
    x, maps = np.ones((1, 8, 10, 1)), np.tile([1.0, 1.0, 2.0, 2.0, 3.0], (1, 8, 2))
    region_perturbation(model, x, maps, region_size=1, order=order, sampler=ZERO, target=0)
    replaced = (np.concatenate(model.asked[1:])[:80, ..., 0] == 0).reshape(80, 80)
    steps = 80 - replaced.sum(axis=0)  # at which each pixel was replaced, from 0 on
    values = maps.ravel() if order == "lerf" else -maps.ravel()
    assert steps.tolist() == [sum(values < v) + sum(values[:i] == v) for i, v in enumerate(values)]


# --- What holds for every model ------------------------------------------------------------------


def convolutional(softmax: str = "softmax", units: int = 3) -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((6, 5, 2)),
            L.Conv2D(4, 3, activation="tanh"),
            L.Flatten(),
            L.Dense(units, activation=softmax),
        ]
    )


X = rng(2).random((5, 6, 5, 2)).astype("float32")
MAPS = rng(3).normal(size=(5, 6, 5)).astype("float32")


@pytest.mark.parametrize("order", ["morf", "lerf", "random"])
@pytest.mark.parametrize("batch_size", [1, 3, 7, 5])
def test_batches_do_not_matter(order: str, batch_size: int) -> None:
    settings = {"region_size": 2, "order": order, "repeats": 3}
    model = Linear(rng(1).normal(size=(6, 5, 2)).astype("float32"))
    one = region_perturbation(model, X, MAPS, batch_size=32, **settings)
    model.asked.clear()
    other = region_perturbation(model, X, MAPS, batch_size=batch_size, **settings)
    np.testing.assert_allclose(other.scores, one.scores, rtol=1e-6)
    np.testing.assert_allclose(other.random_scores, one.random_scores, rtol=1e-6)
    assert max(map(len, model.asked)) == batch_size
    perturbed = 5 * 9 * 3 * (1 if order == "random" else 2)
    assert sum(map(len, model.asked)) == 5 + perturbed


def test_batches_of_a_keras_model_do_not_matter() -> None:
    model = convolutional()
    found = [
        region_perturbation(model, X, MAPS, region_size=2, repeats=2, batch_size=b).scores
        for b in (1, 3, 7, 5)
    ]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], atol=1e-6)


def test_other_samples_do_not_matter() -> None:
    settings = {"region_size": 2, "repeats": 2, "sampler": UniformSampler(0, 1), "target": 0}
    model = Linear(rng(1).normal(size=(6, 5, 2)))
    whole = region_perturbation(model, X, MAPS, **settings)
    alone = region_perturbation(model, X[3:4], MAPS[3:4], **settings)
    np.testing.assert_allclose(alone.scores, whole.scores[3:4], rtol=1e-12)
    np.testing.assert_allclose(alone.random_scores, whole.random_scores[3:4], rtol=1e-12)


def test_the_seed_decides() -> None:
    model = Linear(rng(1).normal(size=(6, 5, 2)))
    a, b, c = (region_perturbation(model, X, MAPS, region_size=2, repeats=1, seed=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(a.scores, b.scores)
    np.testing.assert_array_equal(a.random_scores, b.random_scores)
    assert (a.scores[:, 1:] != c.scores[:, 1:]).all()
    assert (a.random_scores[:, 1:] != c.random_scores[:, 1:]).all()


def test_every_order_meets_the_same_noise() -> None:
    """With all regions replaced nothing of the order is left."""
    model = Linear(rng(1).normal(size=(6, 5, 2)))
    ends = [
        region_perturbation(model, X, MAPS, region_size=2, repeats=2, order=order).scores[:, -1]
        for order in ("morf", "lerf", "random")
    ]
    np.testing.assert_allclose(ends[1], ends[0], rtol=1e-12)
    np.testing.assert_allclose(ends[2], ends[0], rtol=1e-12)


def test_repeats_differ_and_are_averaged() -> None:
    model = Linear(rng(1).normal(size=(6, 5, 2)))
    region_perturbation(model, X[:1], MAPS[:1], region_size=2, steps=1, order="random", repeats=40)
    ends = [x for call in model.asked[1:] for x in call]
    assert len({x.tobytes() for x in ends}) == 40
    chosen = {int(np.flatnonzero((x != X[0]).any(axis=-1).ravel())[0]) for x in ends}
    assert len(chosen) > 5  # of nine windows, most were the first one


@pytest.mark.parametrize("order", ["morf", "lerf", "random"])
def test_only_what_was_replaced_differs_and_stays_in_range(order: str) -> None:
    x = X * np.array([1, -100], "float32")
    model = Linear(np.ones((6, 5, 2), "float32"))
    found = region_perturbation(model, x, MAPS, region_size=2, order=order, repeats=2, batch_size=9)
    steps = found.scores.shape[1] - 1
    low, high = x.min(axis=(0, 1, 2)), x.max(axis=(0, 1, 2))
    asked = np.concatenate(model.asked[1:])[: 5 * 2 * steps].reshape(5, 2, steps, 6, 5, 2)
    assert asked.dtype == np.float32
    assert (asked >= low).all() and (asked <= high).all()
    changed = (asked != x[:, None, None]).all(axis=-1)
    assert (changed == (asked != x[:, None, None]).any(axis=-1)).all()  # all channels together
    sizes = changed.sum(axis=(3, 4))
    assert (np.diff(sizes, axis=-1) > 0).all() and (sizes[..., -1] == 30).all()
    assert (asked[..., 1:, :, :, :] == asked[..., :-1, :, :, :])[changed[..., :-1, :, :]].all()  # for good


def test_what_was_given_is_not_changed() -> None:
    x, maps = X.copy(), MAPS.copy()
    for given in (x, (x * 255).astype("uint8")):
        before = given.copy()
        region_perturbation(convolutional(), given, maps, region_size=2, repeats=1)
        np.testing.assert_array_equal(given, before)
    np.testing.assert_array_equal(maps, MAPS)


def test_a_known_random_order_saves_its_calls() -> None:
    model = Linear(rng(1).normal(size=(6, 5, 2)))
    settings = {"region_size": 2, "repeats": 2, "target": 0}
    full = region_perturbation(model, X, MAPS, **settings)
    model.asked.clear()
    other = region_perturbation(model, X, -MAPS, baseline=full, **settings)
    assert sum(map(len, model.asked)) == 5 + 5 * 2 * 9
    np.testing.assert_array_equal(other.random_scores, full.random_scores)
    np.testing.assert_allclose(
        other.aopc_minus_random,
        region_perturbation(model, X, -MAPS, **settings).aopc_minus_random,
    )


def test_fewer_steps_are_the_beginning_of_more() -> None:
    model = Linear(rng(1).normal(size=(6, 5, 2)))
    full = region_perturbation(model, X, MAPS, region_size=2, repeats=2)
    part = region_perturbation(model, X, MAPS, region_size=2, repeats=2, steps=4)
    assert full.scores.shape == (5, 10)
    np.testing.assert_allclose(part.scores, full.scores[:, :5], rtol=1e-12)
    np.testing.assert_allclose(part.aopc, full.aopc[:5], rtol=1e-12)


def test_a_hundred_steps_by_default() -> None:
    x = rng().random((1, 121))
    assert region_perturbation(Linear(np.ones(121)), x, x, region_size=1, repeats=1).scores.shape == (1, 101)


def test_progress_counts_inputs(capsys) -> None:
    region_perturbation(Linear(np.ones(4)), np.eye(4), np.eye(4), region_size=1, repeats=3, progress=True)
    assert "96/96" in capsys.readouterr().out
