# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Exercise 8 · The nine-million-dollar question")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim.core.units import Q_
    from mlsysim.course.journal import Journal
    from mlsysim.learn.answers import identity, open_sheet


@app.cell(hide_code=True)
def _():
    who = identity("08_nine_million_dollar")
    who
    return (who,)


@app.cell(hide_code=True)
def _(who):
    student, code, journal = who.value["student"], who.value["code"], Journal().records()
    return code, journal, student


@app.cell(hide_code=True)
def _(code, student):
    sheet = open_sheet("08_nine_million_dollar", student, code=code, notebook=__file__)
    v = sheet.variant
    return sheet, v


@app.cell(hide_code=True)
def _(sheet):
    _v = sheet.sample
    _tokens = _v.thoughts * _v.each
    _seconds = (_v.prefill + _tokens * _v.step / _v.batch) / 1e3
    _devices = -int(-_v.rate * _seconds // 1)
    _bill = Q_(_devices * 8760 * _v.price, "USD")
    mo.md(f"""
    ## A worked example, with other numbers

    *{_v.rate} requests a second; {_v.prefill} ms to read a prompt, {_v.step} ms a decode step of {_v.batch} requests; {_v.thoughts} steps of thinking of {_v.each} tokens.*

    | | | |
    |:---|---:|:---|
    | tokens | {_tokens} | {_v.thoughts} × {_v.each} |
    | a device's time for a request | {_seconds:.2f}&nbsp;s | {_v.prefill} ms + {_tokens} × {_v.step} ms ÷ {_v.batch} |
    | devices | {_devices} | {_v.rate} × {_seconds:.2f}, rounded up |
    | a year | {_bill.m_as("USD"):,.0f}&nbsp;USD | {_devices} × 8,760 h × {_v.price} USD/h |

    One user waits {(_v.prefill + _tokens * _v.step) / 1e3:.2f} s: sharing a step makes it neither shorter nor longer. In code, dollars are `Q_(1e6, "USD")`.
    """)
    return


@app.cell(hide_code=True)
def _(v):
    _m, _d = v.model, v.device
    mo.md(f"""
    ## Your numbers

    **{_m.name}**: {_m.parameters / 1e9:.2f} billion parameters, {_m.layers} layers, {_m.key_heads} KV heads of {_m.key_dim} values.
    **{_d.name}**: {_d.memory.capacity.m_as("GB"):.1f} GB, {_d.memory.bandwidth.m_as("TB/s"):.2f} TB/s, {_d.peak("int8").m_as("TFLOP/s"):,.0f} TOP/s in 8 bits.

    In code: `v.rate`, `v.prefill` and `v.step` (ms), `v.thoughts`, `v.each`, `v.batch`, `v.price`; `v.model`, `v.device`, `v.prompt`;
    in question 4 `v.pf`, `v.st`, `v.k`, `v.few`, `v.more`, `v.longer`, `v.less`; in question 6 `v.read` and `v.deep`.
    """)
    return


@app.cell
def _(sheet, v):
    _mine = None
    # answer: multiply the requests by a device's time for one, or leave None and use the form

    q1 = sheet.ask("q1", mine=_mine)
    q1
    return (q1,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: multiply devices, hours and price, or leave None and use the form

    q2 = sheet.ask("q2", mine=_mine)
    q2
    return (q2,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: divide the room by the cache of a whole request, or leave None and use the form

    q3 = sheet.ask("q3", mine=_mine)
    q3
    return (q3,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: work out what each lever takes off, or leave None and use the form

    q4 = sheet.ask("q4", mine=_mine)
    q4
    return (q4,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: say which line is wrong, or leave None and use the form

    q5 = sheet.ask("q5", mine=_mine)
    q5
    return (q5,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: fill the device twice, and compare, or leave None and use the form

    q6 = sheet.ask("q6", mine=_mine)
    q6
    return (q6,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: write the function, or leave None and use the form

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
