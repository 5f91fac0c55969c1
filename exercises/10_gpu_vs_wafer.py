# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Exercise 10 · GPU or wafer")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import Q_, Engine, Hardware, WeightStreamingModel
    from mlsysim.course.journal import Journal
    from mlsysim.learn.answers import identity, open_sheet


@app.cell(hide_code=True)
def _():
    who = identity("10_gpu_vs_wafer")
    who
    return (who,)


@app.cell(hide_code=True)
def _(who):
    student, code, journal = who.value["student"], who.value["code"], Journal().records()
    return code, journal, student


@app.cell(hide_code=True)
def _(code, student):
    sheet = open_sheet("10_gpu_vs_wafer", student, code=code, notebook=__file__)
    v = sheet.variant
    return sheet, v


@app.cell(hide_code=True)
def _(sheet):
    _v = sheet.sample
    _chip = Hardware.CS3
    _wafer = _chip.replace(
        memory=_chip.memory.replace(capacity=Q_(_v.sram, "GB")), host_link=_chip.host_link.replace(bandwidth=Q_(_v.link, "Tbit/s")))
    _s = WeightStreamingModel().solve(_v.model, _wafer, seq_len=1024)
    _in = Engine.solve(_v.model, Hardware.H100, seq_len=1024)
    mo.md(f"""
    ## A worked example, with other numbers

    *{_v.model.name}, {_v.width} bytes a weight, through a wafer with {_v.sram} GB of memory and {_v.link} Tb/s of I/O.*

    | a token of one user | | |
    |:---|---:|:---|
    | weights that come in | {_s.streamed.m_as("GB"):.1f}&nbsp;GB | all of them, each time |
    | the link | {_s.injection_bandwidth.m_as("GB/s"):.1f}&nbsp;GB/s | {_v.link} Tb/s are bits: ÷ 8 |
    | way in | {_s.injection_time.m_as("s"):.2f}&nbsp;s | one over the other |
    | arithmetic | {_s.compute_time.m_as("ms"):.3f}&nbsp;ms | goes on at the same time |

    The token takes {_s.latency.m_as("s"):.2f} s. On one H100, where the model fits, it takes {_in.latency.m_as("ms"):.0f} ms.
    In code: `WeightStreamingModel().solve(model, wafer, seq_len=1024)`, with `wafer` a chip whose `host_link` is replaced.
    """)
    return


@app.cell(hide_code=True)
def _(v):
    _machines = ["L40S", "A100", "H200", "MI300X", "B300", "CS3"]
    _rows = "\n".join(f"| {Hardware[name].name} | {Hardware[name].memory.capacity.m_as('GB'):.1f}&nbsp;GB |" for name in _machines)
    mo.md(f"""
    ## Your numbers

    **{v.model.name}**: {v.model.parameters / 1e9:.1f} billion parameters, {v.model.layers} layers, {v.model.heads} query heads and {v.model.key_heads} key-value heads of {v.model.key_dim} values. **{v.small.name}**: {v.small.parameters / 1e9:.2f} billion, {v.small.layers} layers, {v.small.key_heads} key-value heads of {v.small.key_dim}.

    Your wafer: {v.sram} GB at {v.fast} PB/s, I/O {v.link} Tb/s.

    | machine | memory |
    |:---|---:|
    {_rows}

    In code these are `v.model`, `v.precision`, `v.width`, `v.link` (Tb/s), `v.sram` (GB), `v.fast` (PB/s), `v.users`, `v.small`, `v.crowd`, `v.context` and `v.late` (s).
    """)
    return


@app.cell
def _(sheet, v):
    _mine = None
    # answer: time a token through the link, or leave None and use the form

    q1 = sheet.ask("q1", mine=_mine)
    q1
    return (q1,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: find the longest context, or leave None and use the form

    q2 = sheet.ask("q2", mine=_mine)
    q2
    return (q2,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: list the machines that hold all, or leave None and use the form

    q3 = sheet.ask("q3", mine=_mine)
    q3
    return (q3,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: choose the line, or leave None and use the form

    q4 = sheet.ask("q4", mine=_mine)
    q4
    return (q4,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: write the function as a text, or leave None and use the form

    q5 = sheet.ask("q5", mine=_mine)
    q5
    return (q5,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: write the wafer as a text, or leave None and use the form

    q6 = sheet.ask("q6", mine=_mine)
    q6
    return (q6,)


@app.cell(hide_code=True)
def _(journal, q1, q2, q3, q4, q5, q6, sheet):
    document = sheet.document(journal, q1=q1, q2=q2, q3=q3, q4=q4, q5=q5, q6=q6)
    sheet.panel(document)
    return (document,)


if __name__ == "__main__":
    app.run()
