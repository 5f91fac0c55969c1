# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Exercise 1 · The memory wall")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import ServingModel
    from mlsysim.course.journal import Journal
    from mlsysim.learn.answers import identity, open_sheet


@app.cell(hide_code=True)
def _():
    who = identity("01_memory_wall")
    who
    return (who,)


@app.cell(hide_code=True)
def _(who):
    student, code, journal = who.value["student"], who.value["code"], Journal().records()
    return code, journal, student


@app.cell(hide_code=True)
def _(code, student):
    sheet = open_sheet("01_memory_wall", student, code=code, notebook=__file__)
    v = sheet.variant
    return sheet, v


@app.cell(hide_code=True)
def _(sheet):
    _v = sheet.sample
    _old, _new = (ServingModel().solve(_v.model, d, seq_len=_v.prompt, decode_tokens=_v.answer) for d in (_v.old, _v.new))
    _share = (_old.ttft / _old.latency).m_as("")
    _peak = (_v.new.peak("fp16") / _v.old.peak("fp16")).m_as("")
    _band = (_v.new.memory.bandwidth / _v.old.memory.bandwidth).m_as("")
    mo.md(f"""
    ## A worked example, with other numbers

    *{_v.model.name}, {_v.prompt:,} tokens of prompt and {_v.answer} of answer, from one {_v.old.name} to one {_v.new.name}.*

    | | old | new | |
    |:---|---:|---:|:---|
    | reading | {_old.ttft.m_as("ms"):.0f}&nbsp;ms | {_new.ttft.m_as("ms"):.0f}&nbsp;ms | under the compute roof: peaks {_peak:.2f}× |
    | writing | {(_old.latency - _old.ttft).m_as("ms"):,.0f}&nbsp;ms | {(_new.latency - _new.ttft).m_as("ms"):,.0f}&nbsp;ms | under the memory roof: bandwidths {_band:.2f}× |

    Reading takes {_share:.1%} of the old time, so the whole gains 1 ÷ ({_share:.3f} ÷ {_peak:.2f} + {1 - _share:.3f} ÷ {_band:.2f}) = **{1 / (_share / _peak + (1 - _share) / _band):.2f}×**.
    In code: `ServingModel().solve(model, chip, seq_len={_v.prompt}, decode_tokens={_v.answer})` has `ttft` and `latency`.
    """)
    return


@app.cell(hide_code=True)
def _(v):
    def _row(device):
        return (
            f"| {device.name} | {device.peak('fp16').m_as('TFLOP/s'):,.0f}&nbsp;TFLOP/s "
            f"| {device.memory.bandwidth.m_as('TB/s'):.3f}&nbsp;TB/s | {device.memory.capacity.m_as('GB'):.1f}&nbsp;GB |"
        )

    mo.md(f"""
    ## Your numbers

    **{v.model.name}**, {v.model.parameters / 1e9:.2f} billion parameters, fp16; half of the peak is reached on every chip (η = 0.5).

    | | fp16 peak | bandwidth | memory |
    |:---|---:|---:|---:|
    {_row(v.old)}
    {_row(v.new)}

    In code these are `v.model`, `v.old`, `v.new`, `v.prompt` and `v.answer`; the requests of question 3 are `v.p1`, `v.a1` to `v.p6`, `v.a6`.
    """)
    return


@app.cell(hide_code=True)
def _(v):
    def request(device, prompt, answer):
        """The times of one user's request."""
        return ServingModel().solve(v.model, device, seq_len=prompt, decode_tokens=answer)
    return (request,)


@app.cell
def _(request, sheet, v):
    _mine = None
    # answer: divide the time of reading by the whole, or leave None and use the form

    q1 = sheet.ask("q1", mine=_mine)
    q1
    return (q1,)


@app.cell
def _(request, sheet, v):
    _mine = None
    # answer: work out what is left of the old time, or leave None and use the form

    q2 = sheet.ask("q2", mine=_mine)
    q2
    return (q2,)


@app.cell
def _(request, sheet, v):
    _mine = None
    # answer: compare each request's gain with that of question 2, or leave None and use the form

    q3 = sheet.ask("q3", mine=_mine)
    q3
    return (q3,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: find both ends, or leave None and use the form

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
    # answer: write the function, or leave None and use the form

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
