"""Region perturbation: does the score fall when the regions that a map marks are replaced?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from innexplain.arguments import check_choice, check_count, check_seed
from innexplain.errors import ArgumentError
from innexplain.evaluators.arrays import check_inputs, spatial_maps
from innexplain.evaluators.predictions import Watched, predict_all, predictor, watch
from innexplain.randomness import sample_rng
from innexplain.regions import Grid, channel_position, spatial_shape
from innexplain.samplers import Sampler, UniformSampler
from innexplain.samplers.base import check_sampler, content_for

#: Which regions go first: the most relevant, the least relevant, or any.
ORDERS = ("morf", "lerf", "random")
_STEPS = 100
_NOISE, _ORDER = 0, 1  # what random numbers are for, so that none serves two ends


@dataclass(frozen=True)
class PerturbationResult:
    """What region perturbation found, for n images and L steps.

    Args:
        scores: the watched score after 0, 1, ... L regions are replaced, mean over repeats, (n, L + 1).
        random_scores: the same for regions replaced in random order, (n, L + 1).
        order: `"morf"`, `"lerf"` or `"random"`.
    """

    scores: np.ndarray
    random_scores: np.ndarray
    order: str

    @property
    def aopc_per_image(self) -> np.ndarray:
        """`AOPC(L) = 1 / (L + 1) sum_{k=0..L} f(x_0) - f(x_k)` of each image for every L, (n, L + 1)."""
        return _aopc(self.scores)

    @property
    def aopc(self) -> np.ndarray:
        """The mean AOPC over the images for every number of steps, (L + 1,)."""
        return self.aopc_per_image.mean(axis=0)

    @property
    def aopc_per_image_minus_random(self) -> np.ndarray:
        """How much more than by random order each image's score falls, (n, L + 1)."""
        return self.aopc_per_image - _aopc(self.random_scores)

    @property
    def aopc_minus_random(self) -> np.ndarray:
        """Its mean over the images, (L + 1,): the curve of the paper's figure 4."""
        return self.aopc_per_image_minus_random.mean(axis=0)


def region_perturbation(
    model: Any,
    x: Any,
    attributions: Any,
    *,
    region_size: Any = 9,
    steps: int | None = None,
    order: str = "morf",
    sampler: Sampler | None = None,
    repeats: int = 10,
    target: Any = None,
    seed: int = 0,
    batch_size: int = 32,
    progress: bool = False,
    baseline: PerturbationResult | None = None,
    channel_axis: int | None = -1,
) -> PerturbationResult:
    """Replace region after region in the order in which a map ranks them, and watch the score.

    A grid of non-overlapping windows starts at the first pixel; where the size does not divide an axis,
    the last windows are smaller.  Windows are ranked by the sum of their relevance; of equal ones the
    earlier in reading order goes first.  Step k replaces the k-th window for good, all channels together.

    Args:
        model: a Keras model with one input and output, or any function from inputs to outputs (n, classes).
        x: inputs (n, ...) of any rank from 2 on, as the model takes them.
        attributions: one map a sample, with or without channels, of any origin.
        region_size: edge of a window, or one length a spatial axis; default 9, as in the paper.
        steps: L, how many windows are replaced; `None` for 100, or all where there are fewer.  Where all
            are, every order ends alike and AOPC rewards little: choose L well below their number.
        order: `"morf"` (default; most relevant first), `"lerf"` (least relevant first) or `"random"`.
        sampler: what replaces a window, of `innexplain.samplers`; default `UniformSampler()`.
        repeats: how often noise is drawn anew, default 10; once is enough for samplers without noise.
        target: whose score: `None` for the class predicted on the whole input, an int, one int a sample,
            or a callable outputs -> scores.  The score is the model's own output (after its softmax).
        seed: of the noise and the random order.  Noise depends on the seed, the sample and the
            repetition, so that every order and every method meets the same noise.
        batch_size: the most inputs in one call of the model; results do not depend on it.
        progress: whether to show a progress bar.
        baseline: an earlier result for the same x and settings, whose random order is taken over; it
            saves half of the time when several methods are compared.
        channel_axis: of one sample, -1 (default), 0, or `None` where it has none (pictures of shape
            (n, height, width), which would else count as signals).

    Returns:
        A `PerturbationResult`.

    Raises:
        InputError: x or the attributions are no finite arrays that fit each other.
        ArgumentError: another argument is out of range.

    Reference: Samek et al. 2017, equations 9 to 12.

    Example:
        >>> import numpy as np
        >>> x = np.array([[3.0, 1.0, 2.0]])
        >>> found = region_perturbation(lambda x: x, x, x, region_size=1, target=0, repeats=1)
        >>> found.scores.shape
        (1, 4)
    """
    x = check_inputs(x)
    maps = spatial_maps(attributions, x, channel_axis)
    check_choice("order", order, ORDERS)
    check_count("batch_size", batch_size)
    grid = Grid(spatial_shape(x.shape[1:], channel_axis), region_size)
    sampler = UniformSampler() if sampler is None else check_sampler("sampler", sampler)
    steps = count_steps(steps, len(grid))
    plan = _Plan(
        x, grid, steps, sampler.fitted(x, channel_axis), check_count("repeats", repeats), check_seed(seed),
        channel_axis,
    )  # fmt: skip
    predict = predictor(model)
    outputs = predict_all(predict, x, batch_size)
    watched = watch(outputs, target)
    first = watched.scores(outputs, np.arange(len(x)))
    known = {} if baseline is None else {"random": _check_baseline(baseline, first, plan.steps)}
    orders = [order] if order == "random" or known else [order, "random"]
    total = sum(len(x) * plan.repeats(o) * plan.steps for o in orders)
    bar = keras.utils.Progbar(total, unit_name="input") if progress else None
    tick = bar.add if bar else lambda rows: None
    sums = grid.sums(maps)
    found = {o: _scores(plan, predict, watched, first, sums, o, batch_size, tick) for o in orders}
    return PerturbationResult(found[order], (known | found)["random"], order)


