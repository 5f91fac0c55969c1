# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Exercise 12 · Full-stack audit")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import DistributedModel, Fleet, Hardware, Infrastructure, ReliabilityModel, Systems
    from mlsysim.core.units import Q_
    from mlsysim.course.journal import Journal
    from mlsysim.learn.answers import identity, open_sheet


@app.cell(hide_code=True)
def _():
    who = identity("12_full_stack_audit")
    who
    return (who,)


@app.cell(hide_code=True)
def _(who):
    student, code, journal = who.value["student"], who.value["code"], Journal().records()
    return code, journal, student


@app.cell(hide_code=True)
def _(code, student):
    sheet = open_sheet("12_full_stack_audit", student, code=code, notebook=__file__)
    v = sheet.variant
    return sheet, v


@app.cell(hide_code=True)
def _(sheet):
    _v = sheet.sample
    _rate = Q_(_v.gpus * _v.device.peak("fp16").m_as("FLOP/s") * _v.mfu / 100, "FLOP/s")
    _work = Q_(6 * _v.model.parameters * _v.tokens * 1e12, "FLOP")
    _days = (_work / _rate).to("day") / (_v.goodput / 100)
    _grams = _days.m_as("hour") * _v.gpus * _v.kw * _v.pue * _v.grid.carbon_intensity.m_as("g/kWh")
    mo.md(f"""
    ## A worked example, with other numbers

    *{_v.model.name}, {_v.tokens} trillion tokens, {_v.gpus} × {_v.device.name}, MFU {_v.mfu} %, {_v.goodput} % of the time not lost.*

    | | | |
    |:---|---:|:---|
    | operations | {_work.m_as("FLOP"):.3g} | 6 × {_v.model.parameters / 1e9:.2f} billion × {_v.tokens} trillion |
    | a second | {_rate.m_as("FLOP/s"):.3g} | {_v.gpus} × {_v.device.peak("fp16").m_as("TFLOP/s"):,.1f} TFLOP/s × {_v.mfu} % |
    | days | {_days.m_as("day"):.2f} | the one over the other, ÷ 86,400, ÷ {_v.goodput / 100} |
    | dollars | {_days.m_as("hour") * _v.gpus * _v.price:,.0f} | {_v.gpus} × 24 × days × {_v.price} |
    | tonnes | {_grams / 1e6:.2f} | {_v.gpus} × {_v.kw} kW × 24 × days × {_v.pue} × {_v.grid.carbon_intensity.m_as("g/kWh"):.1f} g ÷ 1,000,000 |

    In code a quantity is `Q_(12.5, "day")`, `Q_(1e6, "USD")` or `Q_(20, "t")`.
    """)
    return


@app.cell(hide_code=True)
def _(v):
    _kinds = [(v.f1, "A100"), (v.f2, "H100"), (v.f3, "H200"), (v.f4, "B200")]
    _rows = "\n".join(
        f"| {n:,} × {name} | {Hardware[name].peak('fp16').m_as('TFLOP/s'):,.0f}&nbsp;TFLOP/s | {Infrastructure.Prices[name + '_cloud'].hourly.m_as('USD/hour'):.2f}&nbsp;USD/h |"
        for n, name in _kinds
    )
    mo.md(f"""
    ## Your numbers

    **{v.model.name}**: {v.model.parameters / 1e9:.3f} billion parameters. **{v.device.name}**: {v.device.peak("fp16").m_as("TFLOP/s"):,.1f} TFLOP/s in 16 bits.
    **{v.grid.name}**: {v.grid.carbon_intensity.m_as("g/kWh"):,.1f} g CO2 a kWh. In code these are `v.model`, `v.device`, `v.grid`, `v.gpus`, `v.tokens`,
    `v.mfu`, `v.goodput` (both in %), `v.price`, `v.kw`, `v.pue`; in question 4 `v.large`, `v.size`, `v.tensor`, `v.stages`, `v.between`; in question 6 `v.stop` and `v.lost`.

    Question 5:

    | fleet | a GPU's peak | a GPU-hour |
    |:---|---:|---:|
    {_rows}
    """)
    return


