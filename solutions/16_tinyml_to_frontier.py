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
    _mine = Engine.solve(v.model, v.board, precision="int8", efficiency=v.eta).energy

    q1 = sheet.ask("q1", mine=_mine)
    q1
    return (q1,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: compare the energies, or leave None and use the form
    _small = Engine.solve(v.model, v.board, precision="int8", efficiency=v.eta).energy
    _mine = (Engine.solve(v.model, v.big, precision="int8", efficiency=v.eta, batch_size=v.share).energy / v.share / _small).m_as("")

    q2 = sheet.ask("q2", mine=_mine)
    q2
    return (q2,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: name the part that is largest, or leave None and use the form
    _p = Engine.solve(v.model, v.chip, precision="int8", efficiency=v.eta)
    _work = "bytes" if _p.memory_time > _p.compute_time else "arithmetic"
    _parts = {
        "launch": _p.power * _p.overhead, _work: _p.power * max(_p.memory_time, _p.compute_time),
        "sleep": v.chip.sleep_power * (Q_(v.pause, "s") - _p.latency)}
    _mine = max(_parts, key=lambda name: _parts[name].m_as("J"))

    q3 = sheet.ask("q3", mine=_mine)
    q3
    return (q3,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: work out both ends, or leave None and use the form
    def _life(eta):
        _p = Engine.solve(v.model, v.chip, precision="int8", efficiency=eta)
        _mean = (_p.energy + v.chip.sleep_power * (Q_(v.pause, "s") - _p.latency)) / Q_(v.pause, "s")
        return (Q_(v.cell, "Wh") / _mean).to("day")
    _mine = _life(v.low), _life(v.high)

    q4 = sheet.ask("q4", mine=_mine)
    q4
    return (q4,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: order the devices, or leave None and use the form
    _mine = sorted("abcd", key=lambda name: v[f"{name}_mw"] * v[f"{name}_ms"])

    q5 = sheet.ask("q5", mine=_mine)
    q5
    return (q5,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: write the doorbell as a text, or leave None and use the form
    def _need(name):
        _p = Engine.solve("PersonDetection", name, precision="int8", efficiency=0.3)
        _pause = Q_(3600 / v.rate, "s")
        _mean = (_p.energy + Hardware[name].sleep_power * (_pause - _p.latency)) / _pause
        return _p.latency.m_as("ms") > v.deadline, (_mean * Q_(365, "day")).m_as("Wh"), name
    _, _battery, _name = min(_need(name) for name in ("ESP32_S3", "STM32L4R5ZI", "nRF52840"))
    _mine = f"""
    question: which doorbell?
    workload: {{phase: forward, model: PersonDetection, precision: int8, efficiency: 0.3, arrival_rate_qps: {v.rate} 1/hour}}
    fleet: {{hardware: {_name}}}
    environment: {{battery: {1.02 * _battery:.5f} Wh}}
    """

    q6 = sheet.ask("q6", mine=_mine)
    q6
    return (q6,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: write the function as a text, or leave None and use the form
    _mine = f"""
    def days(operations, pause, battery):
        time = operations / ({v.eta} * {v.chip.peak("int8").m_as("FLOP/s")!r}) + {v.chip.dispatch_tax.m_as("s")!r}
        if time > pause:
            return 0
        joules = {v.chip.tdp.m_as("W")!r} * time + {v.chip.sleep_power.m_as("W")!r} * (pause - time)
        return battery * 3600 / joules * pause / 86400
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
