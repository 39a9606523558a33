"""One batch, added to the running sums of a site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from keras import ops

from innexplain.numerics import late
from innexplain.patterns import digits
from innexplain.patterns.blocks import Block
from innexplain.patterns.neurons import Neurons
from innexplain.patterns.parts import Call, in_parts, is_row
from innexplain.patterns.sites import Site

Tensor = Any
Own = Sequence[tuple[Block, dict[str, Any]]]

#: Which outputs of a neuron count: the positive ones, the others, all.
GROUPS = ("positive", "negative", "all")


def add_inputs(site: Site, state: dict[str, Any], call: Call) -> Sequence[Tensor]:
    """Add a batch to the mean of what weights see, by channel; nothing happens where inputs are not centred.

    Returns:
        The mean input of the batch by channel; and, of what weights see, in shapes that broadcast against the
        kernel how much more the mean before it is, how much less that after it, and the difference of these
        two, old less new.
    """
    centre = site.inputs
    if centre is None:
        return (tf.zeros((), "float64"),) * 4
    m = ops.cast(centre.mean(call.x, call.present), "float64")
    old, seen, more = tf.identity(state["c"]), m * centre.places(call.x), _count(call)
    n = state["n"] + more
    new = old + (seen - old) * tf.math.divide_no_nan(more, n)
    with tf.control_dependencies([old]):
        state["n"].assign(n)
        state["c"].assign(new)
    rank = len(site.kernel_shape)
    return m, *(centre.along_kernel(v, rank) for v in (old - seen, seen - new, old - new))


def _count(call: Call) -> Tensor:
    return ops.cast(ops.sum(call.present), "float64")


def add_neurons(own: Own, call: Call, group: str) -> tuple[Tensor, Tensor]:
    """Add a batch to the sums by neuron.

    Args:
        own: the blocks of a site, each with the variables of the group.
        call: what the site reads and gives in the batch.
        group: one of `GROUPS`, or `moments.EVERY`.

    Returns:
        The mean output, (count,), and in columns what the sums by weight need: what the samples so far move
        by, their share, that of the batch, and 1 by the number of all, (count, 4).
    """
    site = own[0][0].site
    neurons = site.neurons
    n, old = (tf.concat([state[k] for _, state in own], 0) for k in ("n", "c"))

    def of_part(part: Call) -> list[Tensor]:
        return [neurons.sum_positions(v) for v in _outputs(group, neurons, part, old)]

    y, more = in_parts(of_part, own[0][0], call, [(neurons.count,)] * 2, "float64")
    c = old + tf.math.divide_no_nan(y, n + more)
    for block, state in own:
        state["n"].assign(block.of_neurons(n + more))
        state["c"].assign(block.of_neurons(c))
    each = tf.math.divide_no_nan(tf.ones_like(n), n + more)
    return c, tf.stack([n * (old - c), n * each, more * each, each], axis=1)


def add_weights(
    own: Own, call: Call, group: str, inputs: Sequence[Tensor], outputs: tuple[Tensor, Tensor]
) -> Tensor:
    """Add a batch to the sums by weight.

    Args:
        own, call, group: as in `add_neurons`.
        inputs, outputs: what `add_inputs` and `add_neurons` gave.

    Returns:
        Something that is there when all is done.
    """
    last = outputs[1]
    for block, state in own:
        held = {name: state[name] for name in block.layout}
        mine = [block.of_neurons(v) for v in outputs]
        with tf.control_dependencies([last]):
            z = block.of_output(call.z)
            gate = z if call.gate is call.z else block.of_output(call.gate)
            part = Call(call.x, z, gate, call.present)
            found = _found(block, part, group, inputs[0], mine[0])
            done = _add_block(block, held, found, inputs[1:], mine[1])
        with tf.control_dependencies(done):
            last = tf.identity(outputs[1])
    return last


def _found(block: Block, call: Call, group: str, m: Tensor, c: Tensor) -> Callable[[slice], list[Tensor]]:
    """What some rows of a block see in a batch, less its mean, times the outputs of a group, and times 1."""
    site = block.site
    if is_row(call) and site.inputs is not None and 0 in site.inputs.kernel_axes:
        x, values = site.inputs.less(_wide(call.x), m), _outputs(group, block.neurons, call, c)
        return lambda rows: block.sum_fields(x[:, rows], *values, rows=rows.stop - rows.start)
    dtype = "float64" if is_row(call) else site.dtype

    def of_part(part: Call) -> list[Tensor]:
        x = _wide(part.x) if site.inputs is None else site.inputs.less(_wide(part.x), m)
        values = _outputs(group, block.neurons, part, c)
        return block.sum_fields(*(ops.cast(v, dtype) for v in (x, *values)))

    whole = in_parts(of_part, block, call, [block.shape] * 2, dtype)
    return lambda rows: [_wide(v[rows]) for v in whole]


def _add_block(
    block: Block,
    state: dict[str, Any],
    found: Callable[[slice], list[Tensor]],
    inputs: Sequence[Tensor],
    columns: Tensor,
) -> list[Any]:
    """Add a batch to the sums of a block, of some rows at a time: of large kernels, less is held at once."""
    length, size = block.shape[0], block.rows_at_a_time

    def body(start: Tensor) -> list[Tensor]:
        own = slice(start, tf.minimum(start + size, length))
        rows = tf.range(own.start, own.stop)
        held = {k: _of_rows(v, rows) for k, v in state.items()}
        along = [v[own] if len(v.shape) and v.shape[0] == length else v for v in inputs]
        more = _moved(held, found(own), along, columns, block)
        with tf.control_dependencies(list(more.values())):
            done = [_add_to_rows(state[name], rows, v) for name, v in more.items()]
        with tf.control_dependencies(done):
            return [own.stop]

    if size < length:
        return tf.while_loop(lambda start: start < length, body, [0], parallel_iterations=1)
    held = {k: tf.convert_to_tensor(v) for k, v in state.items()}
    more = _moved(held, found(slice(0, length)), inputs, columns, block)
    with tf.control_dependencies(list(more.values())):
        # In place: new variables would be strewn over the memory that activations need.
        return [state[name].assign_add(v, read_value=False) for name, v in more.items()]


def _wide(x: Tensor) -> Tensor:
    return ops.cast(x, "float64")


def _of_rows(variable: Any, rows: Tensor) -> Tensor:
    return tf.raw_ops.ResourceGather(resource=variable.handle, indices=rows, dtype=variable.dtype)


def _add_to_rows(variable: Any, rows: Tensor, value: Tensor) -> Any:
    return tf.raw_ops.ResourceScatterAdd(resource=variable.handle, indices=rows, updates=value)


def _moved(
    state: dict[str, Tensor], found: Sequence[Tensor], inputs: Sequence[Tensor], columns: Tensor, block: Block
) -> dict[str, Tensor]:
    """What a batch adds to sums by weight: it is about its own mean input, they about that of all batches."""
    (products, fields), (earlier, later, drift), rank = found, inputs, len(block.shape)
    moved, kept, share, each = (block.neurons.along_kernel(v, rank) for v in tf.unstack(columns, axis=1))
    return digits.added(
        state,
        xy=lambda: products + (digits.mean(state) + earlier) * moved,
        x=lambda: fields * each + drift * kept + (later - digits.mean(state)) * share,
    )


def _outputs(group: str, neurons: Neurons, part: Call, c: Tensor) -> list[Tensor]:
    """How much more than c the outputs of a group are, and 1; 0 for others and those of padded samples."""
    rank = len(part.z.shape)
    here = tf.reshape(part.present > 0, (-1, *[1] * (rank - 1)))
    if group == "positive":
        here &= part.gate > 0
    elif group == "negative":
        here &= part.gate <= 0
    else:
        here &= tf.ones_like(part.gate, tf.bool)
    z = ops.cast(part.z, "float64")
    v = tf.where(here, z - neurons.along_output(c, rank), tf.zeros((), z.dtype))
    return [v, late(ops.cast(here, z.dtype), v)]
