"""CLEAR: which class does each location speak for?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from innexplain.analyzers.choosing import inner_method
from innexplain.analyzers.clear_network import ClearNetwork
from innexplain.analyzers.method import METHODS, Method
from innexplain.analyzers.other_names import meant
from innexplain.arguments import check_choice, check_count
from innexplain.backward import REDUCTIONS, reduce_channels
from innexplain.composites import GRADIENT, Composite, clear_composite
from innexplain.errors import ArgumentError, UnknownNameError
from innexplain.network import Network, Options, Request, Result, Rows, chunks
from innexplain.targets import MAX, IndexTarget

DECONVOLUTION = "deconvolution"
TOP_K = 10


@dataclass(frozen=True, eq=False)
class Clear(Method):
    """CLEAR: the response of every class at every location, and the class that dominates there.

    `R(x|c) = G_1 U_1 ... G_{L-1} U_{L-1} G_L^c z_L`: of the maps z_L before the global average pooling that
    of class c is kept, all others are masked, and it is projected down through transposed filters and
    max-pool switches.  Of networks that end in dense layers, z_L are the class scores.  `analyze` gives
    `max_c R(x|c)`, without the channel axis; `analyzer.maps(x)` gives all of it, see `ClearAnalyzer.maps`.

    Args:
        classes: the classes to compare, as the model numbers them; `None` (default) for all, or the `top_k`
            most activated ones of each sample where there are more.
        top_k: how many, default 10.  Any other number above that of the classes is an error.
        layer: the layer whose channels stand for classes (its name, path or the layer), where it is
            another than the last.
        response: `"deconvolution"` (default), or the name of another analyzer or one made for this model:
            its map for class c is `R(x|c)`.
        rectify: whether ReLUs rectify what goes down, as in the deconvnet; equation 3 has no
            rectification (default).
        channel_reduction: what is done with the channels of a location: `"sum"` (default), `"max"`, or
            `"norm"`, the Euclidean one.

    Reference: Kumar et al. 2017, equations 3 to 5.
    """

    meaning: ClassVar[str] = "dominance"
    spatial: ClassVar[bool] = True
    own_options: ClassVar[tuple[str, ...]] = ("neuron_selection_mode",)
    reference: ClassVar[str] = "Kumar et al. 2017"

    classes: Any = None
    top_k: int = TOP_K
    layer: Any = None
    response: Any = DECONVOLUTION
    rectify: bool = False
    channel_reduction: str = "sum"

    def __post_init__(self) -> None:
        check_choice("channel_reduction", self.channel_reduction, REDUCTIONS)
        given = getattr(self.response, "method", self.response)
        if not (isinstance(given, str) and given == DECONVOLUTION):
            known = given in METHODS if isinstance(given, str) else isinstance(given, (Composite, Method))
            if not known:
                raise UnknownNameError(
                    f"response must be {DECONVOLUTION!r}, the name of an analyzer, or an analyzer."
                    f"{meant(given, (DECONVOLUTION, *METHODS))} Received: response={given!r}"
                )
            object.__setattr__(self, "response", inner_method(given, "response"))
        _check_settings(self.inner, self.layer, self.rectify)
        check_count("top_k", self.top_k)

    @property
    def inner(self) -> Method | None:
        """The method that makes the class maps; `None` for CLEAR's own deconvolution."""
        return self.response if isinstance(self.response, Method) else None

    def network(self, model: Any, options: Options) -> ClearNetwork:
        """See `Method.network`."""
        if self.layer is not None and options.output is not None:
            raise ArgumentError(
                "layer= says which layer's channels are classes, and output= which output is explained: give "
                f"one of them. Received: layer={self.layer!r}, output={options.output!r}"
            )
        inner = None if self.inner is None else self.inner.network(model, options)
        if self.inner is not None and inner is not None:
            _check_response(self.inner, inner)
            options = replace(options, rules=None)  # they are the inner method's
        composite = clear_composite(self.rectify) if inner is None else replace(GRADIENT, name=self.name)
        network = ClearNetwork(model, options, self, composite, self.layer, self.channel_reduction, inner)
        if not isinstance(network.target, IndexTarget):
            raise ArgumentError(
                "clear explains single classes: neuron_selection_mode must be 'max_activation' or 'index'. "
                f"Received: neuron_selection_mode={options.neuron_selection_mode!r}"
            )
        self.compared_classes(network)
        return network

    def compared_classes(self, network: ClearNetwork) -> np.ndarray:
        """The classes to look at; -1 asks for one more of the most activated ones of a sample."""
        count = network.start.count
        chosen = _check_classes(self.classes, self.top_k, count)
        return np.asarray((MAX,) * min(self.top_k, count) if chosen is None else chosen, "int32")

    def rows_per_sample(self, network: Any) -> int:
        """One a class, times what the method inside needs."""
        own = 1 if self.inner is None else self.inner.rows_per_sample(network.inner)
        return own * (1 if network.asked_for_one else len(self.compared_classes(network)))

    def attribute(self, network: Any, rows: Rows, data: np.ndarray, request: Request) -> Result:
        """See `Method.attribute`: the dominant response, or that of the class asked for."""
        if np.any(data >= network.start.count):
            raise ArgumentError(
                f"neuron_selection must lie between 0 and {network.start.count - 1}: there are "
                f"{network.start.count} classes. Received: {int(data.max())}"
            )
        one = np.all(data != MAX)
        wanted = data[:, None] if one else np.tile(self.compared_classes(network), (len(data), 1))
        parts = []
        for part in self.responses(network, rows, wanted, request):
            responses = network.by_origin(part.maps)
            dominant = {origin: r.max(axis=1) for origin, r in responses.items()}
            # Tokens with two embeddings have two entries and one map: it stands in the first.
            zeros = [np.zeros_like(dominant[e.origin]) for e in network.explained]
            pairs = zip(network.explained, zeros, strict=True)
            part.maps = [dominant.pop(e.origin, zero) for e, zero in pairs]
            parts.append(part)
        result = Result.join(parts)
        told = result.details
        asked = data != MAX
        result.neuron = np.where(asked, result.neuron, told["predicted"])
        result.score = np.where(asked, result.score, told["best"])
        return result

    def responses(
        self, network: ClearNetwork, rows: Rows, classes: np.ndarray, request: Request
    ) -> Iterator[Result]:
        """The response of each class (n, k, *spatial) by entry, for a few samples at a time."""
        size = max(1, request.batch_size // classes.shape[1])
        for part in chunks(len(classes), size):
            block = [row[part] for row in rows]
            if self.inner is None:
                yield network.sweeps(block, classes[part], request.batch_size)
                request.tick(classes[part].size)
            else:
                yield self._of_inner(network, block, classes[part], request)

    def _of_inner(self, network: ClearNetwork, rows: Rows, classes: np.ndarray, request: Request) -> Result:
        """The maps of another method for each class: the samples are rows once a class."""
        result = network.score(rows, classes, request.batch_size)
        n, k = classes.shape
        many = [np.repeat(row, k, axis=0) for row in rows]
        inner: Any = self.inner
        asked = result.details["classes"].ravel()
        found = inner.attribute(network.inner, many, asked, replace(request, record=None))
        for entry, maps in zip(network.explained, found.maps, strict=True):
            flat = np.asarray(reduce_channels(maps, entry, network.reduction))
            result.maps.append(flat.reshape(n, k, *flat.shape[1:]))
        return result


def _check_settings(response: Method | None, layer: Any, rectify: Any) -> None:
    """Another method has no use for the settings of the deconvolution."""
    if not isinstance(rectify, bool):
        raise ArgumentError(f"rectify must be True or False. Received: rectify={rectify!r}")
    if response is not None and (layer is not None or rectify):
        raise ArgumentError(
            "layer= and rectify= belong to response='deconvolution'. "
            f"Received: response={response.name!r}, layer={layer!r}, rectify={rectify!r}"
        )


def _check_response(response: Method, network: Network) -> None:
    """Another method has to tell classes apart."""
    if not response.backwards or not isinstance(network.target, IndexTarget):
        raise ArgumentError(
            "response must be an analyzer that explains one class after the other, such as 'lrp.epsilon' or "
            "'gradient', made with neuron_selection_mode='index' or 'max_activation'. Received: "
            f"response={response.name!r} with "
            f"neuron_selection_mode={network.options.neuron_selection_mode!r}"
        )


def _check_classes(classes: Any, top_k: Any, count: int) -> tuple[int, ...] | None:
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
