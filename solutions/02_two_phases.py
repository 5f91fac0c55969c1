# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Exercise 2 · Two phases, one request")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import Engine, Models
    from mlsysim.course.journal import Journal
    from mlsysim.learn.answers import identity, open_sheet


@app.cell(hide_code=True)
def _():
    who = identity("02_two_phases")
    who
    return (who,)


@app.cell(hide_code=True)
def _(who):
    student, code, journal = who.value["student"], who.value["code"], Journal().records()
    return code, journal, student


@app.cell(hide_code=True)
def _(code, student):
    sheet = open_sheet("02_two_phases", student, code=code, notebook=__file__)
    v = sheet.variant
    return sheet, v


@app.cell(hide_code=True)
def _(sheet):
    _v = sheet.sample
    _read = Engine.solve(_v.model, _v.device, seq_len=_v.prompt, phase="prefill")
    _write = Engine.solve(_v.model, _v.device, seq_len=_v.prompt, batch_size=_v.batch)
    _one, _other = _read.latency / _v.prompt, _write.latency / _v.batch
    mo.md(f"""
    ## A worked example, with other numbers

    *{_v.model.name} on one {_v.device.name}, fp16; half of the peak is reached.*

    | | | |
    |:---|---:|:---|
    | reading {_v.prompt:,} tokens | {_read.latency.m_as("ms"):.1f}&nbsp;ms | {_read.operations.m_as("TFLOP"):.2f} TFLOP over half of {_read.peak.m_as("TFLOP/s"):,.0f} TFLOP/s |
    | a token that is read | {_one.m_as("us"):.0f}&nbsp;µs | that time over {_v.prompt:,} tokens |
    | a step of {_v.batch} writers | {_write.latency.m_as("ms"):.1f}&nbsp;ms | weights once and {_v.batch} caches, over {_write.bandwidth.m_as("TB/s"):.2f} TB/s |
    | a token that is written | {_other.m_as("us"):,.0f}&nbsp;µs | that time over {_v.batch} users |

    A written token takes **{(_other / _one).m_as(""):.0f} times** the chip's time of a read one.
    In code: `Engine.solve(model, chip, seq_len={_v.prompt}, phase="prefill").latency` reads, `Engine.solve(model, chip, seq_len={_v.prompt}, batch_size={_v.batch}).latency` is a step.
    """)
    return


@app.cell(hide_code=True)
def _(v):
    _m, _d = v.model, v.device
    mo.md(f"""
    ## Your numbers

    **{_m.name}**: {_m.parameters / 1e9:.2f} billion parameters, {_m.layers} layers, {_m.key_heads} KV heads of {_m.key_dim} values; fp16.
    **{_d.name}**: {_d.peak("fp16").m_as("TFLOP/s"):,.0f} TFLOP/s, {_d.memory.bandwidth.m_as("TB/s"):.3f} TB/s, {_d.memory.capacity.m_as("GB"):.0f} GB.

    In code these are `v.model`, `v.device`, `v.prompt`, `v.batch`, `v.top`, `v.low`; the chips of question 4 are `v.one` and `v.two`.
    """)
    return


@app.cell(hide_code=True)
def _(v):
    def read(tokens=v.prompt, model=v.model, chip=v.device, batch=1):
        """Time in which a batch of prompts is read."""
        return Engine.solve(model, chip, seq_len=tokens, batch_size=batch, phase="prefill").latency

    def write(tokens=v.prompt, model=v.model, chip=v.device, batch=1):
        """Time of a step that gives each user of a batch a token."""
        return Engine.solve(model, chip, seq_len=tokens, batch_size=batch).latency

    small = Models.Language.Qwen3_4B
    return read, small, write


@app.cell
def _(read, sheet):
    _mine = None
    # answer: divide the operations by half of the peak, or leave None and use the form
    _mine = read()

    q1 = sheet.ask("q1", mine=_mine)
    q1
    return (q1,)


@app.cell
def _(read, sheet, v, write):
    _mine = None
    # answer: compare the times of one token, or leave None and use the form
    _mine = (write(batch=v.batch) / v.batch) / (read() / v.prompt)

    q2 = sheet.ask("q2", mine=_mine)
    q2
    return (q2,)


@app.cell
def _(read, sheet, v, write):
    _mine = None
    # answer: try each change, or leave None and use the form
    _core, _memory, _layers = v.device.compute, v.device.memory, v.model.layers // 2
    _faster = _core.replace(peak_flops=_core.peak_flops * 2, precision={p: x * 2 for p, x in _core.precision.items()})
    _changes = {
        "twice the peak FLOPS": {"chip": v.device.replace(compute=_faster)},
        "twice the bandwidth": {"chip": v.device.replace(memory=_memory.replace(bandwidth=_memory.bandwidth * 2))},
        "half as many layers": {"model": v.model.replace(layers=_layers)},
        "a prompt half as long": {"tokens": v.prompt // 2},
        "8 users at once": {"batch": 8},
    }
    _time = read if "wait" in v.goal else write
    _five = [v[f"x{n}"] for n in range(1, 6)]
    _mine = [x for x in _five if x in _changes and _time(**_changes[x]) <= 0.9 * _time()]

    q3 = sheet.ask("q3", mine=_mine)
    q3
    return (q3,)


@app.cell
def _(read, sheet, small, v, write):
    _mine = None
    # answer: compare the two chips in both phases, or leave None and use the form
    _reads = min(v.one, v.two, key=lambda chip: read(1000, small, chip))
    _writes = min(v.one, v.two, key=lambda chip: write(1000, small, chip))
    _mine = f"{_reads.name} for both" if _reads == _writes else f"{_reads.name} reads, {_writes.name} writes"

    q4 = sheet.ask("q4", mine=_mine)
    q4
    return (q4,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: write the function, or leave None and use the form
    _peak, _band = v.device.peak("fp16").m_as("FLOP/s"), v.device.memory.bandwidth.m_as("B/s")
    _mine = (
        "def step(writers, context, chunk):\n"
        f"    operations = 2 * {v.model.parameters} * (writers + chunk)\n"
        f"    cache = 2 * 2 * {v.model.layers} * {v.model.key_heads} * {v.model.key_dim}\n"
        f"    bytes_read = 2 * {v.model.parameters} + writers * context * cache\n"
        f"    return max(operations / (0.5 * {_peak}), bytes_read / {_band})\n"
    )

    q5 = sheet.ask("q5", mine=_mine)
    q5
    return (q5,)


@app.cell
def _(read, sheet, v, write):
    _mine = None
    # answer: try the batches, or leave None and use the form
    _worth = {n: ((write(batch=n) / n) / (read() / v.prompt)).m_as("") for n in range(1, 120)}
    _fair = [n for n, times in _worth.items() if v.low <= times <= v.top]
    _mine = [_fair[0], _fair[-1]]

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
