# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Exercise 13 · The differential explainer")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import Q_, Engine
    from mlsysim.course.journal import Journal
    from mlsysim.engine.explain import explain
    from mlsysim.learn.answers import identity, open_sheet


@app.cell(hide_code=True)
def _():
    who = identity("13_differential_explainer")
    who
    return (who,)


@app.cell(hide_code=True)
def _(who):
    student, code, journal = who.value["student"], who.value["code"], Journal().records()
    return code, journal, student


@app.cell(hide_code=True)
def _(code, student):
    sheet = open_sheet("13_differential_explainer", student, code=code, notebook=__file__)
    v = sheet.variant
    return sheet, v


@app.cell(hide_code=True)
def _(sheet):
    _v = sheet.sample
    _old, _new = (Engine.solve(_v.model, chip, batch_size=_v.batch, seq_len=_v.context, efficiency=_v.eta) for chip in (_v.old, _v.new))
    mo.md(f"""
    ## A worked example, with other numbers

    *A decode step of {_v.model.name}, {_v.batch} users with {_v.context} tokens each, fp16, η = {_v.eta}: from {_v.old.name} to {_v.new.name}.*

    | | {_v.old.name} | {_v.new.name} |
    |:---|---:|---:|
    | bytes | {_old.memory_time.m_as("ms"):.2f}&nbsp;ms | {_new.memory_time.m_as("ms"):.2f}&nbsp;ms |
    | arithmetic | {_old.compute_time.m_as("ms"):.2f}&nbsp;ms | {_new.compute_time.m_as("ms"):.2f}&nbsp;ms |
    | the step waits for | {str(_old.bottleneck).lower()} | {str(_new.bottleneck).lower()} |
    | the step | {_old.latency.m_as("ms"):.2f}&nbsp;ms | {_new.latency.m_as("ms"):.2f}&nbsp;ms |

    So it is {(_old.latency / _new.latency).m_as(""):.2f} times as fast. In code: `Engine.solve(...)` on both, or `explain(before, after)`, which says:
    {explain(_old, _new, names=(_v.old.name, _v.new.name))}
    """)
    return


@app.cell(hide_code=True)
def _(v):
    def _row(name, chip):
        _s = chip.supply("fp16")
        return f"| {name} | {chip.name} | {_s.peak / 1e12:,.2f}&nbsp;TFLOP/s | {_s.bandwidth / 1e12:.3f}&nbsp;TB/s | {_s.capacity:.6g}&nbsp;B | {_s.overhead * 1e6:.0f}&nbsp;us |"

    mo.md(f"""
    ## Your numbers

    **{v.model.name}**: {v.model.parameters / 1e9:.2f} billion parameters in {v.model.layers} layers; {v.model.key_heads} key-value heads of {v.model.key_dim} values each.

    | | chip | peak, fp16 | bandwidth | memory | launch |
    |:---|:---|---:|---:|---:|---:|
    {_row("old", v.old)}
    {_row("new", v.new)}

    In code these are `v.model`, `v.old`, `v.new`, `v.batch`, `v.context`, `v.eta`, `v.ta`, `v.tb`, `v.wide`, `v.quick`, `v.phase`, `v.users`, `v.tokens`, `v.want`, `v.factor_b` and `v.factor_f`.
    """)
    return


@app.cell
def _(sheet, v):
    _mine = None
    # answer: find the gain, or leave None and use the form

    q1 = sheet.ask("q1", mine=_mine)
    q1
    return (q1,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: name both roofs, or leave None and use the form

    q2 = sheet.ask("q2", mine=_mine)
    q2
    return (q2,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: scale both clocks to chip C, or leave None and use the form

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
    # answer: order the services, or leave None and use the form

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
