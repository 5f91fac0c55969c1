# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Exercise 0 · Hello, Roofline")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import Engine
    from mlsysim.course.journal import Journal
    from mlsysim.learn.answers import identity, open_sheet


@app.cell(hide_code=True)
def _():
    who = identity("00_hello_roofline")
    who
    return (who,)


@app.cell(hide_code=True)
def _(who):
    student, code, journal = who.value["student"], who.value["code"], Journal().records()
    return code, journal, student


@app.cell(hide_code=True)
def _(code, student):
    sheet = open_sheet("00_hello_roofline", student, code=code, notebook=__file__)
    v = sheet.variant
    return sheet, v


@app.cell(hide_code=True)
def _(sheet):
    _v = sheet.sample
    _p = Engine.solve(_v.model, _v.device, batch_size=_v.batch, seq_len=_v.context)
    mo.md(f"""
    ## A worked example, with other numbers

    *One decode step of {_v.model.name} on one {_v.device.name}, {_v.batch} requests with {_v.context:,} tokens each, fp16.*

    | one step | | |
    |:---|---:|:---|
    | weights read, once for the batch | {(_p.traffic - _p.kv_cache).m_as("GB"):.2f}&nbsp;GB | every weight matrix; of the embedding table only the rows looked up |
    | KV cache read | {_p.kv_cache.m_as("GB"):.2f}&nbsp;GB | keys and values of every token of every request |
    | memory roof | {_p.memory_time.m_as("ms"):.2f}&nbsp;ms | those bytes over {_p.bandwidth.m_as("GB/s"):,.0f} GB/s |
    | compute roof | {_p.compute_time.m_as("ms"):.2f}&nbsp;ms | {_p.operations.m_as("GFLOP"):,.0f} GFLOP over half of {_p.peak.m_as("TFLOP/s"):,.0f} TFLOP/s |
    | dispatch | {_p.overhead.m_as("ms"):.2f}&nbsp;ms | launching the work |

    The memory roof is the higher one, so the step takes **{_p.latency.m_as("ms"):.2f} ms** and is **{str(_p.bottleneck).lower()}-bound**.
    In code: `Engine.solve(model, device, batch_size={_v.batch}, seq_len={_v.context}).latency`.
    """)
    return


@app.cell(hide_code=True)
def _(v):
    def _row(name, device):
        return (
            f"| {name} | {device.name} | {device.peak('fp16').m_as('TFLOP/s'):,.0f}&nbsp;TFLOP/s "
            f"| {device.memory.bandwidth.m_as('TB/s'):.2f}&nbsp;TB/s | {device.memory.capacity.m_as('GB'):.2f}&nbsp;GB |"
        )

    _m = v.model
    mo.md(f"""
    ## Your numbers

    **{_m.name}**: {_m.parameters / 1e9:.2f} billion parameters in {_m.layers} layers; {_m.heads} query heads,
    {_m.key_heads} key-value heads of {_m.key_dim} values each. Everything is fp16: two bytes a number.
    Peaks are for dense matrices: no zeros are skipped.

    | | chip | fp16 peak | bandwidth | memory |
    |:---|:---|---:|---:|---:|
    {_row("device", v.device)}
    {_row("other", v.other)}

    **{v.batch} requests** with a context of **{v.context:,} tokens** each; in questions 3 to 5 many short requests
    of {v.short} tokens. Half of the peak is reached (η = 0.5), as in the lesson. In code these are `v.model`, `v.device`, `v.other`,
    `v.batch`, `v.context`, `v.crowd` and `v.short`.
    """)
    return


@app.cell
def _(sheet, v):
    _mine = None
    # answer: compute the latency of one decode step, or leave None and use the form
    _mine = Engine.solve(v.model, v.device, batch_size=v.batch, seq_len=v.context).latency

    q1 = sheet.ask("q1", mine=_mine)
    q1
    return (q1,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: compute the speed-up, or leave None and use the form
    _old = Engine.solve(v.model, v.device, batch_size=v.batch, seq_len=v.context).latency
    _new = Engine.solve(v.model, v.other, batch_size=v.batch, seq_len=v.context).latency
    _mine = _old / _new

    q2 = sheet.ask("q2", mine=_mine)
    q2
    return (q2,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: find the roof that binds, or leave None and use the form
    _mine = Engine.solve(v.model, v.device, batch_size=v.crowd, seq_len=v.short).bottleneck

    q3 = sheet.ask("q3", mine=_mine)
    q3
    return (q3,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: choose the number that is worth doubling, or leave None and use the form
    _bound = Engine.solve(v.model, v.device, batch_size=v.crowd, seq_len=v.short).bottleneck
    _mine = {"Compute": "peak FLOPS", "Memory": "bandwidth"}[_bound]

    q4 = sheet.ask("q4", mine=_mine)
    q4
    return (q4,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: find the batch at which the roofs cross, or leave None and use the form
    _batches = range(1, 2000)
    _binding = Engine.solve(v.model, v.device, batch_size=_batches, seq_len=v.short).bottleneck
    _mine = _batches[list(_binding).index("Compute")]

    q5 = sheet.ask("q5", mine=_mine)
    q5
    return (q5,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: add up the memory that question 1's step needs, or leave None and use the form
    _mine = v.model.weights("fp16") + v.model.kv_cache(v.context, v.batch, "fp16")

    q6 = sheet.ask("q6", mine=_mine)
    q6
    return (q6,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: compute how many requests fit, or leave None and use the form
    _room = v.device.memory.capacity - v.model.weights("fp16")
    _mine = int((_room / v.model.kv_cache(v.context, 1, "fp16")).m_as(""))

    q7 = sheet.ask("q7", mine=_mine)
    q7
    return (q7,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: write the chip as a text, or leave None and use the form
    _step = Engine.solve(v.model, v.device, batch_size=v.batch, seq_len=v.context)
    _mine = f"""
    release_year: 2027
    compute: {{peak_flops: {1.03 * (_step.peak * _step.compute_time / _step.memory_time).m_as("TFLOP/s"):.3f} TFLOP/s}}
    memory: {{capacity: {v.device.memory.capacity:~}, bandwidth: {v.device.memory.bandwidth:~}}}
    """

    q8 = sheet.ask("q8", mine=_mine)
    q8
    return (q8,)


@app.cell(hide_code=True)
def _(journal, q1, q2, q3, q4, q5, q6, q7, q8, sheet):
    document = sheet.document(journal, q1=q1, q2=q2, q3=q3, q4=q4, q5=q5, q6=q6, q7=q7, q8=q8)
    sheet.panel(document)
    return (document,)


if __name__ == "__main__":
    app.run()
