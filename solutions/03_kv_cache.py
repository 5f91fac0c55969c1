# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Exercise 3 · The KV cache")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import ContinuousBatchingModel
    from mlsysim.course.journal import Journal
    from mlsysim.learn.answers import identity, open_sheet


@app.cell(hide_code=True)
def _():
    who = identity("03_kv_cache")
    who
    return (who,)


@app.cell(hide_code=True)
def _(who):
    student, code, journal = who.value["student"], who.value["code"], Journal().records()
    return code, journal, student


@app.cell(hide_code=True)
def _(code, student):
    sheet = open_sheet("03_kv_cache", student, code=code, notebook=__file__)
    v = sheet.variant
    return sheet, v


@app.cell(hide_code=True)
def _(sheet):
    _v = sheet.sample
    _full = ContinuousBatchingModel().solve(_v.model, _v.device, seq_len=_v.context, max_seq_len=_v.context, page_size=1)
    mo.md(f"""
    ## A worked example, with other numbers

    *{_v.model.name} on one {_v.device.name}, users with {_v.context:,} tokens each, everything fp16, a tenth of the memory in reserve.*

    | | | |
    |:---|---:|:---|
    | one user's cache | {_full.sequence.m_as("MB"):,.0f}&nbsp;MB | 2 × {_v.model.layers} layers × {_v.model.key_heads} KV heads × {_v.model.key_dim} values × 2 B × {_v.context:,} tokens |
    | memory, less a tenth | {(_full.memory_capacity - _full.reserve).m_as("GB"):.2f}&nbsp;GB | of {_full.memory_capacity.m_as("GB"):.2f} GB |
    | weights | {_full.weights.m_as("GB"):.2f}&nbsp;GB | {_v.model.parameters / 1e9:.2f} billion × 2 B |

    What is left, divided by one user's cache: **{_full.paged_batch:.0f} users**.
    In code: `ContinuousBatchingModel().solve(model, device, seq_len={_v.context}, max_seq_len={_v.context}, page_size=1).paged_batch`.
    """)
    return


@app.cell(hide_code=True)
def _(v):
    _m = v.model
    mo.md(f"""
    ## Your numbers

    **{_m.name}**: {_m.parameters / 1e9:.2f} billion parameters, {_m.layers} layers, {_m.heads} query heads, {_m.key_heads} KV heads of {_m.key_dim} values.
    **{v.device.name}**: {v.device.memory.capacity.m_as("GB"):.2f} GB. In code these are `v.model`, `v.device`, `v.context`,
    `v.width` (bytes of a cached value; as a precision `v.precision`), `v.used` and `v.page`; in question 4 `v.large`, `v.host`, `v.bigger` and `v.cut`;
    in question 5 `v.m1` on `v.c1` to `v.m4` on `v.c4`.
    """)
    return


@app.cell(hide_code=True)
def _():
    def users(model, device, tokens, page=1, precision="fp16", cache="fp16"):
        """How many users with that many tokens fit beside the weights."""
        full = ContinuousBatchingModel().solve(
            model, device, seq_len=tokens, max_seq_len=max(4096, tokens), page_size=page, precision=precision, kv_precision=cache
        )
        return int(full.paged_batch)
    return (users,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: multiply what one token keeps by the tokens, or leave None and use the form
    _mine = v.model.kv_cache(v.context, 1, v.precision)

    q1 = sheet.ask("q1", mine=_mine)
    q1
    return (q1,)


@app.cell
def _(sheet, users, v):
    _mine = None
    # answer: divide the room by one user's cache, or leave None and use the form
    _mine = users(v.model, v.device, v.context, cache=v.precision)

    q2 = sheet.ask("q2", mine=_mine)
    q2
    return (q2,)


@app.cell
def _(sheet, users, v):
    _mine = None
    # answer: round to pages first, or leave None and use the form
    _mine = users(v.model, v.device, v.used, page=v.page)

    q3 = sheet.ask("q3", mine=_mine)
    q3
    return (q3,)


@app.cell
def _(sheet, users, v):
    _mine = None
    # answer: count the users after each change, or leave None and use the form
    _m, _d = v.large, v.host
    _after = {
        "keep the cache in 8 bits": users(_m, _d, 3600, cache="fp8"),
        "keep the weights in 4 bits": users(_m, _d, 3600, precision="int4"),
        f"replace the {_d.name} by a {v.bigger.name}": users(_m, v.bigger, 3600),
        f"make the contexts {v.cut} % shorter": users(_m, _d, 36 * (100 - v.cut)),
    }
    _mine = max(_after, key=_after.get)

    q4 = sheet.ask("q4", mine=_mine)
    q4
    return (q4,)


@app.cell
def _(sheet, users, v):
    _mine = None
    # answer: count the users of each pair, or leave None and use the form
    _pairs = [(v.m1, v.c1), (v.m2, v.c2), (v.m3, v.c3), (v.m4, v.c4)]
    _count = {f"{m.name} on one {c.name}": users(m, c, 4096) for m, c in _pairs}
    _mine = sorted(_count, key=_count.get, reverse=True)

    q5 = sheet.ask("q5", mine=_mine)
    q5
    return (q5,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: write the function, or leave None and use the form
    _mine = (
        "def users(memory, weights, tokens, shared):\n"
        f"    token = 2 * {v.model.layers} * {v.model.key_heads} * {v.model.key_dim} * {v.width}\n"
        "    room = memory - weights - shared * token\n"
        "    return max(0, int(room // ((tokens - shared) * token)))\n"
    )

    q6 = sheet.ask("q6", mine=_mine)
    q6
    return (q6,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: say which line is wrong, or leave None and use the form
    _right = {
        1: v.weights.endswith("× 2 B."),
        2: "less the weights" in v.room and "nine tenths" in v.room,
        3: "2 (key and value)" in v.token and "key_heads" in v.token,
        4: v.user.endswith("tokens."),
        5: v.count == "Users: the room ÷ one user, rounded down.",
    }
    _mine = next(f"line {n}" for n, right in _right.items() if not right)

    q7 = sheet.ask("q7", mine=_mine)
    q7
    return (q7,)


@app.cell(hide_code=True)
def _(journal, q1, q2, q3, q4, q5, q6, q7, sheet):
    document = sheet.document(journal, q1=q1, q2=q2, q3=q3, q4=q4, q5=q5, q6=q6, q7=q7)
    sheet.panel(document)
    return (document,)


if __name__ == "__main__":
    app.run()
