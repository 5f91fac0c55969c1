"""Whole lists of operators on paper: small models whose numbers are all different.

A row is a name, how often, multiply-accumulates, bytes of weights and of cache, bytes of values in
and out, and bytes held. A weight takes 2 bytes, a table's 3, an activation 5, the cache's 7.
"""

from __future__ import annotations

import pytest

from mlsysim import Models
from mlsysim.models.operators import DECODE, FORWARD, PREFILL, Step
from mlsysim.models.widths import Widths

WEIGHT, TABLE, VALUE, CACHE = WIDTHS = Widths(2.0, 3.0, 5.0, 7.0)
DECODER = {
    "kind": "transformer",
    "name": "Tiny",
    "layers": 5,
    "hidden": 24,
    "heads": 4,
    "kv_heads": 2,
    "head_dim": 7,
    "ffn": 10,
    "vocab": 100,
    "context": 64,
}
# three sequences: five tokens after eleven, or one; each of the five sees itself and those before
CHUNK = Step(3.0, 5.0, 11.0, PREFILL, WIDTHS)
TOKEN = Step(3.0, 1.0, 15.0, DECODE, WIDTHS)
TRAINED = Step(3.0, 5.0, 0.0, PREFILL, WIDTHS, training=True)
PAIRS = 12 + 13 + 14 + 15 + 16


def rows(model, step):
    return [
        (op.name, op.repeat, op.flops / 2, op.weights, op.state, op.inputs, op.outputs, op.held)
        for op in model.operators(step)
    ]


def product(name, repeat, many, inner, columns, *, given=None, bias=0, width=WEIGHT, held=1):
    """A row of a matrix product of `many` rows; values are `given` where not all columns are."""
    matrix = (inner + bias) * columns * width
    out = many * (columns if given is None else given) * VALUE
    return name, repeat, many * inner * columns, matrix, 0, many * inner * VALUE, out, held * matrix


def values(name, repeat, read, written, held=0):
    """A row of work on each value."""
    return name, repeat, 0, 0, 0, read * VALUE, written * VALUE, held * TABLE


def embedding(tokens, hidden, words, of_each=1):
    table = words * hidden * TABLE
    return (
        "embedding",
        1,
        0,
        of_each * tokens * hidden * TABLE,
        0,
        0,
        tokens * hidden * VALUE,
        table,
    )


def mixing(pairs, kept, fed, given, repeat=5, name="attention", learned=0):
    """`pairs` are multiply-accumulates, `kept` the values of the cache that are moved."""
    own = learned * WEIGHT
    return name, repeat, pairs, own, kept * CACHE, fed * VALUE, given * VALUE, own


def test_a_decoder_with_biases_and_positions():
    model = Models.from_spec(
        {**DECODER, "biases": True, "norm_bias": True, "learned_positions": 64}
    )

    def listed(tokens, heads, asked):
        return [
            embedding(tokens, 24, 100 + 64, of_each=2),  # and a row of its place
            product("qkv", 5, tokens, 24, 28 + 2 * 14, bias=1, given=asked),
            heads,
            product("attention out", 5, tokens, 28, 24, bias=1),
            product("ffn up", 5, tokens, 24, 20, bias=1),
            values("ffn activation", 5, tokens * 20, tokens * 10),
            product("ffn down", 5, tokens, 10, 24, bias=1),
            values("norm", 10, tokens * 24, tokens * 24, held=2 * 24),
            values("norm", 1, tokens * 24, tokens * 24, held=2 * 24),
        ]

    # a head's score is 7 products and its sum 7; 2 x 14 values are kept of a token
    many = mixing(3 * PAIRS * 4 * 14, 3 * 16 * 28, 15 * (28 + 28), 15 * 28)
    head = product("head", 1, 3, 24, 100, width=TABLE)
    assert rows(model, CHUNK) == [*listed(15, many, 28), head]
    one = mixing(3 * 16 * 4 * 14, 3 * 16 * 28, 3 * 28, 3 * 28)
    assert rows(model, TOKEN) == [*listed(3, one, 28), head]
    # training keeps no cache, predicts after each token, and its loss the logits in four bytes
    back = mixing(3 * 15 * 4 * 14, 0, 15 * (28 + 28), 15 * 28)
    loss = ("loss", 1, 0, 0, 0, 15 * 100 * 4, 0, 0)
    head = product("head", 1, 15, 24, 100, width=TABLE)
    assert rows(model, TRAINED) == [*listed(15, back, 56), head, loss]


