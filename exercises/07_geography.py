# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Exercise 7 · Geography")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim.core.units import Q_
    from mlsysim.course.journal import Journal
    from mlsysim.learn.answers import identity, open_sheet


@app.cell(hide_code=True)
def _():
    who = identity("07_geography")
    who
    return (who,)


@app.cell(hide_code=True)
def _(who):
    student, code, journal = who.value["student"], who.value["code"], Journal().records()
    return code, journal, student


@app.cell(hide_code=True)
def _(code, student):
    sheet = open_sheet("07_geography", student, code=code, notebook=__file__)
    v = sheet.variant
    return sheet, v


@app.cell(hide_code=True)
def _(sheet):
    _v = sheet.sample
    _kw = _v.gpus * _v.kw * _v.part / 100
    _mwh = _kw * 24 * _v.days / 1e3
    _g = _v.grid.carbon_intensity.m_as("g/kWh")
    _carbon = Q_(_mwh * _v.pue * _g * 1e3, "g")
    mo.md(f"""
    ## A worked example, with other numbers

    *{_v.gpus} GPUs of {_v.kw} kW each, {_v.part} % of it drawn, for {_v.days} days; PUE {_v.pue}; the grid of {_v.grid.name}.*

    | | | |
    |:---|---:|:---|
    | power | {_kw:.1f}&nbsp;kW | {_v.gpus} × {_v.kw} × {_v.part} % |
    | energy of the servers | {_mwh:.2f}&nbsp;MWh | × 24 × {_v.days} h |
    | energy of the building | {_mwh * _v.pue:.2f}&nbsp;MWh | × {_v.pue} |
    | carbon | {_carbon.m_as("t"):.3f}&nbsp;t | × {_g:.1f} g/kWh |

    In code, a mass is `Q_(0.2, "t")`; a grid has `carbon_intensity` and `electricity_price`.
    """)
    return


@app.cell(hide_code=True)
def _(v):
    _rows = "\n".join(
        f"| {g.name} | {g.carbon_intensity.m_as('g/kWh'):,.1f}&nbsp;g/kWh | {g.electricity_price.m_as('USD/kWh'):.4f}&nbsp;USD/kWh |"
        for g in {g.name: g for g in (v.grid, v.clean, v.dirty, v.p1, v.p2, v.p3, v.p4, v.home, v.goal)}.values()
    )
    mo.md(f"""
    ## Your numbers

    | place | a kWh emits | a kWh costs |
    |:---|---:|---:|
    {_rows}

    Yearly averages, lifecycle. In code: `v.gpus`, `v.kw`, `v.part` (in %), `v.days`, `v.pue`, `v.grid`; in question 3 `v.p1` to `v.p4` and `v.cap`;
    in question 4 `v.clean`, `v.dirty`, `v.cents_clean`, `v.cents_dirty`; in question 5 `v.home`, `v.goal`, `v.building`, `v.sooner`.
    """)
    return


@app.cell
def _(sheet, v):
    _mine = None
    # answer: multiply line by line, or leave None and use the form

    q1 = sheet.ask("q1", mine=_mine)
    q1
    return (q1,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: say which line is wrong, or leave None and use the form

    q2 = sheet.ask("q2", mine=_mine)
    q2
    return (q2,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: drop what emits too much, then compare prices, or leave None and use the form

    q3 = sheet.ask("q3", mine=_mine)
    q3
    return (q3,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: divide what it costs more by what it emits less, or leave None and use the form

    q4 = sheet.ask("q4", mine=_mine)
    q4
    return (q4,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: work out what each measure saves for a GPU and day, or leave None and use the form

    q5 = sheet.ask("q5", mine=_mine)
    q5
    return (q5,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: write the function, or leave None and use the form

    q6 = sheet.ask("q6", mine=_mine)
    q6
    return (q6,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: work out both ends, or leave None and use the form

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
