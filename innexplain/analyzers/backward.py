"""Analyzers that take one pass of a backward model: gradient and signal methods.

They differ in their composite and in what is done to the map at the end, so they are rows of the registry
and not classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from innexplain.analyzers.base import Analyzer
from innexplain.analyzers.core import Core, Options, Request, Result, Rows, total
from innexplain.composites import DECONVNET, GUIDED_BACKPROP, Composite
from innexplain.errors import ArgumentError
from innexplain.graph.step import Entry

__all__ = [
    "BackwardAnalyzer",
    "deconvnet",
    "gradient",
    "guided_backprop",
    "input_t_gradient",
    "sensitivity",
]

Finish = Callable[[np.ndarray, np.ndarray, Entry], np.ndarray]


class BackwardAnalyzer(Analyzer):
    """One forward and one backward sweep, then `finish(x, relevance, entry)`."""

    records_layers = True

    def __init__(self, core: Core, name: str, finish: Finish | None = None) -> None:
        super().__init__(core)
        self.name = name
        self.finish = finish
        composite = core.composite
        derivative = composite is not None and composite.seed == "one" and not composite.relevance
        self.gradient_like = derivative and finish is None

    def explain(self, rows: Rows, data: np.ndarray, request: Request) -> Result:
        """Explain rows, see `Analyzer.explain`."""
        composite = self.core.composite
        result = self.core.relevance(rows, data, request.batch_size, request.record)
        request.tick(len(data))
        started = result.details.pop("started")
        if composite is not None and composite.relevance:
            # Of a callable, the score may differ from what starts, derivative times output: told as well.
            result.gap = (result.score if composite.seed == "score" else started) - total(result.maps)
        if self.finish is not None:
            explained = zip(self.core.of_explained(rows), result.maps, self.core.explained, strict=True)
            result.maps = [self.finish(x, r, entry) for x, r, entry in explained]
        return result


def gradient(model: Any, options: Options, *, postprocess: str | None = None) -> Analyzer:
    """The derivative of the score by the input, `dS_c / dx`, signed, in the shape of x.

    Args:
        postprocess: `None`, `"abs"` or `"square"`, element by element.

    Reference: Simonyan et al. 2014; Samek et al. 2017, section II-A.
    """
    done: dict[Any, Finish | None] = {
        None: None,
        "abs": lambda x, r, entry: np.abs(r),
        "square": lambda x, r, entry: np.square(r),
    }
    if not (postprocess is None or isinstance(postprocess, str)) or postprocess not in done:
        raise ArgumentError(
            f"postprocess must be None, 'abs' or 'square'. Received: postprocess={postprocess!r}"
        )
    return BackwardAnalyzer(Core(model, options), "gradient", done[postprocess])


def sensitivity(model: Any, options: Options, *, norm: Any = np.inf) -> Analyzer:
    """The norm of the gradient over the channels: `|| dS_c / dx ||_q`, one number a location.

    Inputs of rank 2 have no channel axis: the absolute gradient is given.

    Args:
        norm: q, one of `inf` (default: Simonyan's choice), 1 or 2.

    Reference: Samek et al. 2017, equation 3.
    """
    if norm == "inf":
        norm = np.inf
    if norm not in (1, 2, np.inf):
        raise ArgumentError(f"norm must be 1, 2 or numpy.inf. Received: norm={norm!r}")

    def finish(x: np.ndarray, r: np.ndarray, entry: Entry) -> np.ndarray:
        if r.ndim < 3 or entry.channel_axis is None:
            return np.abs(r)
        return np.linalg.norm(r, ord=norm, axis=entry.channel_axis)

    return BackwardAnalyzer(Core(model, options), "sensitivity", finish)


def input_t_gradient(model: Any, options: Options) -> Analyzer:
    """Input times gradient: `x * dS_c / dx`.

    Reference: Shrikumar et al. 2017; see Samek et al. 2017, section II.
    """
    return BackwardAnalyzer(Core(model, options), "input_t_gradient", lambda x, r, entry: x * r)


def _signal(model: Any, options: Options, composite: Composite) -> Analyzer:
    return BackwardAnalyzer(Core(model, options, composite, graph_needed=True), composite.name)


def deconvnet(model: Any, options: Options) -> Analyzer:
    """The gradient with `R_in = max(R, 0)` at every ReLU, whatever the ReLU did on the way forwards.

    Reference: Zeiler and Fergus 2014; Samek et al. 2017, section II-B.
    """
    return _signal(model, options, DECONVNET)


def guided_backprop(model: Any, options: Options) -> Analyzer:
    """The gradient with `R_in = max(R, 0) 1[z > 0]` at every ReLU.

    Reference: Springenberg et al. 2015.
    """
    return _signal(model, options, GUIDED_BACKPROP)
