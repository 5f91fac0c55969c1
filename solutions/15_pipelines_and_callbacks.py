# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Exercise 15 · Pipelines and callbacks")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import Q_, Fleet, Pipeline, ReliabilityModel, Systems, solvers
    from mlsysim.course.journal import Journal
    from mlsysim.learn.answers import identity, open_sheet


@app.cell(hide_code=True)
def _():
    who = identity("15_pipelines_and_callbacks")
    who
    return (who,)


@app.cell(hide_code=True)
def _(who):
    student, code, journal = who.value["student"], who.value["code"], Journal().records()
    return code, journal, student


@app.cell(hide_code=True)
def _(code, student):
    sheet = open_sheet("15_pipelines_and_callbacks", student, code=code, notebook=__file__)
    v = sheet.variant
    return sheet, v


@app.cell(hide_code=True)
def _(sheet):
    _v = sheet.sample
    _fleet = Fleet(name="ours", node=Systems.Nodes.DGX_H100, count=8, fabric=Systems.Fabrics.InfiniBand_NDR)
    _r = ReliabilityModel().solve(_fleet, mtbf=Q_(_v.mtbf, "hour"), checkpoint_time=Q_(_v.checkpoint, "s"), restart_time=Q_(_v.restart, "min"))
    _said = Pipeline([solvers.DistributedModel(), solvers.ReliabilityModel(), solvers.EconomicsModel()]).explain()
    mo.md(f"""
    ## A worked example, with other numbers

    *A failure every {_v.mtbf} hours, a checkpoint of {_v.checkpoint} s, a restart of {_v.restart} min; {_v.days} days of useful work at {_v.rate} thousand USD a day.*

    | | | |
    |:---|---:|:---|
    | checkpoints are apart | {_r.optimal_interval.m_as("min"):.0f}&nbsp;min | about √(2 × {_v.checkpoint} s × {_v.mtbf} h) |
    | lost to writing them | {100 * _r.si("checkpoint_share"):.2f}&nbsp;% | |
    | lost to work done again | {100 * _r.si("rework_share"):.2f}&nbsp;% | half an interval a failure |
    | lost to restarts | {100 * _r.si("restart_share"):.2f}&nbsp;% | |
    | useful | {100 * _r.si("goodput"):.2f}&nbsp;% | the rest |
    | the bill | {_v.days * _v.rate / _r.si("goodput"):,.0f}&nbsp;thousand USD | {_v.days} × {_v.rate} ÷ {_r.si("goodput"):.4f} |

    A chain says itself what flows. Of training, failures and bill, `chain.explain()` ends with:

    ```
    {_said[_said.index("Flow"):]}
    ```
    """)
    return


@app.cell(hide_code=True)
def _(v):
    mo.md(f"""
    ## Your numbers

    A failure every **{v.mtbf} hours**, a checkpoint of **{v.checkpoint} s**, a restart of **{v.restart} min**, **{v.days} days** of useful work, **{v.rate} thousand USD** a day.

    In code these are `v.mtbf`, `v.checkpoint`, `v.restart`, `v.days` and `v.rate`; further `v.stages`, `v.typed`, `v.slower`, `v.dearer`, `v.cooler`, `v.lost`, `v.again`, `v.fails` and `v.trips`.
    """)
    return


@app.cell
def _(sheet, v):
    _mine = None
    # answer: find the share that is lost, or leave None and use the form
    _fleet = Fleet(name="ours", node=Systems.Nodes.DGX_H100, count=8, fabric=Systems.Fabrics.InfiniBand_NDR)
    _found = ReliabilityModel().solve(_fleet, mtbf=Q_(v.mtbf, "hour"), checkpoint_time=Q_(v.checkpoint, "s"), restart_time=Q_(v.restart, "min"))
    _mine = Q_(100 * (1 - _found.si("goodput")), "%")

    q1 = sheet.ask("q1", mine=_mine)
    q1
    return (q1,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: divide the work by the useful share, or leave None and use the form
    _fleet = Fleet(name="ours", node=Systems.Nodes.DGX_H100, count=8, fabric=Systems.Fabrics.InfiniBand_NDR)
    _found = ReliabilityModel().solve(_fleet, mtbf=Q_(v.mtbf, "hour"), checkpoint_time=Q_(v.checkpoint, "s"), restart_time=Q_(v.restart, "min"))
    _mine = Q_(v.days * v.rate * 1e3 / _found.si("goodput"), "USD")

    q2 = sheet.ask("q2", mine=_mine)
    q2
    return (q2,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: compare the useful shares, or leave None and use the form
    _fleet = Fleet(name="ours", node=Systems.Nodes.DGX_H100, count=8, fabric=Systems.Fabrics.InfiniBand_NDR)
    _old, _new = (
        ReliabilityModel().solve(_fleet, mtbf=Q_(hours, "hour"), checkpoint_time=Q_(v.checkpoint, "s"), restart_time=Q_(v.restart, "min")).si("goodput")
        for hours in (v.mtbf, v.mtbf / 2))
    _mine = Q_(100 * (_old / _new - 1), "%")

    q3 = sheet.ask("q3", mine=_mine)
    q3
    return (q3,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: say what the bill does, or leave None and use the form
    _before = v.stages.partition("EconomicsModel")[0]
    _mine = "it stays the same" if v.typed != "nothing" else "it about doubles" if "DistributedModel" in _before else "there is none since a value is missing"

    q4 = sheet.ask("q4", mine=_mine)
    q4
    return (q4,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: order the changes, or leave None and use the form
    _lost, _again = v.lost / 100, v.again / 100
    _pulls = {
        "η": 1 / (1 - v.slower / 100),
        "electricity": 1 + 0.3 * v.dearer / 100,
        "failures": (1 - _lost - _again) / (1 - 2**0.5 * _lost - 2 * _again),
        "PUE": 1 + 0.3 * (v.cooler / 1.12 - 1),
    }
    _mine = sorted(_pulls, key=_pulls.get, reverse=True)

    q5 = sheet.ask("q5", mine=_mine)
    q5
    return (q5,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: write the function as a text, or leave None and use the form
    _mine = f"""
    def bill(days, mtbf, checkpoint, restart):
        mtbf, restart = 3600 * mtbf, 60 * restart
        interval = (2 * checkpoint * mtbf) ** 0.5
        lost = interval / 2 / mtbf + restart / mtbf + (checkpoint / interval if interval else 0)
        return days * {v.rate} * 1000 / (1 - lost) if lost < 1 else 0
    """

    q6 = sheet.ask("q6", mine=_mine)
    q6
    return (q6,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: list what the callback holds, or leave None and use the form
    _mine = [f"stage {n}" for n in range(1, v.fails) if n != v.trips]

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