def test_experts_windows_and_gates():
    """One layer has no feed-forward, one a dense one, three route two of seven, and one is shared.

    Two of five layers see eight tokens: eight pairs for each of five, and 7 + 5 kept ones are read.
    """
    moe = {"experts": 7, "per_token": 2, "ffn": 9, "shared": 2, "dense_layers": 1}
    model = Models.from_spec(
        {**DECODER, "moe": moe, "window": {"tokens": 8, "layers": 2}, "bare_layers": 1}
        | {"gated_attention": True, "tied_embeddings": True}
    )
    touched = 7 * (1 - (5 / 7) ** 15)  # of seven, when each of 15 tokens leaves five alone
    head = product("head", 1, 3, 24, 100, width=TABLE, held=0)

    def routed(name, inner, columns):
        row = product(name, 3, 15 * 2, inner, columns)
        return (*row[:3], pytest.approx(touched * row[3]), *row[4:7], 7 * row[3])

    assert rows(model, CHUNK) == [
        embedding(15, 24, 100),
        product("qkv", 5, 15, 24, 2 * 28 + 2 * 14, given=2 * 28),
        mixing(3 * PAIRS * 4 * 14, 3 * 16 * 28, 15 * (28 + 28), 15 * 28, repeat=3),
        mixing(3 * 5 * 8 * 4 * 14, 3 * 12 * 28, 15 * (28 + 28), 15 * 28, repeat=2),
        product("attention out", 5, 15, 28, 24),
        product("ffn up", 1, 15, 24, 20),
        values("ffn activation", 1, 15 * 20, 15 * 10),
        product("ffn down", 1, 15, 10, 24),
        product("router", 3, 15, 24, 7),
        routed("experts up", 24, 18),
        values("experts activation", 3, 30 * 18, 30 * 9),
        routed("experts down", 9, 24),
        product("shared experts up", 3, 15, 24, 36),
        values("shared experts activation", 3, 15 * 36, 15 * 18),
        product("shared experts down", 3, 15, 18, 24),
        values("norm", 9, 15 * 24, 15 * 24, held=24),
        values("norm", 1, 15 * 24, 15 * 24, held=24),
        head,
    ]
    kept = 3 * 16 * 28 + 2 * 8 * 28
    assert model.held_state(CHUNK) == 3 * kept * CACHE


MLA = {"q_rank": 6, "kv_rank": 4, "nope_dim": 3, "rope_dim": 2, "v_dim": 5}


def latent(tokens, seen, heads):
    return [
        product("q down", 5, tokens, 24, 6),
        product("q up", 5, tokens, 6, 4 * 5),
        product("kv down", 5, tokens, 24, 6),
        product("kv up", 5, seen, 4, 4 * 8),
        heads,
        product("attention out", 5, tokens, 20, 24),
    ]


def test_latent_attention():
    """Keys of 3 + 2 values and sums of 5 in a prompt, of 4 + 2 and 4 where it is compressed."""
    model = Models.from_spec({**DECODER, "kv_heads": None, "head_dim": None, "mla": MLA})
    many = mixing(3 * PAIRS * 4 * (5 + 5), 3 * 16 * 6, 15 * (4 * 5 + 6), 15 * 4 * 5)
    assert rows(model, CHUNK)[1:7] == latent(15, 3 * 16, many)
    one = mixing(3 * 16 * 4 * (6 + 4), 3 * 16 * 6, 3 * 4 * 6, 3 * 4 * 4)
    assert rows(model, TOKEN)[1:7] == latent(3, 3, one)
    assert model.held_state(TOKEN) == 3 * 5 * 16 * 6 * CACHE


