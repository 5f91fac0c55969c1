# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Exercise 14 · A chip and a wall of your own")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import Engine, Hardware
    from mlsysim.course.journal import Journal
    from mlsysim.learn.answers import identity, open_sheet
    from mlsysim.solvers import ContinuousBatchingModel


@app.cell(hide_code=True)
def _():
    who = identity("14_custom_hardware_and_solvers")
    who
    return (who,)


@app.cell(hide_code=True)
def _(who):
    student, code, journal = who.value["student"], who.value["code"], Journal().records()
    return code, journal, student


@app.cell(hide_code=True)
def _(code, student):
    sheet = open_sheet("14_custom_hardware_and_solvers", student, code=code, notebook=__file__)
    v = sheet.variant
    return sheet, v


@app.cell(hide_code=True)
def _(sheet):
    _v = sheet.sample
    _card = Hardware.from_spec({
        "name": "a card", "release_year": 2027, "compute": {"peak_flops": f"{_v.peak} TFLOP/s"}, "memory": {"capacity": f"{_v.room} GB", "bandwidth": f"{_v.wide} TB/s"}})
    _users = int(ContinuousBatchingModel().solve(_v.model, _card, seq_len=_v.context, max_seq_len=_v.context).paged_batch)
    _s = Engine.solve(_v.model, _card, batch_size=_users, seq_len=_v.context)
    _r = Engine.solve(_v.model, _card, seq_len=_v.prompt, phase="prefill", efficiency=_v.eta)
    mo.md(f"""
    ## A worked example, with other numbers

    *A card of {_v.peak} TFLOP/s, {_v.wide} TB/s and {_v.room} GB serves {_v.model.name}, {_v.context:,} tokens a user.*

    | | | |
    |:---|---:|:---|
    | users that fit | {_users} | (0.9 × {_v.room} GB − {_s.weights.m_as("GB"):.2f} GB) ÷ {_s.kv_cache.m_as("GB") / _users:.3f} GB |
    | bytes of a step | {_s.memory_time.m_as("ms"):.1f}&nbsp;ms | {_s.traffic.m_as("GB"):.2f} GB ÷ {_v.wide} TB/s |
    | arithmetic of a step | {_s.compute_time.m_as("ms"):.1f}&nbsp;ms | at half of the peak |
    | tokens a second | {_s.throughput.m_as("1/s"):,.0f} | {_users} ÷ the longer one |
    | a prompt of {_v.prompt:,} tokens | {_r.latency.m_as("ms"):.0f}&nbsp;ms | at η = {_v.eta}; its cache takes {_r.kv_cache.m_as("MB"):.1f} MB |

    In code: `Hardware.from_spec({{...}})`, `ContinuousBatchingModel().solve(model, card, seq_len=n, max_seq_len=n).paged_batch` and `Engine.solve(model, card, batch_size=users, seq_len=n)`.
    """)
    return


@app.cell(hide_code=True)
def _(v):
    mo.md(f"""
    ## Your numbers

    Your card, as a file:

    ```yaml
    name: a card
    release_year: 2027
    compute: {{peak_flops: {v.peak} TFLOP/s}}
    memory: {{capacity: {v.room} GB, bandwidth: {v.wide} TB/s}}
    ```

    **{v.model.name}**: {v.model.parameters / 1e9:.3f} billion parameters in {v.model.layers} layers; {v.model.heads} query heads, {v.model.key_heads} key-value heads of {v.model.key_dim} values each; fp16.

    Of the other card: **{v.second.name}** has {v.second.parameters / 1e9:.3f} billion parameters in {v.second.layers} layers; {v.second.key_heads} key-value heads of {v.second.key_dim} values each.

    In code these are `v.model`, `v.second`, `v.peak` (TFLOP/s), `v.wide` (TB/s), `v.room` (GB), `v.context`, `v.eta`, `v.prompt`, `v.measured`, `v.crowd` and `v.late` (ms); of the other card `v.second_peak`, `v.second_wide`, `v.second_room` and `v.second_context`.
    """)
    return


