# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Exercise 11 · The design space")

with app.setup(hide_code=True):
    import marimo as mo
    import numpy as np

    from mlsysim import Engine
    from mlsysim.core.search import pareto
    from mlsysim.course.journal import Journal
    from mlsysim.learn.answers import identity, open_sheet


@app.cell(hide_code=True)
def _():
    who = identity("11_design_space")
    who
    return (who,)


@app.cell(hide_code=True)
def _(who):
    student, code, journal = who.value["student"], who.value["code"], Journal().records()
    return code, journal, student


@app.cell(hide_code=True)
def _(code, student):
    sheet = open_sheet("11_design_space", student, code=code, notebook=__file__)
    v = sheet.variant
    return sheet, v


@app.cell(hide_code=True)
def _(sheet):
    _v = sheet.sample
    _points = Engine.sweep(_v.model, [_v.device, _v.other], precisions=["fp8", "int4"], batch_sizes=[16, 64], seq_lens=[_v.context], stack="ideal")
    _step, _size, _format = (_points.column(name) for name in ("latency", "batch_size", "precision"))
    _front = pareto(np.stack([_step, -_size / _step], axis=1)).tolist()
    _lines = "\n".join(
        f"| {(_v.device if n < 4 else _v.other).name} | {_format[n]} | {_size[n]:.0f} | {1e3 * _step[n]:.1f}&nbsp;ms | {_size[n] / _step[n]:,.0f} | {'yes' if n in _front else ''} |"
        for n in range(len(_step)))
    mo.md(f"""
    ## A worked example, with other numbers

    *Eight designs for {_v.model.name}, {_v.context:,} tokens a user; wanted are a short step and many tokens a second.*

    | device | format | batch | one step | tokens a second | on the front |
    |:---|:---|---:|---:|---:|:---|
    {_lines}

    A design is on the front when no other is better in both. With a limit of 10 ms, first cross out what is slower; then take the most tokens a second of the rest.
    In code: `Engine.sweep(model, devices, precisions=[...], batch_sizes=range(1, {_v.most_batch + 1}), seq_lens=[...], stack="ideal")`, and its `column("latency")`, `column("feasible")`.
    """)
    return


@app.cell(hide_code=True)
def _(v):
    def _row(name, chip):
        return f"| {name} | {chip.name} | {chip.unit_cost.m_as('USD'):,.0f}&nbsp;USD | {chip.tdp.m_as('W'):.0f}&nbsp;W | {chip.memory.capacity.m_as('B'):,.0f}&nbsp;B |"

    mo.md(f"""
    ## Your numbers

    **{v.model.name}**, users with {v.context:,} tokens each, {v.limit} ms for a step; half of the peak reached (η = 0.5), operators one after the other (`stack="ideal"`).

    | | chip | list price | board | memory |
    |:---|:---|---:|---:|---:|
    {_row("device", v.device)}
    {_row("other", v.other)}
    {_row("third", v.third)}

    In code these are `v.model`, `v.device`, `v.other`, `v.third`, `v.context`, `v.limit`, `v.users`, `v.cents`, `v.around`, `v.reserve`, `v.a_ms` to `v.f_usd`, `v.full` and `v.most`.
    """)
    return


@app.cell
def _(sheet, v):
    _mine = None
    # answer: find the largest batch, or leave None and use the form

    q1 = sheet.ask("q1", mine=_mine)
    q1
    return (q1,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: count the designs, or leave None and use the form

    q2 = sheet.ask("q2", mine=_mine)
    q2
    return (q2,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: list the designs on the front, or leave None and use the form

    q3 = sheet.ask("q3", mine=_mine)
    q3
    return (q3,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: choose the design, or leave None and use the form

    q4 = sheet.ask("q4", mine=_mine)
    q4
    return (q4,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: find the price at which the two draw level, or leave None and use the form

    q5 = sheet.ask("q5", mine=_mine)
    q5
    return (q5,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: choose the line, or leave None and use the form

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