def test_an_indexer_of_two_layers_picks_nine_tokens():
    indexer = {"heads": 3, "dim": 8, "tokens": 9, "layers": 2}
    model = Models.from_spec(
        {**DECODER, "kv_heads": None, "head_dim": None, "mla": MLA, "indexer": indexer}
    )

    def index(tokens, pairs):
        return [
            product("index queries", 2, tokens, 6, 3 * 8),
            product("index keys", 2, tokens, 24, 8),
            product("index weights", 2, tokens, 24, 3),
            # queries and a weight for each head come in
            (
                "index scores",
                2,
                3 * pairs * 3 * 8,
                0,
                3 * 16 * 8 * CACHE,
                tokens * 27 * VALUE,
                0,
                0,
            ),
        ]

    # compressed in a prompt too, of which all tokens may be picked
    many = mixing(3 * 5 * 9 * 4 * (6 + 4), 3 * 16 * 6, 15 * (4 * 6 + 6), 15 * 4 * 4)
    assert rows(model, CHUNK)[1:11] == [*index(15, PAIRS), *latent(15, 15, many)]
    one = mixing(3 * 9 * 4 * (6 + 4), 3 * 9 * 6, 3 * 4 * 6, 3 * 4 * 4)
    assert rows(model, TOKEN)[1:11] == [*index(3, 16), *latent(3, 3, one)]
    assert model.held_state(TOKEN) == 3 * (5 * 16 * 6 + 2 * 16 * 8) * CACHE


def test_attention_near_and_far():
    """Two layers keep one of four tokens and pick two of them, one keeps one of eight."""
    far = {
        "q_rank": 6,
        "o_rank": 3,
        "o_groups": 2,
        "window": 8,
        "streams": [
            {"layers": 2, "rate": 4, "overlap": True}
            | {"indexer": {"heads": 3, "dim": 5, "tokens": 2}},
            {"layers": 1, "rate": 8},
        ],
    }
    model = Models.from_spec({**DECODER, "kv_heads": 1, "compressed": far})

    def listed(tokens, near, index, some, rest):
        both = tokens * 28, tokens * 28
        return [
            product("q down", 5, tokens, 24, 6),
            product("q up", 5, tokens, 6, 28),
            product("key", 5, tokens, 24, 7),
            mixing(*near, *both, name="near attention"),
            product("compress", 2, tokens, 24, 4 * 7),  # of twice as many, key and weight
            product("index queries", 2, tokens, 6, 3 * 5),
            product("index keys", 2, tokens, 24, 4 * 5),
            product("index weights", 2, tokens, 24, 3),
            mixing(*index, tokens * 18, 0, repeat=2, name="index scores"),
            mixing(*some, *both, repeat=2, name="far attention"),
            product("compress", 1, tokens, 24, 2 * 7),
            mixing(*rest, *both, repeat=1, name="far attention"),
            product("group out", 5 * 2, tokens, 14, 3),
            product("out", 5, tokens, 2 * 3, 24),
        ]

    # a key of 7 is the value too, for four heads; 7 + 5 are near, and of a prompt all 16 are read
    assert rows(model, CHUNK)[1:15] == listed(
        15,
        (3 * 5 * 8 * 4 * 14, 3 * 12 * 7),
        (3 * PAIRS / 4 * 3 * 5, 3 * 4 * 5),
        (3 * 5 * 2 * 4 * 14, 3 * 4 * 7),
        (3 * PAIRS / 8 * 4 * 14, 3 * 2 * 7),
    )
    assert rows(model, TOKEN)[1:15] == listed(
        3,
        (3 * 8 * 4 * 14, 3 * 8 * 7),
        (3 * 4 * 3 * 5, 3 * 4 * 5),
        (3 * 2 * 4 * 14, 3 * 2 * 7),
        (3 * 2 * 4 * 14, 3 * 2 * 7),
    )
    kept = 5 * 8 * 7 + 2 * 16 / 4 * (7 + 5) + 16 / 8 * 7
    assert model.held_state(TOKEN) == 3 * kept * CACHE
    assert model.compressed.tokens == 8  # 2 x 4 are as many as are near