@app.cell
def _(sheet, v):
    _mine = None
    # answer: count the users, or leave None and use the form
    _free = 0.9 * v.room - v.model.weights("fp16").m_as("GB")
    _mine = _free // v.model.kv_cache(v.context, 1, "fp16").m_as("GB")

    q1 = sheet.ask("q1", mine=_mine)
    q1
    return (q1,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: divide the users by their step, or leave None and use the form
    _card = Hardware.from_spec({
        "name": "a card", "release_year": 2027, "compute": {"peak_flops": f"{v.peak} TFLOP/s"}, "memory": {"capacity": f"{v.room} GB", "bandwidth": f"{v.wide} TB/s"}})
    _users = (0.9 * v.room - v.model.weights("fp16").m_as("GB")) // v.model.kv_cache(v.context, 1, "fp16").m_as("GB")
    _mine = Engine.solve(v.model, _card, batch_size=int(_users), seq_len=v.context).throughput.m_as("1/s")

    q2 = sheet.ask("q2", mine=_mine)
    q2
    return (q2,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: list what may be wrong, or leave None and use the form
    _tested = {"decode": "bandwidth", "prompts": "peak", "users fit": "capacity"}
    _mine = {"peak", "bandwidth", "capacity", "power"} - {number for word, number in _tested.items() if word in v.measured}

    q3 = sheet.ask("q3", mine=_mine)
    q3
    return (q3,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: choose the revision, or leave None and use the form
    def _rate(peak=v.second_peak, wide=v.second_wide, room=v.second_room):
        _card = Hardware.from_spec({
            "name": "a card", "release_year": 2027, "compute": {"peak_flops": f"{peak} TFLOP/s"}, "memory": {"capacity": f"{room} GB", "bandwidth": f"{wide} TB/s"}})
        _length = v.second_context
        _users = int(ContinuousBatchingModel().solve(v.second, _card, seq_len=_length, max_seq_len=_length).paged_batch)
        return Engine.solve(v.second, _card, batch_size=_users, seq_len=_length).throughput
    _each = {"twice the FLOPS": _rate(peak=2 * v.second_peak), "twice the bandwidth": _rate(wide=2 * v.second_wide), "twice the capacity": _rate(room=2 * v.second_room)}
    _mine = max(_each, key=_each.get)

    q4 = sheet.ask("q4", mine=_mine)
    q4
    return (q4,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: divide the cache by the time of reading, or leave None and use the form
    _card = Hardware.from_spec({
        "name": "a card", "release_year": 2027, "compute": {"peak_flops": f"{v.peak} TFLOP/s"}, "memory": {"capacity": f"{v.room} GB", "bandwidth": f"{v.wide} TB/s"}})
    _read = Engine.solve(v.model, _card, seq_len=v.prompt, phase="prefill", efficiency=v.eta)
    _mine = v.model.kv_cache(v.prompt, 1, "fp16") / _read.latency

    q5 = sheet.ask("q5", mine=_mine)
    q5
    return (q5,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: write the function as a text, or leave None and use the form
    _mine = f"""
    def sooner(cache, operations, link):
        again = operations / ({v.eta} * {v.peak} * 1e12)
        return min(again, cache * 8 / (link * 1e9)) if link > 0 else again
    """

    q6 = sheet.ask("q6", mine=_mine)
    q6
    return (q6,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: write the chip as a text, or leave None and use the form
    _big = Hardware.from_spec({"name": "a card", "release_year": 2027, "compute": {"peak_flops": "1 PFLOP/s"}, "memory": {"capacity": "1 TB", "bandwidth": "1 TB/s"}})
    _s = Engine.solve(v.model, _big, batch_size=v.crowd, seq_len=v.context)
    _room = (_s.weights + v.model.kv_cache(v.context, v.crowd, "fp16")).m_as("GB") / 0.9
    _mine = f"""
    release_year: 2027
    compute: {{peak_flops: 4 PFLOP/s}}
    memory: {{capacity: {_room:.3f} GB, bandwidth: {_s.traffic.m_as("GB") / v.late / 0.96:.4f} TB/s}}
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
