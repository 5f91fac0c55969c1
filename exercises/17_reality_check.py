# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Exercise 17 · Reality check")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import Q_, Engine
    from mlsysim.course.journal import Journal
    from mlsysim.evaluation.validate import predicted, read, rows
    from mlsysim.learn.answers import identity, open_sheet

    measured = {row.id: row for row in read()}  # every published measurement that ships

    def seconds(row):
        """How long the measured step took."""
        return row.measured / 1e3 if row.unit == "ms" else row.number("batch") / row.measured

    def longer(row):
        """How many times longer it took than the law says, at half of the peak."""
        ratio = row.measured / predicted(row, "ideal")
        return 1 / ratio if row.unit.endswith("/s") else ratio

    def kin(first):
        """Twenty measurements of one kind of work on single devices, from one on."""
        like = [
            row for row in measured.values() if row.domain == measured[first].domain and row.number("n_devices", 1) == 1
            and row.metric != "energy_per_inference" and rows.precision_of(row.precision)[1] is None]
        start = [row.id for row in like].index(first)
        return like[start : start + 20]

    def work(row):
        """Multiply-adds and bytes of the weights of a step, and the chip's peak and bandwidth in a second."""
        model, chip, precision = rows.model_of(row), rows.device_of(row), rows.precision_of(row.precision)[0]
        phase, tokens = ("decode", 100) if row.domain == "decode" else ("forward", None)
        step = Engine.solve(model, chip, batch_size=row.number("batch"), phase=phase, seq_len=tokens, precision=precision)
        return (
            step.operations.m_as("FLOP") / 2, model.weights(precision).m_as("B"),
            chip.peak(precision).m_as("FLOP/s"), chip.memory.bandwidth.m_as("B/s"))

    def facts(row):
        """What a hand calculation of a measured step needs, as columns of a table."""
        macs, size, peak, bandwidth = work(row)
        thing = "token(s)" if row.domain == "decode" else "image(s)"
        return f"{rows.model_of(row).name}, {rows.device_of(row).name} | {row.precision} | {row.batch} {thing} | {macs / 1e9:,.3f} | {size / 1e6:,.5g} | {peak / 1e12:,.4g} | {bandwidth / 1e9:,.4g}"


@app.cell(hide_code=True)
def _():
    who = identity("17_reality_check")
    who
    return (who,)


@app.cell(hide_code=True)
def _(who):
    student, code, journal = who.value["student"], who.value["code"], Journal().records()
    return code, journal, student


@app.cell(hide_code=True)
def _(code, student):
    sheet = open_sheet("17_reality_check", student, code=code, notebook=__file__)
    v = sheet.variant
    return sheet, v


@app.cell(hide_code=True)
def _(sheet):
    _v = sheet.sample
    _row = measured[_v.row]
    _macs, _size, _peak, _bandwidth = work(_row)
    _core, _memory = 2 * _macs / (_v.eta * _peak), _size / _bandwidth
    mo.md(f"""
    ## A worked example, with other numbers

    *{rows.model_of(_row).name} on a {rows.device_of(_row).name}, {_row.batch} images in a batch, {_row.precision}: {_row.measured:,.0f} images a second were measured. How many times longer is that than the law says, at η = {_v.eta}?*

    | | | |
    |:---|---:|:---|
    | arithmetic | {_core * 1e3:.1f}&nbsp;ms | 2 · {_macs / 1e9:,.0f} G multiply-adds ÷ ({_v.eta} · {_peak / 1e12:.0f} TFLOP/s) |
    | memory | {_memory * 1e3:.3f}&nbsp;ms | {_size / 1e6:.1f} MB of weights ÷ {_bandwidth / 1e9:.0f} GB/s |
    | the law | {max(_core, _memory) * 1e3:.1f}&nbsp;ms | the longer of the two |
    | measured | {seconds(_row) * 1e3:.1f}&nbsp;ms | {_row.batch} images ÷ {_row.measured:,.0f} images/s |
    | **factor** | **{seconds(_row) / max(_core, _memory):.2f}** | measured ÷ law |
    """)
    return


@app.cell(hide_code=True)
def _(v):
    _row = measured[v.row]
    _claims = {name: (measured[v[f"row_{name}"]], v[f"times_{name}"]) for name in "ABCDE"}
    _head = "model and chip | precision | in a step | multiply-adds (G) | weights (MB) | peak (TFLOP/s) | bandwidth (GB/s) |"
    _rule = "|:---|:---|:---|---:|---:|---:|---:|---:|---:|"
    _three = "\n    ".join(f"| {row.id} | {row.batch} | {seconds(row) / longer(row) * 1e3:,.4g} ms | {seconds(row) * 1e3:,.4g} ms |" for row in (measured[each] for each in (v.small, v.middle, v.large)))
    _made = "\n    ".join(f"| {name} | {facts(row)} | {times * row.number('batch') / seconds(row):,.4g} |" for name, (row, times) in _claims.items())
    mo.md(f"""
    ## Your numbers

    All of these were published, except for the claims. A multiply-add is two operations.

    **Question 1**

    | row | {_head} measured |
    {_rule}
    | {v.row} | {facts(_row)} | {_row.measured:,.5g} {_row.unit} |

    **Question 2**: how many times longer than the law, at half of the peak: {"; ".join(f"{longer(row):.3f}" for row in kin(v.first))}

    **Question 3**: {rows.model_of(measured[v.small]).name} on a {rows.device_of(measured[v.small]).name}, {measured[v.small].precision}

    | row | batch | the law | measured |
    |:---|---:|---:|---:|
    {_three}

    **Question 4**

    | claim | {_head} claimed, in a second |
    {_rule}
    {_made}

    In code these are `v.row`, `v.eta`, `v.first`, `v.said` (ms), `v.small`, `v.middle`, `v.large`, `v.row_A`, `v.times_A` and so on, and `v.centre`; `measured[v.row]` is a row, and `work`, `seconds`, `longer` and `kin` above are what made the tables.
    """)
    return


@app.cell
def _(sheet, v):
    _mine = None
    # answer: take the longer of two times, or leave None and use the form

    q1 = sheet.ask("q1", mine=_mine)
    q1
    return (q1,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: give the two ends, each a quantity, or leave None and use the form

    q2 = sheet.ask("q2", mine=_mine)
    q2
    return (q2,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: compare the three factors, or leave None and use the form

    q3 = sheet.ask("q3", mine=_mine)
    q3
    return (q3,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: list the claims that break the floor, or leave None and use the form

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
    # answer: write the function as a text, or leave None and use the form

    q6 = sheet.ask("q6", mine=_mine)
    q6
    return (q6,)


@app.cell(hide_code=True)
def _(journal, q1, q2, q3, q4, q5, q6, sheet):
    document = sheet.document(journal, q1=q1, q2=q2, q3=q3, q4=q4, q5=q5, q6=q6)
    sheet.panel(document)
    return (document,)


if __name__ == "__main__":
    app.run()
