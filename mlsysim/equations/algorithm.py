r"""The physics of a model: what its operators compute, and what they must keep.

Counts are multiply-accumulates and elements; `operations` and `stored` turn them into FLOP and
bytes. Pure functions over floats, arrays and quantities alike.
"""

from __future__ import annotations

import numpy as np

from mlsysim.core import units as u


def operations(macs: u.Number, per_mac: u.Operations) -> u.Operations:
    r"""FLOP in a number of multiply-accumulates: two each, one multiplication and one addition.

    >>> operations(macs=3.0, per_mac=2.0)
    6.0

    Source: Kaplan et al. (2020), section 2.1, arXiv:2001.08361.
    """
    return macs * per_mac


def stored(elements: u.Number, width: u.Bytes) -> u.Bytes:
    r"""Bytes that a number of elements takes at `width` bytes each.

    >>> stored(elements=8.0, width=0.5)
    4.0

    Source: definition.
    """
    return elements * width


def matmul_macs(rows: u.Number, inner: u.Number, columns: u.Number) -> u.Number:
    r"""Multiply-accumulates of one matrix product.

    $$\mathrm{MACs} = m \cdot k \cdot n$$

    >>> matmul_macs(rows=1.0, inner=4096.0, columns=4096.0)
    16777216.0

    Source: definition.
    """
    return rows * inner * columns


def attention_macs(
    pairs: u.Number, heads: u.Number, key_dim: u.Number, value_dim: u.Number
) -> u.Number:
    r"""Multiply-accumulates of the scores and of the weighted sum, for all (query, key) pairs.

    $$\mathrm{MACs} = \mathrm{pairs} \cdot h \cdot (d_k + d_v)$$

    >>> attention_macs(pairs=2048.0, heads=32.0, key_dim=128.0, value_dim=128.0)
    16777216.0

    Source: Vaswani et al. (2017), arXiv:1706.03762.
    """
    return pairs * heads * (key_dim + value_dim)


def causal_pairs(new: u.Number, past: u.Number) -> u.Number:
    r"""(Query, key) pairs of new tokens, each of which sees itself and all those before it.

    $$\mathrm{pairs} = q\,c + \frac{q(q+1)}{2}$$

    A prompt of $S$ tokens has half of the square; a decode step has as many pairs as context.

    >>> causal_pairs(new=4.0, past=0.0), causal_pairs(new=1.0, past=9.0)
    (10.0, 10.0)

    Source: Vaswani et al. (2017), section 3.2.3, arXiv:1706.03762.
    """
    return new * past + new * (new + 1) / 2


def windowed_pairs(new: u.Number, past: u.Number, window: u.Number) -> u.Number:
    r"""Pairs where a token sees the last `window` tokens only, itself among them.

    $$\sum_{p=c+1}^{c+q} \min(p, w) = a\,c + \frac{a(a+1)}{2} + (q - a)\,w, \qquad
    a = \min(q, \max(w - c, 0))$$

    >>> float(windowed_pairs(new=4.0, past=0.0, window=2.0))  # 1 + 2 + 2 + 2
    7.0

    Source: Beltagy et al. (2020), Longformer, arXiv:2004.05150; Jiang et al. (2023), Mistral 7B,
    arXiv:2310.06825.
    """
    whole = np.minimum(new, np.maximum(window - past, 0 * past))
    return causal_pairs(whole, past) + (new - whole) * window


def chunked_pairs(new: u.Number, past: u.Number, chunk: u.Number) -> u.Number:
    r"""Pairs where a token sees those before it in its own chunk, and itself.

    $$F(c + q) - F(c), \qquad
    F(n) = \left\lfloor \frac{n}{w} \right\rfloor \frac{w(w+1)}{2} + \frac{r(r+1)}{2},
    \qquad r = n \bmod w$$

    >>> float(chunked_pairs(new=3.0, past=0.0, chunk=2.0))  # 1 + 2 + 1
    4.0

    Source: Meta (2025), Llama 4, chunked attention in layers with rotary positions.
    """

    def seen(tokens: u.Number) -> u.Number:
        full, none = np.floor(tokens / chunk), 0 * chunk
        return full * causal_pairs(chunk, none) + causal_pairs(tokens - full * chunk, none)

    return seen(past + new) - seen(past)


def kv_elements(
    tokens: u.Number, layers: u.Number, kv_heads: u.Number, head_dim: u.Number
) -> u.Number:
    r"""Elements that the key-value cache keeps for a number of tokens.

    $$\mathrm{elements} = 2 \cdot \mathrm{tokens} \cdot L \cdot h_{kv} \cdot d$$

    >>> kv_elements(tokens=1.0, layers=32.0, kv_heads=8.0, head_dim=128.0)
    65536.0

    Source: Ainslie et al. (2023), GQA, arXiv:2305.13245; Kwon et al. (2023), arXiv:2309.06180.
    """
    return 2 * tokens * layers * kv_heads * head_dim


