"""Checks of the arguments of CLEAR."""

from __future__ import annotations

from typing import Any

import numpy as np

from innexplain.analyzers.method import Method
from innexplain.arguments import check_count
from innexplain.errors import ArgumentError
from innexplain.network import Network
from innexplain.targets import IndexTarget

TOP_K = 10


def check_settings(response: Method | None, layer: Any, rectify: Any) -> None:
    """Another method has no use for the settings of the deconvolution."""
    if not isinstance(rectify, bool):
        raise ArgumentError(f"rectify must be True or False. Received: rectify={rectify!r}")
    if response is not None and (layer is not None or rectify):
        raise ArgumentError(
            "layer= and rectify= belong to response='deconvolution'. "
            f"Received: response={response.name!r}, layer={layer!r}, rectify={rectify!r}"
        )


def check_response(response: Method, network: Network) -> None:
    """Another method has to tell classes apart."""
    if not response.backwards or not isinstance(network.target, IndexTarget):
        raise ArgumentError(
            "response must be an analyzer that explains one class after the other, such as 'lrp.epsilon' or "
            "'gradient', made with neuron_selection_mode='index' or 'max_activation'. Received: "
            f"response={response.name!r} with "
            f"neuron_selection_mode={network.options.neuron_selection_mode!r}"
        )


def check_classes(classes: Any, top_k: Any, count: int) -> tuple[int, ...] | None:
    """The classes, if they are ints of the model, each once; `None` if there are none given."""
    check_count("top_k", top_k)
    if top_k > count and top_k != TOP_K:
        raise ArgumentError(f"top_k must be at most {count}, the number of classes. Received: top_k={top_k}")
    if classes is None:
        return tuple(range(count)) if count <= top_k else None
    try:
        index = np.asarray(classes)
    except (TypeError, ValueError):  # lists of unequal length
        index = np.asarray(np.nan)
    if index.ndim != 1 or index.size == 0 or index.dtype.kind not in "iu":
        raise ArgumentError(f"classes must be a list of ints, one or several. Received: classes={classes!r}")
    outside = index[(index < 0) | (index >= count)]
    if outside.size or len(set(index.tolist())) < index.size:
        raise ArgumentError(
            f"classes must be different numbers between 0 and {count - 1}: the model has {count} classes. "
            f"Received: classes={classes!r}"
        )
    return tuple(int(c) for c in index)


def check_included(include: Any, n: int, count: int) -> np.ndarray:
    """The class to be compared in any case, one a sample: int32 (n,)."""
    given = np.asarray(include)
    fits = given.dtype.kind in "iu" and given.shape in ((), (n,))
    if not fits or np.any(given < 0) or np.any(given >= count):
        raise ArgumentError(
            f"include must be a class between 0 and {count - 1}, or one for each of the {n} samples. "
            f"Received: include={include!r}"
        )
    return np.broadcast_to(given.astype("int32"), (n,))
