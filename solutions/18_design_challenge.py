# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Exercise 18 · The design challenge")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import Q_, Engine, Scenarios
    from mlsysim.course.journal import Journal
    from mlsysim.evaluation.plan import plan
    from mlsysim.evaluation.verdict import judge
    from mlsysim.learn.answers import identity, open_sheet


@app.cell(hide_code=True)
def _():
    who = identity("18_design_challenge")
    who
    return (who,)


@app.cell(hide_code=True)
def _(who):
    student, code, journal = who.value["student"], who.value["code"], Journal().records()
    return code, journal, student


@app.cell(hide_code=True)
def _(code, student):
    sheet = open_sheet("18_design_challenge", student, code=code, notebook=__file__)
    v = sheet.variant
    return sheet, v


@app.cell(hide_code=True)
def _(sheet):
    _v = sheet.sample
    _one = Engine.solve(_v.model, _v.device, seq_len=_v.prompt, phase="prefill", efficiency=_v.eta)
    _read = _v.rate * _one.latency.m_as("s")
    _left = Q_(_v.promise - 2 * _v.far / 200, "ms")
    _draft = judge(Scenarios["Capstone"])
    _found = plan(Scenarios["Capstone"], {"fleet.hardware": ["B200"], "workload.precision": ["fp8"], "fleet.tensor_parallel": [2]}).best
    mo.md(f"""
    ## A worked example, with other numbers

    *{_v.rate} requests a second with prompts of {_v.prompt} tokens, {_v.model.name} in fp16 on {_v.device.name}, η = {_v.eta}; {_v.writers} more chips write.*

    | | | |
    |:---|---:|:---|
    | one prompt | {_one.latency.m_as("ms"):.0f}&nbsp;ms | {_one.operations.m_as("TFLOP"):.0f} TFLOP ÷ ({_v.eta} × {_one.peak.m_as("TFLOP/s"):,.0f} TFLOP/s) |
    | chips that read | {_read:.1f} | × {_v.rate} requests a second |
    | all of {_v.regions} regions, one to spare | {(_read + _v.writers) * _v.regions / (_v.regions - 1):.1f} | ({_read:.1f} + {_v.writers}) × {_v.regions} ÷ {_v.regions - 1} |
    | left of {_v.promise} ms | {_left.m_as("ms"):.0f}&nbsp;ms | {_v.far:,} km there and back at 200 km a millisecond |

    A whole fleet is tried by `judge(system)`, and `plan(system, axes)` searches for the cheapest. The lesson's first draft: {_draft.verdict}. {_draft.why} With {_found.change["fleet.count"]} B200 in fp8 it is {_found.found.verdict}.
    """)
    return


@app.cell(hide_code=True)
def _(v):
    mo.md(f"""
    ## Your numbers

    **{v.model.name}**: {v.model.parameters / 1e9:.1f} billion parameters in {v.model.layers} layers, fp16. **{v.device.name}**: {v.device.peak("fp16").m_as("TFLOP/s"):,.1f} TFLOP/s in fp16, {v.device.memory.bandwidth.m_as("TB/s"):.2f} TB/s.

    In code these are `v.model`, `v.device`, `v.rate`, `v.prompt`, `v.eta`, `v.writers`, `v.regions`, `v.promise` (ms), `v.far` (km), `v.load`, `v.reads`, `v.time`, `v.cost`, `v.watts` (%), `v.low`, `v.high`; and of question 7 `v["all"]`, `v.answers`, `v.km`, `v.beside`.
    """)
    return


@app.cell
def _(sheet, v):
    _mine = None
    # answer: count the chips that read, or leave None and use the form
    _one = Engine.solve(v.model, v.device, seq_len=v.prompt, phase="prefill", efficiency=v.eta)
    _mine = v.rate * _one.latency.m_as("s")

    q1 = sheet.ask("q1", mine=_mine)
    q1
    return (q1,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: count the chips of all regions, or leave None and use the form
    _one = Engine.solve(v.model, v.device, seq_len=v.prompt, phase="prefill", efficiency=v.eta)
    _mine = (v.rate * _one.latency.m_as("s") + v.writers) * v.regions / (v.regions - 1)

    q2 = sheet.ask("q2", mine=_mine)
    q2
    return (q2,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: subtract the way, or leave None and use the form
    _mine = Q_(v.promise - 2 * v.far / 200, "ms")

    q3 = sheet.ask("q3", mine=_mine)
    q3
    return (q3,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: list what breaks the fleet, or leave None and use the form
    _load, _time, _cost, _reads, _watts = (x / 100 for x in (v.load, v.time, v.cost, v.reads, v.watts))
    _after = {
        "requests": 1.3 * _load,
        "length of prompts": max(_load * (1 + 0.3 * _reads), 1.3 * _time),
        "length of answers": _load * (1 + 0.3 * (1 - _reads)),
        "η": max(_load * (_reads / 0.7 + 1 - _reads), _time / 0.7),
        "price of a chip": _cost * (1 + 0.3 * (1 - _watts)),
        "price of electricity": _cost * (1 + 0.3 * _watts),
    }
    _mine = [name for name, part in _after.items() if part > 1]

    q4 = sheet.ask("q4", mine=_mine)
    q4
    return (q4,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: work out both ends, or leave None and use the form
    def _chips(eta):
        return v.rate * Engine.solve(v.model, v.device, seq_len=v.prompt, phase="prefill", efficiency=eta).latency.m_as("s")
    _mine = _chips(v.high), _chips(v.low)

    q5 = sheet.ask("q5", mine=_mine)
    q5
    return (q5,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: choose the line, or leave None and use the form
    _right = [
        "the requests of the busiest second", "requests × prompt × 2 FLOP a weight ÷ (η × peak)", "steps of full batches",
        "the work × regions ÷ (regions − 1)", "the promise − the way there and back"]
    _mine = next(f"line {n}" for n, right in enumerate(_right, start=1) if v[f"line_{n}"] != right)

    q6 = sheet.ask("q6", mine=_mine)
    q6
    return (q6,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: write one region as a text, or leave None and use the form
    _asked = Scenarios["Capstone"].replace(constraints=(f"ttft < {100 - 2 * v.km / 200} ms",)).changed({
        "workload.arrival_rate_qps": v["all"], "workload.tokens": v.answers, "workload.efficiency": 0.5, "environment.infrastructure_multiplier": v.beside})
    _axes = {"fleet.hardware": ["MI300X"], "workload.precision": ["fp8"], "fleet.tensor_parallel": [4]}
    _best = plan(_asked, _axes).best.change
    _mine = f"""
    question: which fleet for one region?
    workload: {{phase: serve, model: Llama3_70B, prompt: 512, tokens: {v.answers}, arrival_rate_qps: {v["all"]}, precision: fp8, efficiency: 0.5}}
    fleet: {{hardware: {_best["fleet.hardware"]}, count: {_best["fleet.count"]}, tensor_parallel: {_best["fleet.tensor_parallel"]}}}
    environment: {{grid: Virginia, duration: 3 year, infrastructure_multiplier: {v.beside}}}
    """

    q7 = sheet.ask("q7", mine=_mine)
    q7
    return (q7,)


@app.cell
def _(sheet):
    _mine = None
    # answer: say it in your own words, or leave None and use the form
    _mine = "The efficiency decides: reading is bound by arithmetic, so chips go with one over η. I would measure a prompt of 512 tokens first."

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