def distinct_experts(experts: u.Number, per_token: u.Number, tokens: u.Number) -> u.Number:
    r"""Experts that a batch is expected to touch when each token picks `per_token` at random.

    $$E\left(1 - \left(1 - \tfrac{k}{E}\right)^{B}\right)$$

    One token touches $k$; a large batch touches them all.

    >>> float(distinct_experts(experts=8.0, per_token=2.0, tokens=1.0))
    2.0

    Source: expected number of occupied cells, for instance Feller (1968), volume I, chapter IV.2.
    """
    return experts * (1 - (1 - per_token / experts) ** tokens)


def conv_output(size: u.Number, kernel: u.Number, stride: u.Number, padding: u.Number) -> u.Number:
    r"""Output positions along one side of a convolution with `padding` in all.

    $$o = \left\lfloor \frac{i + p - k}{s} \right\rfloor + 1$$

    >>> float(conv_output(size=224.0, kernel=7.0, stride=2.0, padding=6.0))
    112.0

    Source: Dumoulin & Visin (2016), arXiv:1603.07285.
    """
    return np.floor((size + padding - kernel) / stride) + 1


def conv_macs(
    positions: u.Number,
    kernel_area: u.Number,
    in_channels: u.Number,
    out_channels: u.Number,
    groups: u.Number,
) -> u.Number:
    r"""Multiply-accumulates of one convolution over its output positions.

    $$\mathrm{MACs} = \mathrm{positions} \cdot k_h k_w \cdot \frac{C_{in} C_{out}}{g}$$

    >>> conv_macs(
    ...     positions=12544.0, kernel_area=49.0, in_channels=3.0, out_channels=64.0, groups=1.0
    ... )
    118013952.0

    Source: Dumoulin & Visin (2016), arXiv:1603.07285.
    """
    return positions * kernel_area * in_channels * out_channels / groups


def training_operations(
    forward: u.Operations, frozen: u.Operations, again: u.Operations
) -> u.Operations:
    r"""FLOP of one training step: the backward pass does the forward's work twice.

    $$C_{\mathrm{train}} = 3\, C_{\mathrm{forward}} - C_{\mathrm{frozen}} + C_{\mathrm{again}}$$

    Gradients are taken with respect to inputs and to weights; of products with `frozen` weights,
    beside which adapters learn, the latter are left out. Recomputation does some work `again`.

    >>> training_operations(forward=2.0, frozen=0.0, again=0.0)
    6.0
    >>> training_operations(forward=2.0, frozen=2.0, again=2.0)
    6.0

    Source: Kaplan et al. (2020), section 2.1, arXiv:2001.08361; Hu et al. (2021), LoRA, section
    4.2, arXiv:2106.09685.
    """
    return 3 * forward - frozen + again


def training_traffic(
    forward: u.Bytes, frozen: u.Bytes, again: u.Bytes, optimizer: u.Bytes
) -> u.Bytes:
    r"""Bytes that one training step moves on one device.

    $$3\,M_{\mathrm{forward}} - M_{\mathrm{frozen}} + M_{\mathrm{again}} + 2\,O$$

    Forward a step moves weights and activations. Weights are read forward and backward and their
    gradients written; activations are written, read back, and their gradients pass through; the
    optimizer reads and writes its state. A lower bound: the optimizer takes each gradient as it is
    made and leaves the new weights where the next step reads them, which an optimizer of its own
    kernels does not (it moves $2W$ more).

    >>> training_traffic(forward=3.0, frozen=0.0, again=0.0, optimizer=12.0)
    33.0

    Source: derived from the operator graph; state sizes as in Rajbhandari et al. (2020),
    arXiv:1910.02054.
    """
    return 3 * forward - frozen + again + 2 * optimizer


def training_compute(
    parameters: u.Number, tokens: u.Number, per_token: u.Operations
) -> u.Operations:
    r"""Wall 11: FLOP of training a dense model once over its tokens.

    $$C = 6\,P\,D$$

    `per_token` is the 6: two FLOP a parameter and token forward, four backward. Attention over
    a context of $S$ adds about $S/12h$ at a width of $h$, which is left out.

    >>> training_compute(parameters=1e9, tokens=20e9, per_token=6.0)
    1.2e+20

    Source: Kaplan et al. (2020), section 2.1, arXiv:2001.08361.
    """
    return per_token * parameters * tokens


