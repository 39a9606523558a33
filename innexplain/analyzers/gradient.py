"""Gradient and signal methods: they differ in their rows and in what is done to the map at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from innexplain.analyzers.walking import Backward
from innexplain.composites import DECONVNET, GRADIENT, GUIDED_BACKPROP, Composite
from innexplain.errors import ArgumentError
from innexplain.graph.step import Entry

_POSTPROCESS = {"abs": np.abs, "square": np.square}


@dataclass(frozen=True, eq=False)
class _Derivative(Backward):
    """A method that only needs the model's derivatives."""

    needs: ClassVar[str] = "derivative"

    def composite(self) -> Composite:
        """The rows of the gradient."""
        return GRADIENT


@dataclass(frozen=True, eq=False)
class Gradient(_Derivative):
    """The derivative of the score by the input, `dS_c / dx`, signed, in the shape of x.

    Args:
        postprocess: `None`, `"abs"` or `"square"`, element by element.

    Reference: Simonyan et al. 2014; Samek et al. 2017, section II-A.
    """

    reference: ClassVar[str] = "Simonyan et al. 2014"
    postprocess: str | None = None

    def __post_init__(self) -> None:
        given = self.postprocess
        if not (given is None or (isinstance(given, str) and given in _POSTPROCESS)):
            raise ArgumentError(
                f"postprocess must be None, 'abs' or 'square'. Received: postprocess={given!r}"
            )

    @property
    def gradient_like(self) -> bool:
        """Whether the map is the derivative."""
        return self.postprocess is None

    def finish(self, x: np.ndarray, r: np.ndarray, entry: Entry) -> np.ndarray:
        """The derivative, its size or its square."""
        return r if self.postprocess is None else _POSTPROCESS[self.postprocess](r)


@dataclass(frozen=True, eq=False)
class Sensitivity(_Derivative):
    """The norm of the gradient over the channels: `|| dS_c / dx ||_q`, one number a location.

    Inputs of rank 2 have no channel axis: the absolute gradient is given.

    Args:
        norm: q, one of `inf` (default: Simonyan's choice), 1 or 2.

    Reference: Samek et al. 2017, equation 3.
    """

    reference: ClassVar[str] = "Simonyan et al. 2014; Samek et al. 2017"
    meaning: ClassVar[str] = "strength"
    spatial: ClassVar[bool] = True
    norm: Any = np.inf

    def __post_init__(self) -> None:
        if self.norm == "inf":
            object.__setattr__(self, "norm", np.inf)
        if self.norm not in (1, 2, np.inf):
            raise ArgumentError(f"norm must be 1, 2 or numpy.inf. Received: norm={self.norm!r}")

    def finish(self, x: np.ndarray, r: np.ndarray, entry: Entry) -> np.ndarray:
        """The norm over the channels."""
        if r.ndim < 3 or entry.channel_axis is None:
            return np.abs(r)
        return np.asarray(np.linalg.norm(r, ord=self.norm, axis=entry.channel_axis))


@dataclass(frozen=True, eq=False)
class InputTimesGradient(_Derivative):
    """Input times gradient: `x * dS_c / dx`.

    Reference: Shrikumar et al. 2017; see Samek et al. 2017, section II.
    """

    reference: ClassVar[str] = "Shrikumar et al. 2017"

    def finish(self, x: np.ndarray, r: np.ndarray, entry: Entry) -> np.ndarray:
        """The product."""
        return x * r


@dataclass(frozen=True, eq=False)
class Deconvnet(Backward):
    """The gradient with `R_in = max(R, 0)` at every ReLU, whatever the ReLU did on the way forwards.

    Reference: Zeiler and Fergus 2014; Samek et al. 2017, section II-B.
    """

    reference: ClassVar[str] = "Zeiler and Fergus 2014"

    def composite(self) -> Composite:
        """The gradient's rows, with another one for ReLUs."""
        return DECONVNET


@dataclass(frozen=True, eq=False)
class GuidedBackprop(Backward):
    """The gradient with `R_in = max(R, 0) 1[z > 0]` at every ReLU.

    Reference: Springenberg et al. 2015.
    """

    reference: ClassVar[str] = "Springenberg et al. 2015"

    def composite(self) -> Composite:
        """The gradient's rows, with another one for ReLUs."""
        return GUIDED_BACKPROP