@dataclass(frozen=True)
class _Plan:
    """What is replaced by what; rows are numbered image by image, repetition by repetition, step by step."""

    x: np.ndarray
    grid: Grid
    steps: int
    sampler: Sampler
    most_repeats: int
    seed: int
    channel_axis: int | None

    def repeats(self, order: str) -> int:
        """Without any randomness all repetitions are alike."""
        return self.most_repeats if self.sampler.random or order == "random" else 1

    def fill(self, image: int, repeat: int) -> np.ndarray:
        """New content for every region of an image, in the dtype of x."""
        rng = sample_rng(self.seed, [self.x], image, repeat, _NOISE)
        return content_for(self.sampler, self.x[image], self.grid.labels, rng, self.channel_axis)

    def replaced_at(self, image: int, repeat: int, sums: np.ndarray, order: str) -> np.ndarray:
        """The step, from 1 on, at which each location is replaced, in a shape that fits an image."""
        if order == "random":
            ranked = sample_rng(self.seed, [self.x], image, repeat, _ORDER).permutation(len(self.grid))
        else:
            ranked = np.argsort(-sums if order == "morf" else sums, kind="stable")
        step = np.empty(len(ranked), "int64")
        step[ranked] = np.arange(1, len(ranked) + 1)
        located = step[self.grid.labels]
        channels = channel_position(self.x.ndim - 1, self.channel_axis)
        return located if channels is None else np.expand_dims(located, channels)


def _scores(
    plan: _Plan,
    predict: Callable[[np.ndarray], np.ndarray],
    watched: Watched,
    first: np.ndarray,
    sums: np.ndarray,
    order: str,
    batch_size: int,
    tick: Callable[[int], None],
) -> np.ndarray:
    """The mean scores over repeats, (n, L + 1); rows of many images share a batch."""
    n, repeats = len(plan.x), plan.repeats(order)
    answer = np.zeros((n, plan.steps + 1))
    answer[:, 0] = first
    for rows, samples, steps in _batches(plan, sums, order, batch_size):
        scores = watched.scores(predict(rows), samples)
        np.add.at(answer, (samples, steps), scores / repeats)
        tick(len(rows))
    return answer


def _batches(
    plan: _Plan, sums: np.ndarray, order: str, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Perturbed inputs with the sample and the step of each, `batch_size` at a time."""
    batch_size = min(batch_size, len(plan.x) * plan.repeats(order) * plan.steps)
    buffer = np.empty((batch_size, *plan.x.shape[1:]), plan.x.dtype)
    samples, steps = np.empty(batch_size, "int64"), np.empty(batch_size, "int64")
    held = 0
    for image in range(len(plan.x)):
        for repeat in range(plan.repeats(order)):
            fill = plan.fill(image, repeat)
            replaced = plan.replaced_at(image, repeat, sums[image], order)[None]
            done = 0
            while done < plan.steps:
                part = slice(held, held + min(batch_size - held, plan.steps - done))
                steps[part] = np.arange(done + 1, done + 1 + part.stop - part.start)
                samples[part] = image
                at = steps[part].reshape(-1, *[1] * plan.x[image].ndim)
                buffer[part] = np.where(replaced <= at, fill, plan.x[image])
                done, held = done + part.stop - part.start, part.stop
                if held == batch_size:
                    yield buffer, samples, steps
                    held = 0
    if held:
        yield buffer[:held], samples[:held], steps[:held]


def _aopc(scores: np.ndarray) -> np.ndarray:
    drops = scores[:, :1] - scores
    return np.cumsum(drops, axis=1) / np.arange(1, scores.shape[1] + 1)


def count_steps(steps: Any, regions: int) -> int:
    """L, how many of the regions are replaced: as asked for, or 100, or all where there are fewer.

    Raises:
        ArgumentError: it is no count, or there are not so many regions.
    """
    if steps is None:
        return min(_STEPS, regions)
    if check_count("steps", steps) > regions:
        raise ArgumentError(
            f"steps must not exceed the number of regions, {regions}. Received: steps={steps!r}. Use "
            "steps=None for as many as there are, or a smaller region_size."
        )
    return int(steps)


def _check_baseline(baseline: Any, first: np.ndarray, steps: int) -> np.ndarray:
    found = getattr(baseline, "random_scores", None)
    wanted = (len(first), steps + 1)
    if found is None or found.shape != wanted or not np.allclose(found[:, 0], first):
        raise ArgumentError(
            "baseline must be a result of region_perturbation for the same model, x, target and steps, "
            f"with scores of shape {wanted}. Received: {type(baseline).__name__}"
            + ("" if found is None else f" of shape {found.shape}")
        )
    return found
