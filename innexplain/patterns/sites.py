"""Where patterns are fitted: the linear parts of a graph, and what gates their neurons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import keras

from innexplain.digests import digest_of_weights
from innexplain.graph.kinds import SCALE
from innexplain.graph.linear import LinearPart
from innexplain.graph.step import Graph, Step
from innexplain.numerics import accumulation_dtype
from innexplain.patterns.centring import Inputs, inputs_of
from innexplain.patterns.neurons import Neurons, neurons_of

#: In which precision sums by weight of large kernels are kept: in nine bytes a weight, or in float64.
PRECISIONS = ("compensated", "float64")
#: Up to how many weights a kernel is not large.
_FEW_WEIGHTS = 2**20


@dataclass(frozen=True, eq=False)
class Site:
    """One linear part with all its calls, whose statistics are pooled.

    Args:
        key: path and part, as text.
        path: of the layer.
        part: the linear part, batch norms folded in.
        neurons: its neurons.
        inputs: the channels of its input, where they can be centred.
        calls: the steps, each with the slot whose sign says whether a neuron fires.
        precise: whether sums by weight are float64, however many there are.
    """

    key: str
    path: tuple[str, ...]
    part: LinearPart
    neurons: Neurons
    inputs: Inputs | None
    calls: tuple[tuple[Step, int], ...]
    precise: bool = False

    @property
    def dtype(self) -> str:
        """The precision in which sums by weight are kept; batches are summed in float64."""
        is_small = prod(self.kernel_shape) <= _FEW_WEIGHTS
        return "float64" if self.precise or is_small else self.layer_dtype

    @property
    def layer_dtype(self) -> str:
        """The precision of the layer itself, and of its patterns."""
        return accumulation_dtype(self.part.layer.compute_dtype)

    @property
    def like_axes(self) -> tuple[int, ...]:
        """The axes of the kernel along which neurons see the same inputs."""
        own = self.inputs.kernel_axes if self.inputs else ()
        return tuple(a for a in self.neurons.kernel_axes if a not in own)

    def padded(self, x: Any) -> Any:
        """An input with the zeros around it, where those are centred like the rest."""
        return x if self.inputs is None or self.part.pad is None else self.part.pad(x)

    def seen(self, x: Any) -> Any:
        """An input with the digits that the layer multiplies, in float32 at least."""
        return self.part.wide(keras.ops.cast(x, self.part.layer.compute_dtype))

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        """The shape of the kernel, and so of its patterns."""
        return tuple(getattr(self.part.layer, self.part.kernel_name).shape)


def site_key(step: Step) -> str:
    """How a step's linear part is called, whatever call it is.

    A layer with two linear maps has two; all others are called by their path alone.
    """
    own = "" if step.linear is None or step.linear.name == "linear" else f" [{step.linear.name}]"
    call = f" (call {step.call + 1})" if step.call else ""
    return "/".join(step.path) + own + call


def find_sites(graph: Graph, precision: str = "compensated") -> list[Site]:
    """Every linear part with a kernel of a canonical graph, in the order in which they run.

    Calls of a shared layer are one site, unless different batch norms were folded into them.
    """
    calls: dict[Any, list[Step]] = {}
    for step in graph.steps:
        if step.linear is not None and step.kind != SCALE:
            norms = tuple(id(norm) for norm in step.linear.norms)
            calls.setdefault((id(step.operation), step.part, norms), []).append(step)
    consumers = graph.consumers()
    return [
        Site(
            site_key(steps[0]),
            steps[0].path,
            _linear(steps[0]),
            neurons_of(_linear(steps[0])),
            inputs_of(_linear(steps[0])),
            tuple((step, _gate(step, consumers)) for step in steps),
            precision == "float64" or _is_mixed(steps),
        )
        for steps in calls.values()
    ]


def _is_mixed(steps: Sequence[Step]) -> bool:
    """Whether nothing can be said of a channel that suits all that weights see.

    The calls of a shared layer may have means of their own, transposed convolutions see zeros between inputs
    that do not move with the mean, and of grouped ones a row of weights belongs to several channels.
    """
    inputs = inputs_of(_linear(steps[0]))
    return len(steps) > 1 or inputs is None or inputs.groups > 1


def _linear(step: Step) -> LinearPart:
    if step.linear is None:
        raise TypeError(f"{step} has no linear part")
    return step.linear


def _gate(step: Step, consumers: dict[int, list[Step]]) -> int:
    """The slot whose sign gates the neurons.

    It is the linear part's own output, or that of batch norms behind it which could not be folded: what a
    ReLU behind them sees.
    """
    slot = step.outputs[0]
    while len(consumers.get(slot, [])) == 1 and _keeps_places(consumers[slot][0]):
        slot = consumers[slot][0].outputs[0]
    return slot


def _keeps_places(step: Step) -> bool:
    """Whether a step leaves every neuron in its place: a scaling, or one that does nothing at inference."""
    return step.kind == SCALE or step.traits.idle


def fingerprints(graph: Graph) -> dict[str, str]:
    """A digest of the weights of every layer in a graph, by path."""
    return {path: digest_of_weights(operation) for path, operation in _weighted(graph)}


def _weighted(graph: Graph) -> Iterator[tuple[str, Any]]:
    seen: set[int] = set()
    for step in graph.steps:
        operation = step.operation
        if id(operation) not in seen and getattr(operation, "weights", None):
            seen.add(id(operation))
            yield "/".join(step.path), operation