def test_a_recurrence_beside_attention():
    """Six heads of three in two groups, keys of five, and a delta rule; a window of four taps."""
    kept = {"layers": 2, "heads": 6, "head_dim": 3, "groups": 2, "key_dim": 5, "gates": 2}
    model = Models.from_spec(
        {**DECODER, "recurrence": {**kept, "conv_kernel": 4, "conv_bias": True}}
    )
    size = 18 + 2 * 2 * 5  # values, keys and queries
    entering = size + 18 + 2 * 6

    def listed(tokens, ways):
        """State of three sequences is left behind once, or read and written."""
        conv = tokens * size * 4, 3 * ways * size * 4, tokens * size, tokens * size
        scan = tokens * 4 * 18 * 5, 3 * ways * 18 * 5, tokens * entering, tokens * 18
        return [
            product("recurrence in", 2, tokens, 24, entering),
            mixing(*conv, repeat=2, name="conv", learned=(4 + 1) * size),
            mixing(*scan, repeat=2, name="scan"),
            product("recurrence out", 2, tokens, 18, 24),
        ]

    assert rows(model, CHUNK)[4:8] == listed(15, 1)
    assert rows(model, TOKEN)[4:8] == listed(3, 2)
    assert rows(model, TRAINED)[4:8] == listed(15, 0)
    assert [row[1] for row in rows(model, TOKEN)[1:4]] == [3, 3, 3]
    assert model.held_state(TOKEN) == 3 * (3 * 16 * 28 + 2 * (18 * 5 + size * 4)) * CACHE


def test_an_encoder_of_images():
    """Nine patches of 4 x 4 pixels become tokens, and one more is for the class."""
    model = Models.from_spec(
        {"kind": "vision_transformer", "name": "Tiny", "layers": 2, "hidden": 24, "heads": 4}
        | {"ffn": 10, "image": 12, "patch": 4, "image_channels": 3, "classes": 11}
    )
    tokens = 2 * 10
    learned = (16 * 3 + 1) * 24 * TABLE
    found = rows(model, Step(2.0, 10.0, 0.0, FORWARD, WIDTHS))
    assert found[0] == (
        *("patches", 1, 2 * 9 * 16 * 3 * 24, learned, 0),
        *(2 * 12 * 12 * 3 * VALUE, tokens * 24 * VALUE, learned + (10 + 1) * 24 * TABLE),
    )
    assert found[1] == product("qkv", 2, tokens, 24, 72, bias=1)
    assert found[2] == mixing(2 * 10 * 10 * 4 * 12, 0, tokens * 72, tokens * 24, repeat=2)
    assert found[-1] == product("classifier", 1, 2, 24, 11, bias=1, width=TABLE)
    assert model.counted_macs() == sum(row[1] * row[2] for row in found) / 2


def test_an_ear_and_a_writer():
    """Twenty frames of eight bins become ten tokens, in three layers; five layers write."""
    model = Models.from_spec(
        {**DECODER, "kind": "speech", "kv_heads": 4, "head_dim": 6}
        | {"encoder_layers": 3, "frames": 20, "bins": 8}
    )

    def crossing(tokens):
        across = tokens * 10 * 4 * 12, 3 * 10 * 48, tokens * 24, tokens * 24
        return [
            product("cross query", 5, tokens, 24, 24, bias=1),
            mixing(*across, name="cross attention"),
            product("cross out", 5, tokens, 24, 24, bias=1),
            values("norm", 5, tokens * 24, tokens * 24, held=2 * 24),
        ]

    def conv(positions, inner):
        learned = (3 * inner + 1) * 24 * TABLE
        through = positions * inner * VALUE, positions * 24 * VALUE
        return ("conv", 1, positions * 3 * inner * 24, learned, 0, *through, learned)

    heard = 3 * 10
    hearing = [
        conv(3 * 20, 8),
        conv(heard, 24),
        product("qkv", 3, heard, 24, 72, bias=1),
        mixing(3 * 10 * 10 * 4 * 12, 0, heard * 72, heard * 24, repeat=3),
        product("attention out", 3, heard, 24, 24, bias=1),
        product("ffn up", 3, heard, 24, 10, bias=1),
        values("ffn activation", 3, heard * 10, heard * 10),
        product("ffn down", 3, heard, 10, 24, bias=1),
        values("norm", 6, heard * 24, heard * 24, held=2 * 24),
        values("norm", 1, heard * 24, heard * 24, held=2 * 24),
        product("cross keys", 5, heard, 24, 48, bias=1),
    ]
    assert rows(model, CHUNK)[-15:] == [*crossing(15), *hearing]
    # a token hears nothing anew, and what hears stays on the device
    idle = [(name, many, 0, 0, 0, 0, 0, held) for name, many, *_, held in hearing]
    assert rows(model, TOKEN)[-15:] == [*crossing(3), *idle]
    assert model.held_state(TOKEN) == 3 * 5 * (16 + 10) * 48 * CACHE
    in_training = rows(model, TRAINED)[-15:]
    assert in_training[1][4] == 0  # without a cache
    assert in_training[4:] == hearing


