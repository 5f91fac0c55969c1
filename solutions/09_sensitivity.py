# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Exercise 9 · Where to invest")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import Q_, Engine, SynthesisSolver
    from mlsysim.course.journal import Journal
    from mlsysim.learn.answers import identity, open_sheet


@app.cell(hide_code=True)
def _():
    who = identity("09_sensitivity")
    who
    return (who,)


@app.cell(hide_code=True)
def _(who):
    student, code, journal = who.value["student"], who.value["code"], Journal().records()
    return code, journal, student


@app.cell(hide_code=True)
def _(code, student):
    sheet = open_sheet("09_sensitivity", student, code=code, notebook=__file__)
    v = sheet.variant
    return sheet, v


@app.cell(hide_code=True)
def _(sheet):
    _v = sheet.sample
    _s = SynthesisSolver().solve(_v.model, Q_(_v.late, "ms"), batch_size=_v.batch, seq_len=_v.context)
    _back = Engine.solve(_v.model, _s.device("drawn", 2027), batch_size=_v.batch, seq_len=_v.context)
    mo.md(f"""
    ## A worked example, with other numbers

    *The least chip that writes a token of {_v.model.name} every {_v.late} ms for {_v.batch} users with {_v.context:,} tokens each; fp16, half of the peak reached.*

    | needed | | |
    |:---|---:|:---|
    | bandwidth | {_s.required_bw.m_as("TB/s"):.2f}&nbsp;TB/s | {_s.traffic.m_as("GB"):.1f} GB ÷ {_v.late} ms: the weights once, the cache of each user |
    | peak | {_s.required_flops.m_as("TFLOP/s"):.1f}&nbsp;TFLOP/s | {_s.operations.m_as("GFLOP"):,.0f} GFLOP ÷ {_v.late} ms ÷ 0.5 |
    | capacity | {_s.required_capacity.m_as("GB"):.1f}&nbsp;GB | weights, caches, and what a step passes on |

    The way back closes: on this chip the step takes {_back.latency.m_as("ms"):.2f} ms. In code: `SynthesisSolver().solve(model, Q_({_v.late}, "ms"), batch_size={_v.batch}, seq_len={_v.context})`.
    """)
    return


@app.cell(hide_code=True)
def _(v):
    mo.md(f"""
    ## Your numbers

    **{v.model.name}**: {v.model.parameters / 1e9:.2f} billion parameters in {v.model.layers} layers; {v.model.key_heads} key-value heads of {v.model.key_dim} values each; fp16.

    **{v.device.name}**: {v.device.peak("fp16").m_as("TFLOP/s"):,.1f} TFLOP/s in fp16, {v.device.memory.bandwidth.m_as("TB/s"):.3f} TB/s, {v.device.memory.capacity.m_as("GB"):.1f} GB.

    In code these are `v.model`, `v.device`, `v.late` (ms), `v.batch`, `v.context`, `v.crowd`, `v.longer`, `v.eta`, `v.ratio` and `v.gain`.
    """)
    return


@app.cell
def _(sheet, v):
    _mine = None
    # answer: find the least bandwidth, or leave None and use the form
    _mine = SynthesisSolver().solve(v.model, Q_(v.late, "ms"), batch_size=v.batch, seq_len=v.context).required_bw

    q1 = sheet.ask("q1", mine=_mine)
    q1
    return (q1,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: divide the crowd's bytes by the bandwidth that you built, or leave None and use the form
    _built = SynthesisSolver().solve(v.model, Q_(v.late, "ms"), batch_size=v.batch, seq_len=v.context)
    _crowd = SynthesisSolver().solve(v.model, Q_(v.late, "ms"), batch_size=v.crowd, seq_len=v.longer)
    _mine = (_crowd.traffic / _built.required_bw).to("ms")

    q2 = sheet.ask("q2", mine=_mine)
    q2
    return (q2,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: list the changes that help, or leave None and use the form
    def _time(chip=v.device, tokens=v.tokens):
        return Engine.solve(v.model, chip, batch_size=v.users, seq_len=tokens, phase=v.phase, stack="ideal").latency
    _core, _memory = v.device.compute, v.device.memory
    _flops = _core.replace(peak_flops=_core.peak_flops * 2, precision={name: peak * 2 for name, peak in _core.precision.items()})
    _times = {
        "twice the FLOPS": _time(v.device.replace(compute=_flops)),
        "twice the bandwidth": _time(v.device.replace(memory=_memory.replace(bandwidth=_memory.bandwidth * 2))),
        "half the tokens": _time(tokens=v.tokens // 2),
        "half the dispatch": _time(v.device.replace(dispatch_tax=v.device.dispatch_tax / 2)),
    }
    _mine = [name for name, time in _times.items() if time < 0.99 * _time()]

    q3 = sheet.ask("q3", mine=_mine)
    q3
    return (q3,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: turn gains into times, or leave None and use the form
    _mine = (1 - 1 / v.gain) / (1 - 1 / v.ratio)

    q4 = sheet.ask("q4", mine=_mine)
    q4
    return (q4,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: choose the line, or leave None and use the form
    _all = "the weights and the caches of all users"
    _right = [_all, "÷ deadline", "× the users", "÷ deadline ÷ η", _all]
    _mine = next(f"line {n}" for n, right in enumerate(_right, start=1) if v[f"line_{n}"] != right)

    q5 = sheet.ask("q5", mine=_mine)
    q5
    return (q5,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: write the chip as a text, or leave None and use the form
    _need = SynthesisSolver().solve(v.model, Q_(v.late, "ms"), batch_size=v.batch, seq_len=v.context)
    _mine = f"""
    release_year: 2027
    compute: {{peak_flops: {1.03 * _need.required_flops.m_as("TFLOP/s"):.3f} TFLOP/s}}
    memory: {{capacity: {1.03 * _need.required_capacity.m_as("GB"):.3f} GB, bandwidth: {1.03 * _need.required_bw.m_as("GB/s"):.2f} GB/s}}
    """

    q6 = sheet.ask("q6", mine=_mine)
    q6
    return (q6,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: write the function as a text, or leave None and use the form
    _mine = f"""
    def memory_share(weight_bytes, weight_flop, cache_bytes, cache_flop):
        peak, bandwidth = {v.eta * v.device.peak("fp16").m_as("FLOP/s")!r}, {v.device.memory.bandwidth.m_as("B/s")!r}
        parts = [(weight_bytes / bandwidth, weight_flop / peak), (cache_bytes / bandwidth, cache_flop / peak)]
        whole = sum(max(part) for part in parts)
        return sum(memory for memory, work in parts if memory > work) / whole if whole else 0.0
    """

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
