# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Exercise 16 · From TinyML to the frontier")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import Q_, Engine, Hardware
    from mlsysim.course.journal import Journal
    from mlsysim.learn.answers import identity, open_sheet


@app.cell(hide_code=True)
def _():
    who = identity("16_tinyml_to_frontier")
    who
    return (who,)


@app.cell(hide_code=True)
def _(who):
    student, code, journal = who.value["student"], who.value["code"], Journal().records()
    return code, journal, student


@app.cell(hide_code=True)
def _(code, student):
    sheet = open_sheet("16_tinyml_to_frontier", student, code=code, notebook=__file__)
    v = sheet.variant
    return sheet, v


@app.cell(hide_code=True)
def _(sheet):
    _v = sheet.sample
    _p = Engine.solve(_v.model, _v.board, precision="int8", efficiency=_v.eta)
    _big = Engine.solve(_v.model, _v.big, precision="int8", efficiency=_v.eta, batch_size=_v.share)
    _sleep = _v.board.sleep_power * (Q_(_v.pause, "s") - _p.latency)
    _life = Q_(_v.cell, "Wh") / ((_p.energy + _sleep) / Q_(_v.pause, "s"))
    mo.md(f"""
    ## A worked example, with other numbers

    *{_v.model.name} in int8 on the {_v.board.name}, η = {_v.eta}, a look every {_v.pause} s on {_v.cell} Wh.*

    | | | |
    |:---|---:|:---|
    | a look | {_p.latency.m_as("ms"):.1f}&nbsp;ms | {_p.operations.m_as("MFLOP"):.2f} million operations ÷ ({_v.eta} × {_p.peak.m_as("GFLOP/s"):.3f} billion a second), and {_p.overhead.m_as("ms"):.0f} ms to start |
    | its energy | {_p.energy.m_as("mJ"):.3f}&nbsp;mJ | × {_p.power.m_as("mW"):.1f} mW |
    | sleep after it | {_sleep.m_as("mJ"):.3f}&nbsp;mJ | {_v.board.sleep_power.m_as("uW"):.2f} uW for the rest of {_v.pause} s |
    | the battery lasts | {_life.m_as("day"):.0f}&nbsp;days | {_v.cell} Wh ÷ their sum, every {_v.pause} s |
    | {_v.share} share a {_v.big.name} | {_big.energy.m_as("mJ") / _v.share:.3f}&nbsp;mJ | of one answer, with one launch for all |

    In code: `Engine.solve(model, chip, precision="int8", efficiency={_v.eta}).energy`.
    """)
    return


@app.cell(hide_code=True)
def _(v):
    _boards = ["ESP32_S3", "STM32L4R5ZI", "STM32U575", "nRF52840"]
    def _row(chip):
        _sleep = "not known" if chip.sleep_power is None else f"{chip.sleep_power.m_as('uW'):.2f}&nbsp;uW"
        return f"| {chip.name} | {chip.peak('int8').m_as('GFLOP/s'):.6g} billion/s | {chip.tdp.m_as('mW'):.6g}&nbsp;mW | {_sleep} | {chip.dispatch_tax.m_as('us'):.0f}&nbsp;us |"

    _rows = "\n".join(_row(chip) for chip in [*(Hardware[name] for name in _boards), v.big])
    _look = Engine.solve(v.model, v.board, precision="int8", efficiency=v.eta)
    mo.md(f"""
    ## Your numbers

    **{v.model.name}**: {_look.operations.m_as("MFLOP"):.4g} million operations an answer, {_look.weights.m_as("kB"):.4g} kB of weights in int8. Your board is the **{v.board.name}**, your device that sleeps has the **{v.chip.name}**.

    | chip | peak, int8 | power awake | power asleep | launch |
    |:---|---:|---:|---:|---:|
    {_rows}

    In code these are `v.model`, `v.board`, `v.chip`, `v.big`, `v.eta`, `v.share`, `v.pause` (s), `v.cell` (Wh), `v.low`, `v.high`, `v.rate` (an hour), `v.deadline` (ms) and `v.a_mw` to `v.d_ms`.
    """)
    return


@app.cell
def _(sheet, v):
    _mine = None
    # answer: find the energy, or leave None and use the form

    q1 = sheet.ask("q1", mine=_mine)
    q1
    return (q1,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: compare the energies, or leave None and use the form

    q2 = sheet.ask("q2", mine=_mine)
    q2
    return (q2,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: name the part that is largest, or leave None and use the form

    q3 = sheet.ask("q3", mine=_mine)
    q3
    return (q3,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: work out both ends, or leave None and use the form

    q4 = sheet.ask("q4", mine=_mine)
    q4
    return (q4,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: order the devices, or leave None and use the form

    q5 = sheet.ask("q5", mine=_mine)
    q5
    return (q5,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: write the doorbell as a text, or leave None and use the form

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