@app.cell(hide_code=True)
def _(v):
    fleet = Fleet(name="mine", node=Systems.Nodes.DGX_H100, count=v.size // 8, fabric=Systems.Fabrics.InfiniBand_NDR)
    step = DistributedModel().solve(
        v.large, fleet=fleet, batch_size=1024, seq_len=4096, tensor_parallel=v.tensor, pipeline_parallel=v.stages,
        microbatch=1, zero_stage=1, sequence_parallel=True, recompute="selective", overlap=0,
    )
    stops = ReliabilityModel().solve(fleet, mtbf=f"{v.between / v.size} hour", checkpoint_time="60 s", restart_time="600 s")
    return step, stops


@app.cell
def _(sheet, v):
    _mine = None
    # answer: divide operations by what is done a second, or leave None and use the form
    _rate = v.gpus * v.device.peak("fp16").m_as("FLOP/s") * v.mfu / 100
    _days = 6 * v.model.parameters * v.tokens * 1e12 / _rate / 86400 / (v.goodput / 100)
    _mine = Q_(_days, "day")

    q1 = sheet.ask("q1", mine=_mine)
    q1
    return (q1,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: multiply GPUs, hours and price, or leave None and use the form
    _rate = v.gpus * v.device.peak("fp16").m_as("FLOP/s") * v.mfu / 100
    _hours = 6 * v.model.parameters * v.tokens * 1e12 / _rate / 3600 / (v.goodput / 100)
    _mine = Q_(v.gpus * _hours * v.price, "USD")

    q2 = sheet.ask("q2", mine=_mine)
    q2
    return (q2,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: multiply kilowatts, hours, PUE and what the grid emits, or leave None and use the form
    _rate = v.gpus * v.device.peak("fp16").m_as("FLOP/s") * v.mfu / 100
    _hours = 6 * v.model.parameters * v.tokens * 1e12 / _rate / 3600 / (v.goodput / 100)
    _mine = Q_(v.gpus * v.kw * _hours * v.pue * v.grid.carbon_intensity.m_as("g/kWh"), "g")

    q3 = sheet.ask("q3", mine=_mine)
    q3
    return (q3,)


@app.cell
def _(sheet, step, stops):
    _mine = None
    # answer: compare the shares (see `step` and `stops` above), or leave None and use the form
    _share = {
        "exchange inside a layer": step.si("tensor_time") / step.si("step_time"),
        "waiting of stages": step.si("bubble_time") / step.si("step_time"),
        "exchange of gradients": step.si("exposed_data_time") / step.si("step_time"),
        "failures and checkpoints": stops.si("waste"),
    }
    _mine = sorted(_share, key=_share.get, reverse=True)

    q4 = sheet.ask("q4", mine=_mine)
    q4
    return (q4,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: drop the late ones, then compare the bills, or leave None and use the form
    _bills = {}
    for _n, _name in ((v.f1, "A100"), (v.f2, "H100"), (v.f3, "H200"), (v.f4, "B200")):
        _days = v.job / (_n * Hardware[_name].peak("fp16").m_as("FLOP/s") * 0.4) / 86400
        if _days <= v.limit:
            _bills[f"{_n:,} × {_name}"] = _n * _days * Infrastructure.Prices[_name + "_cloud"].hourly.m_as("USD/hour")
    _mine = min(_bills, key=_bills.get)

    q5 = sheet.ask("q5", mine=_mine)
    q5
    return (q5,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: write the function, or leave None and use the form
    _rate = v.device.peak("fp16").m_as("FLOP/s") * v.mfu / 100
    _mine = (
        "def days(gpus, tokens):\n"
        f"    kept = 1 - {v.lost} * gpus / {v.stop}\n"
        "    if kept <= 0:\n"
        "        return 0\n"
        f"    return 6 * {v.model.parameters} * tokens / (gpus * {_rate}) / 86400 / kept\n"
    )

    q6 = sheet.ask("q6", mine=_mine)
    q6
    return (q6,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: say which line is wrong, or leave None and use the form
    _right = {
        1: v.work == "Operations: 6 × parameters × tokens.",
        2: "× MFU)" in v.time,
        3: "÷ the part" in v.fail,
        4: "× 24 ×" in v.money and v.money.endswith("GPU-hour."),
        5: "× PUE × g/kWh ÷ 1,000,000" in v.carbon,
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
