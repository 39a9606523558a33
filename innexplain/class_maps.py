"""What CLEAR tells of each location: the response of every class, and the class that dominates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from innexplain.errors import InputError


class ClearMaps(NamedTuple):
    """The class maps of a batch.

    Args:
        response: `R(x|c)`, how strongly each location speaks for each class, `(n, *spatial, classes)`.
        dominant_class: `argmax_c R(x|c)`, the class as the model numbers it, int64 `(n, *spatial)`; of equal
            responses the one that stands first in `classes`.
        dominant_response: `max_c R(x|c)`, `(n, *spatial)`.
        classes: the classes looked at, as the model numbers them, in the order of the last axis of
            `response`, int64 (n, classes).

    Reference: Kumar et al. 2017 (CLEAR), equations 3 to 5.

    Example:
        >>> import numpy as np
        >>> from innexplain import ClearMaps
        >>> maps = ClearMaps.of(np.array([[[0.5, 2.0], [1.0, 1.0], [-1.0, -2.0]]]), np.array([[7, 9]]))
        >>> maps.dominant_class.tolist(), maps.dominant_response.tolist()
        ([[9, 7, 7]], [[2.0, 1.0, -1.0]])
        >>> maps.has_class.tolist()
        [[True, False, False]]
    """

    response: np.ndarray
    dominant_class: np.ndarray
    dominant_response: np.ndarray
    classes: np.ndarray

    @staticmethod
    def of(response: np.ndarray, classes: np.ndarray) -> ClearMaps:
        """Find what dominates.

        Args:
            response: `(n, *spatial, classes)`.
            classes: (n, classes).

        Raises:
            InputError: the shapes do not fit each other, or a sample has a class twice.
        """
        response, classes = np.asarray(response), np.asarray(classes)
        fits = response.ndim >= 3 and classes.shape == (len(response), response.shape[-1])
        if not fits or classes.dtype.kind not in "iu":
            raise InputError(
                "Expected responses of shape (n, *spatial, classes), and for each of the n samples the "
                "numbers of these classes, ints of shape (n, classes). Received: responses of shape "
                f"{response.shape} and classes of shape {classes.shape}, dtype {classes.dtype}"
            )
        in_order = np.sort(classes, axis=1)
        if np.any(in_order[:, 1:] == in_order[:, :-1]):
            raise InputError(
                f"Expected different classes for each sample. Received: {classes.tolist()!s:.200}"
            )
        place = response.argmax(axis=-1)
        wide = np.reshape(classes, (len(classes), *[1] * (response.ndim - 2), classes.shape[1]))
        at = place[..., None]
        dominant = np.take_along_axis(np.broadcast_to(wide, response.shape), at, axis=-1)[..., 0]
        return ClearMaps(response, dominant, np.take_along_axis(response, at, axis=-1)[..., 0], classes)

    @property
    def has_class(self) -> np.ndarray:
        """Where one class alone responds most, and positively; elsewhere pictures show no class."""
        best = self.dominant_response
        alone = (self.response == best[..., None]).sum(axis=-1) == 1
        return np.asarray(alone & (best > 0))
