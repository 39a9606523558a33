"""What a sampler is: something that fills the regions of an image with other content."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

__all__ = ["Sampler"]


@dataclass(frozen=True)
class Sampler(ABC):
    """Gives an image's regions new content.

    Samplers are frozen dataclasses: their fields are their settings.
    """

    #: Whether two fills of one image differ, so that repeating is worth its time.
    random = False

    def fitted(self, x: np.ndarray, channel_axis: int = -1) -> Sampler:
        """The sampler for a set of inputs (n, ...), with what it has to know of them; itself by default.

        Args:
            x: all inputs of an evaluation.
            channel_axis: of one sample, -1 or 0; tables (n, features) count features as channels.
        """
        return self

    @abstractmethod
    def fill(
        self, image: np.ndarray, labels: np.ndarray, rng: np.random.Generator, channel_axis: int = -1
    ) -> np.ndarray:
        """New content for every region of one image at once, in the image's shape.

        What stands in one region must not depend on that of the others being replaced, too.

        Args:
            image: one sample, without a batch axis, floating point.
            labels: the number of the region that each location belongs to, see `Grid.labels`.
            rng: where random numbers come from.
            channel_axis: of the image, -1 or 0.
        """