def optimal_parameters(compute: u.Operations, ratio: u.Number, per_token: u.Operations) -> u.Number:
    r"""Wall 11: the model size that a budget trains best, at `ratio` tokens a parameter.

    $$P^* = \sqrt{\frac{C}{6 \cdot 20}}$$

    Best for the training budget alone: a model that will serve many requests is trained smaller
    and longer.

    >>> float(optimal_parameters(compute=1.2e20, ratio=20.0, per_token=6.0))
    1000000000.0

    Source: Hoffmann et al. (2022), approach 2, arXiv:2203.15556.
    """
    return np.sqrt(compute / (per_token * ratio))


def affordable(compute: u.Operations, other: u.Number, per_token: u.Operations) -> u.Number:
    r"""Tokens that a budget affords for a number of parameters, or the other way round.

    $$D = \frac{C}{6\,P}, \qquad P = \frac{C}{6\,D}$$

    >>> affordable(compute=1.2e20, other=2e9, per_token=6.0)
    10000000000.0

    Source: `training_compute`, solved for one factor.
    """
    return compute / (per_token * other)


# ---- reasoning: many decode steps over a context that grows --------------------------------------


def decode_time(
    *,
    first_compute: u.Seconds,
    last_compute: u.Seconds,
    first_memory: u.Seconds,
    last_memory: u.Seconds,
    overhead: u.SecondsOrZero,
    steps: u.Count,
) -> u.Seconds:
    r"""Wall 12: the time of many decode steps while both roofs grow evenly from first to last.

    $$T = \sum_{i=1}^{n} \left[\max(c_i, m_i) + t_{\mathrm{overhead}}\right]$$

    Each token adds the same work and the same bytes of KV cache to the next step, so the roofs
    $c_i$ and $m_i$ are arithmetic series and the sum is exact, also where the binding roof changes
    on the way: the memory series, plus the terms by which compute exceeds it.

    >>> float(
    ...     decode_time(
    ...         first_compute=1.0,
    ...         last_compute=5.0,
    ...         first_memory=3.0,
    ...         last_memory=3.0,
    ...         overhead=0.5,
    ...         steps=5.0,
    ...     )
    ... )
    20.5

    Source: Pope et al. (2022), arXiv:2211.05102, for the step; the sum is arithmetic.
    """
    start, end = first_compute - first_memory, last_compute - last_memory
    largest, smallest = np.maximum(start, end), np.minimum(start, end)
    spacing = (largest - smallest) / np.maximum(steps - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        before_zero = np.divide(largest, spacing)  # steps until compute no longer exceeds memory
    count = np.minimum(np.maximum(np.floor(before_zero) + 1, 0), steps)
    count = np.where(largest > 0 * largest, count, 0 * steps)
    excess = count * largest - spacing * count * (count - 1) / 2
    return steps * (first_memory + last_memory) / 2 + excess + steps * overhead


def devices_needed(
    rate: u.Rate, time: u.Seconds, per_device: u.Number, per_node: u.Count
) -> u.Number:
    r"""Devices that keep up with a rate of requests, bought in whole nodes.

    $$N = n \left\lceil \frac{\lambda\,T}{n\,B} \right\rceil$$

    By Little's law $\lambda T$ requests are in flight; a device holds $B$ of them and a node $n$
    devices. Fully loaded: queueing (wall 7) asks for more.

    >>> float(devices_needed(rate=100.0, time=1.15, per_device=1.0, per_node=8.0))
    120.0

    Source: Little (1961), doi:10.1287/opre.9.3.383.
    """
    return per_node * np.ceil(rate * time / (per_device * per_node))


# ---- compression: fewer bytes, and what they buy -------------------------------------------------


def compression_ratio(before: u.Bytes, after: u.Bytes) -> u.Number:
    r"""Wall 13: how many times smaller.

    $$r = \frac{b_0}{b}$$

    >>> compression_ratio(before=2.0, after=0.5)
    4.0

    Source: definition.
    """
    return before / after


def sparse_width(width: u.Bytes, density: u.Fraction, index: u.BytesOrZero) -> u.Bytes:
    r"""Bytes that one parameter takes when only a part of them is kept.

    $$b' = d\,b + b_{\mathrm{index}}$$

    The index says which were kept: one bit a parameter as a bitmap, and the same for the 2:4
    pattern (two bits for each of the two kept in four).

    >>> sparse_width(width=2.0, density=0.5, index=0.125)
    1.125

    Source: Mishra et al. (2021), Accelerating Sparse Deep Neural Networks, arXiv:2104.08378.
    """
    return width * density + index


def speedup(before: u.Seconds, after: u.Seconds) -> u.Number:
    r"""How many times faster.

    $$s = \frac{T_0}{T}$$

    >>> speedup(before=0.004, after=0.002)
    2.0

    Source: definition.
    """
    return before / after
