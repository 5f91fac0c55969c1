# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Exercise 5 · Quantization")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import CompressionModel, Hardware, Models
    from mlsysim.core.units import Q_
    from mlsysim.course.journal import Journal
    from mlsysim.learn.answers import identity, open_sheet


@app.cell(hide_code=True)
def _():
    who = identity("05_quantization")
    who
    return (who,)


@app.cell(hide_code=True)
def _(who):
    student, code, journal = who.value["student"], who.value["code"], Journal().records()
    return code, journal, student


@app.cell(hide_code=True)
def _(code, student):
    sheet = open_sheet("05_quantization", student, code=code, notebook=__file__)
    v = sheet.variant
    return sheet, v


@app.cell(hide_code=True)
def _(sheet):
    _v = sheet.sample
    _m, _ends = _v.model, 2 * _v.model.vocab * _v.model.hidden
    _each = _v.bits + 16 / _v.group
    _file = Q_((_m.parameters - _ends) * _each / 8 + _ends * 2, "B")
    _cache = _m.kv_cache(_v.context, 1, "fp16")
    _unread = Q_(_ends, "B")
    _before, _after = Q_(_m.parameters * 2, "B") - _unread + _cache, _file - _unread + _cache
    mo.md(f"""
    ## A worked example, with other numbers

    *{_m.name} with {_v.bits} bits a weight, a 16-bit scale for each {_v.group}; table of words and last layer stay at 16 bits. One user with {_v.context} tokens.*

    | | | |
    |:---|---:|:---|
    | a weight of the layers | {_each:.3f}&nbsp;bits | {_v.bits} + 16 ÷ {_v.group} |
    | the file | {_file.m_as("GB"):.2f}&nbsp;GB | {(_m.parameters - _ends) / 1e9:.2f} billion × {_each:.3f} ÷ 8, and {_ends / 1e9:.2f} billion × 2 B |
    | read a step, before | {_before.m_as("GB"):.2f}&nbsp;GB | all at 16 bits but the table of words ({_unread.m_as("GB"):.2f} GB), and the cache ({_cache.m_as("GB"):.2f} GB) |
    | read a step, after | {_after.m_as("GB"):.2f}&nbsp;GB | the file but the table of words, and the same cache |

    So a token comes **{(_before / _after).m_as(""):.2f} times** as fast.
    In code: `CompressionModel().solve(model, chip, precision="int4", kv_precision="fp16", batch_size=1, seq_len={_v.context}).latency`; a quantity of your own is `Q_(3.5, "GB")`.
    """)
    return


@app.cell(hide_code=True)
def _(v):
    _m, _d = v.model, v.device
    mo.md(f"""
    ## Your numbers

    **{_m.name}**: {_m.parameters / 1e9:.3f} billion parameters, vocabulary {_m.vocab:,}, hidden size {_m.hidden:,}, {_m.layers} layers, {_m.key_heads} KV heads of {_m.key_dim} values.
    **{_d.name}**: {_d.peak("fp16").m_as("TFLOP/s"):,.0f} TFLOP/s in 16 bits, {_d.memory.bandwidth.m_as("TB/s"):.3f} TB/s.

    In code these are `v.model`, `v.device`, `v.bits`, `v.group`, `v.context`, `v.cache_bits`; in question 3 `v.t1`, `v.g1`, `v.t2`, `v.g2`, `v.g3`;
    in questions 4 and 5 `v.chip`, `v.users`, `v.tokens`, `v.scheme`, and `v.b1`, `v.n1` to `v.b4`, `v.n4`.
    """)
    return


@app.cell(hide_code=True)
def _():
    kept = {
        "weights in 4 bits": ("int4", "fp16"),
        "weights and arithmetic in 8 bits": ("fp8", "fp16"),
        "a cache in 8 bits": ("fp16", "fp8"),
        "twice the memory": ("fp16", "fp16"),
    }

    def step(change, users, tokens, chip=Hardware.Cloud.H100):
        """A step of Llama 3 8B after a change."""
        weights, cache = kept[change]
        llama = Models.Language.Llama3_8B
        return CompressionModel().solve(llama, chip, precision=weights, kv_precision=cache, batch_size=users, seq_len=tokens).latency
    return kept, step


@app.cell
def _(sheet, v):
    _mine = None
    # answer: add up layers, scales and wide ends, or leave None and use the form
    _ends = 2 * v.model.vocab * v.model.hidden
    _mine = Q_((v.model.parameters - _ends) * (v.bits + 16 / v.group) / 8 + _ends * 2, "B")

    q1 = sheet.ask("q1", mine=_mine)
    q1
    return (q1,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: divide the bytes before by those after, or leave None and use the form
    _ends = 2 * v.model.vocab * v.model.hidden
    _layers = v.model.parameters - _ends
    _cache = v.model.kv_cache(v.context, 1, "fp16").m_as("B")
    _mine = (_layers * 2 + _ends + _cache) / (_layers * (v.bits + 16 / v.group) / 8 + _ends + _cache)

    q2 = sheet.ask("q2", mine=_mine)
    q2
    return (q2,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: draw a line through both points, or leave None and use the form
    _slope = (v.t1 - v.t2) / (v.g1 - v.g2)
    _mine = Q_(v.t2 - _slope * (v.g2 - v.g3), "ms")

    q3 = sheet.ask("q3", mine=_mine)
    q3
    return (q3,)


@app.cell
def _(kept, sheet, step, v):
    _mine = None
    # answer: try each change, or leave None and use the form
    _mine = min(kept, key=lambda change: step(change, v.users, v.tokens, v.chip))

    q4 = sheet.ask("q4", mine=_mine)
    q4
    return (q4,)


@app.cell
def _(sheet, step, v):
    _mine = None
    # answer: work out the gain of each load, or leave None and use the form
    _wide = "twice the memory"
    _loads = [(v[f"b{n}"], v[f"n{n}"]) for n in range(1, 5)]
    _gain = {f"{b} × {n:,} tokens": step(_wide, b, n) / step(v.scheme, b, n) for b, n in _loads}
    _mine = sorted(_gain, key=_gain.get, reverse=True)

    q5 = sheet.ask("q5", mine=_mine)
    q5
    return (q5,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: write the function, or leave None and use the form
    _peak, _band = v.device.peak("fp16").m_as("FLOP/s"), v.device.memory.bandwidth.m_as("B/s")
    _mine = (
        "def step(bits, batch, context):\n"
        f"    weights = {v.model.parameters} * bits / 8 / {_band}\n"
        f"    arithmetic = 2 * {v.model.parameters} * batch / (0.5 * {_peak})\n"
        f"    token = 2 * {v.model.layers} * {v.model.key_heads} * {v.model.key_dim} * {v.cache_bits} / 8\n"
        f"    return max(weights, arithmetic) + batch * context * token / {_band}\n"
    )

    q6 = sheet.ask("q6", mine=_mine)
    q6
    return (q6,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: say which line is wrong, or leave None and use the form
    _right = {
        1: v.narrow.endswith("for each group of 128."),
        2: v.table.endswith("16 bits, as before."),
        3: v.state.endswith("16 bits a value, as before."),
        4: "16-bit peak, for" in v.datapath,
        5: "bytes of a step" in v.gain,
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
