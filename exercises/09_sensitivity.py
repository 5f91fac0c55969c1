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

    q1 = sheet.ask("q1", mine=_mine)
    q1
    return (q1,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: divide the crowd's bytes by the bandwidth that you built, or leave None and use the form

    q2 = sheet.ask("q2", mine=_mine)
    q2
    return (q2,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: list the changes that help, or leave None and use the form

    q3 = sheet.ask("q3", mine=_mine)
    q3
    return (q3,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: turn gains into times, or leave None and use the form

    q4 = sheet.ask("q4", mine=_mine)
    q4
    return (q4,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: choose the line, or leave None and use the form

    q5 = sheet.ask("q5", mine=_mine)
    q5
    return (q5,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: write the chip as a text, or leave None and use the form

    q6 = sheet.ask("q6", mine=_mine)
    q6
    return (q6,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: write the function as a text, or leave None and use the form

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
