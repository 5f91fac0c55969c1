# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Exercise 6 · Scaling to 1000 GPUs")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim.core.units import Q_
    from mlsysim.course.journal import Journal
    from mlsysim.equations.fleet import ring_all_reduce
    from mlsysim.learn.answers import identity, open_sheet


@app.cell(hide_code=True)
def _():
    who = identity("06_scaling_1000_gpus")
    who
    return (who,)


@app.cell(hide_code=True)
def _(who):
    student, code, journal = who.value["student"], who.value["code"], Journal().records()
    return code, journal, student


@app.cell(hide_code=True)
def _(code, student):
    sheet = open_sheet("06_scaling_1000_gpus", student, code=code, notebook=__file__)
    v = sheet.variant
    return sheet, v


@app.cell(hide_code=True)
def _(ring, sheet):
    _v = sheet.sample
    _bytes, _hops = ring(_v.size, _v.ranks, _v.wire, 0), ring(0, _v.ranks, _v.wire, _v.hop)
    _stops = Q_(_v.between / _v.gpus, "hour")
    mo.md(f"""
    ## A worked example, with other numbers

    *{_v.ranks} GPUs sum {_v.size:,} MB in a ring, {_v.wire} GB/s and {_v.hop} µs a hop; a job on {_v.gpus} GPUs, a stop in {_v.between:,} GPU-hours, {_v.checkpoint} s a checkpoint.*

    | | | |
    |:---|---:|:---|
    | the bytes | {_bytes * 1e3:.2f}&nbsp;ms | 2 × {_v.ranks - 1} ÷ {_v.ranks} × {_v.size:,} MB ÷ {_v.wire} GB/s |
    | the hops | {_hops * 1e3:.2f}&nbsp;ms | 2 × {_v.ranks - 1} × {_v.hop} µs |
    | between two stops | {_stops.m_as("hour"):.1f}&nbsp;h | {_v.between:,} ÷ {_v.gpus} |
    | best interval | {(2 * _v.checkpoint * _stops.m_as("s")) ** 0.5 / 60:.1f}&nbsp;min | the root of 2 × {_v.checkpoint} s × {_stops.m_as("s"):,.0f} s |

    In code a time is `Q_(2.5, "hour")` or `Q_(12, "ms")`.
    """)
    return


@app.cell(hide_code=True)
def _(v):
    mo.md("""
    ## Your numbers

    They stand in the questions. In code: `v.between`, `v.gpus`, `v.size` (MB), `v.ranks`, `v.wire` (GB/s), `v.hop` (µs), `v.checkpoint` and `v.restart` (s);
    in question 3 `v.mb`, `v.n`, `v.gb`, `v.us`; in question 5 `v.s1` MB over `v.k1` GPUs to `v.s4` over `v.k4`. `ring(megabytes, gpus, gigabytes, microseconds)` gives the seconds of a ring.
    """)
    return


@app.cell(hide_code=True)
def _():
    def ring(megabytes, gpus, gigabytes=50, microseconds=5):
        """Seconds in which so many GPUs sum a message in a ring."""
        return ring_all_reduce(megabytes * 1e6, gpus, gigabytes * 1e9, microseconds * 1e-6)
    return (ring,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: divide by the number of GPUs, or leave None and use the form
    _mine = Q_(v.between / v.gpus, "hour")

    q1 = sheet.ask("q1", mine=_mine)
    q1
    return (q1,)


@app.cell
def _(ring, sheet, v):
    _mine = None
    # answer: add the bytes and the hops, or leave None and use the form
    _mine = Q_(ring(v.size, v.ranks, v.wire, v.hop), "s")

    q2 = sheet.ask("q2", mine=_mine)
    q2
    return (q2,)


@app.cell
def _(ring, sheet, v):
    _mine = None
    # answer: compare both parts, or leave None and use the form
    _share = ring(v.mb, v.n, v.gb, 0) / ring(v.mb, v.n, v.gb, v.us)
    _mine = "the bytes" if _share > 2 / 3 else "the hops" if _share < 1 / 3 else "both take between a third and two thirds"

    q3 = sheet.ask("q3", mine=_mine)
    q3
    return (q3,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: take the root, or leave None and use the form
    _mine = Q_((2 * v.checkpoint * v.between * 3600 / v.gpus) ** 0.5, "s")

    q4 = sheet.ask("q4", mine=_mine)
    q4
    return (q4,)


@app.cell
def _(ring, sheet, v):
    _mine = None
    # answer: work out the time of each, or leave None and use the form
    _four = [(v[f"s{i}"], v[f"k{i}"]) for i in range(1, 5)]
    _time = {f"{s:,} MB over {k:,} GPUs": ring(s, k) for s, k in _four}
    _mine = sorted(_time, key=_time.get, reverse=True)

    q5 = sheet.ask("q5", mine=_mine)
    q5
    return (q5,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: write the function, or leave None and use the form
    _mine = (
        "def lost(gpus, interval):\n"
        f"    stop = {v.between} * 3600 / gpus\n"
        f"    share = {v.checkpoint} / interval + (interval / 2 + {v.restart}) / stop\n"
        "    return min(1, share)\n"
    )

    q6 = sheet.ask("q6", mine=_mine)
    q6
    return (q6,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: say which line is wrong, or leave None and use the form
    _right = {
        1: "2 (N − 1) ÷ N" in v.data,
        2: v.rate.endswith("in one direction."),
        3: "2 (N − 1)" in v.hops,
        4: v.stops.endswith("÷ the number of GPUs."),
        5: "checkpoint × the time" in v.interval,
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