def test_a_selective_scan():
    """Channels of two times eight keep four values each, steps have rank two, a window three."""
    model = Models.from_spec(
        {"kind": "statespace", "name": "Tiny", "layers": 3, "hidden": 8, "state": 4}
        | {"conv_kernel": 3, "dt_rank": 2, "vocab": 100, "tied_embeddings": False}
    )

    def listed(tokens, ways, predicted):
        conv = tokens * 16 * 3, 3 * ways * 16 * 3, tokens * 16, tokens * 16
        fed = 3 * 16 + 2 * 4  # values, gates and steps; what is written and read
        scan = tokens * 3 * 16 * 4, 3 * ways * 16 * 4, tokens * fed, tokens * 16
        return [
            embedding(tokens, 8, 100),
            product("in", 3, tokens, 8, 32),
            mixing(*conv, repeat=3, name="conv", learned=(3 + 1) * 16),
            product("select", 3, tokens, 16, 2 + 8),
            product("dt", 3, tokens, 2, 16, bias=1),
            mixing(*scan, repeat=3, name="scan", learned=(4 + 1) * 16),
            product("out", 3, tokens, 16, 8),
            ("norm", 4, 0, 8 * TABLE, 0, tokens * 8 * VALUE, tokens * 8 * VALUE, 8 * TABLE),
            product("head", 1, predicted, 8, 100, width=TABLE),
        ]

    assert rows(model, CHUNK) == listed(15, 1, 3)
    assert rows(model, TOKEN) == listed(3, 2, 3)
    assert rows(model, TRAINED) == listed(15, 0, 15)
    assert model.held_state(TOKEN) == 3 * 3 * 16 * (4 + 3) * CACHE
    assert rows(model.replace(tied_embeddings=True), TOKEN)[-1][-1] == 0


def test_tables_that_are_looked_up_and_crossed():
    """Two look-ups in nine rows of four, one in eight; two layers cross twelve values by rank 3."""
    spec = {
        "kind": "recommendation",
        "name": "Tiny",
        "dense_features": 3,
        "bottom": [5, 4],
        "top": [6, 1],
        "embedding_dim": 4,
        "tables": [9, 8],
        "lookups": [2, 1],
    }
    crossed = Models.from_spec({**spec, "interaction": "cross", "cross_layers": 2, "cross_rank": 3})
    step = Step(3.0, 1.0, 0.0, FORWARD, WIDTHS)

    def table(many, sought):
        # a row stays untouched when none of the batch's look-ups falls on it
        touched = many * (1 - (1 - 1 / many) ** (3 * sought)) * 4 * TABLE
        return "embedding", 1, 0, pytest.approx(touched), 0, 0, 3 * 4 * VALUE, many * 4 * TABLE

    def dense(name, inner, columns, bias=1):
        return product(name, 1, 3, inner, columns, bias=bias)

    looked, bottom = [table(9, 2), table(8, 1)], [dense("bottom", 3, 5), dense("bottom", 5, 4)]
    cross = [dense("cross down", 12, 3, bias=0), dense("cross up", 3, 12)]
    top = [dense("top", 12, 6), dense("top", 6, 1)]
    assert rows(crossed, step) == [*looked, *bottom, *cross, *cross, *top]
    # three vectors make three pairs, which the top sees beside the four dense values
    pairs = ("interaction", 1, 3 * 3 * 4, 0, 0, 3 * 12 * VALUE, 3 * 3 * VALUE, 0)
    top = [dense("top", 3 + 4, 6), dense("top", 6, 1)]
    assert rows(Models.from_spec(spec), step) == [*looked, *bottom, pairs, *top]
