# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Exercise 4 · Starving the GPU")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import Hardware
    from mlsysim.core.units import Q_
    from mlsysim.course.journal import Journal
    from mlsysim.learn.answers import identity, open_sheet


@app.cell(hide_code=True)
def _():
    who = identity("04_starving_the_gpu")
    who
    return (who,)


@app.cell(hide_code=True)
def _(who):
    student, code, journal = who.value["student"], who.value["code"], Journal().records()
    return code, journal, student


@app.cell(hide_code=True)
def _(code, student):
    sheet = open_sheet("04_starving_the_gpu", student, code=code, notebook=__file__)
    v = sheet.variant
    return sheet, v


@app.cell(hide_code=True)
def _(sheet):
    _v = sheet.sample
    _disk, _cpus = Q_(_v.disk * 1e6 / _v.size, "1/s"), Q_(_v.cpus * _v.rate, "1/s")
    _all = min(_disk, _cpus, Q_(_v.pace, "1/s"))
    mo.md(f"""
    ## A worked example, with other numbers

    *A GPU that takes {_v.pace:,} images a second; a disk of {_v.disk} GB/s, {_v.size} kB an image; {_v.cpus} virtual CPUs that decode {_v.rate} images a second each.*

    | stage | images a second | |
    |:---|---:|:---|
    | disk | {_disk.m_as("1/s"):,.0f} | {_v.disk} GB/s ÷ {_v.size} kB |
    | virtual CPUs | {_cpus.m_as("1/s"):,.0f} | {_v.cpus} × {_v.rate} |
    | GPU | {_v.pace:,} | as it was measured alone |

    All three work at the same time, so **{_all.m_as("1/s"):,.0f} images a second** come through, and the GPU is busy {_all.m_as("1/s") / _v.pace:.0%} of the time.
    In code, a rate is `Q_(1234, "1/s")` and a share `Q_(0.42, "")`.
    """)
    return


@app.cell(hide_code=True)
def _(v):
    mo.md(f"""
    ## Your numbers

    They stand in the questions. In code: `v.pace`, `v.disk` (GB/s), `v.size` (kB), `v.cpus`, `v.rate`, `v.gpus`; in question 4 `v.d4`, `v.s4`, `v.c4`, `v.r4`, `v.p4`
    and `v.w4`; in question 5 `v.m1` on `v.n1`, `v.m2` on `v.n2`, `v.r1` images of `v.b1` kB, `v.r2` of `v.b2` kB.
    An H100 has {Hardware.Cloud.H100.peak("fp16").m_as("TFLOP/s"):,.1f} TFLOP/s in 16 bits; {v.m1.name} has {v.m1.parameters / 1e9:.2f} billion parameters, {v.m2.name} {v.m2.parameters / 1e9:.2f}.
    """)
    return


@app.cell
def _(sheet, v):
    _mine = None
    # answer: find the slowest stage, or leave None and use the form
    _mine = Q_(min(v.disk * 1e6 / v.size, v.cpus * v.rate, v.pace), "1/s")

    q1 = sheet.ask("q1", mine=_mine)
    q1
    return (q1,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: compare it with what the GPU could take, or leave None and use the form
    _mine = Q_(min(v.disk * 1e6 / v.size, v.cpus * v.rate, v.pace) / v.pace, "")

    q2 = sheet.ask("q2", mine=_mine)
    q2
    return (q2,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: divide what all GPUs take by what one CPU decodes, or leave None and use the form
    _mine = -(-v.gpus * v.pace // v.rate)

    q3 = sheet.ask("q3", mine=_mine)
    q3
    return (q3,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: find the slowest stage after each change, or leave None and use the form
    _disk, _cpus = v.d4 * 1e6 / v.s4, v.c4 * v.r4
    _after = {
        "a disk twice as fast": min(2 * _disk, _cpus, v.p4),
        "twice the virtual CPUs": min(_disk, 2 * _cpus, v.p4),
        "a GPU twice as fast": min(_disk, _cpus, 2 * v.p4),
        "raw images": min(v.d4 * 1e6 / v.w4, v.p4),
    }
    _mine = max(_after, key=_after.get)

    q4 = sheet.ask("q4", mine=_mine)
    q4
    return (q4,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: multiply samples a second by bytes, or leave None and use the form
    _peak = Hardware.Cloud.H100.peak("fp16").m_as("FLOP/s") * v.mfu / 100
    _bytes = {f"{r:,} images/s of {b} kB": r * b * 1e3 for r, b in ((v.r1, v.b1), (v.r2, v.b2))}
    _bytes |= {f"{m.name} on {n:,} × H100": 4 * n * _peak / (6 * m.parameters) for m, n in ((v.m1, v.n1), (v.m2, v.n2))}
    _mine = sorted(_bytes, key=_bytes.get, reverse=True)

    q5 = sheet.ask("q5", mine=_mine)
    q5
    return (q5,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: write the function, or leave None and use the form
    _mine = (
        "def rate(disk, size, cpus, ahead):\n"
        f"    stages = [disk / size, cpus * {v.rate}, {v.pace}]\n"
        "    return min(stages) if ahead else 1 / sum(1 / stage for stage in stages)\n"
    )

    q6 = sheet.ask("q6", mine=_mine)
    q6
    return (q6,)


@app.cell
def _(sheet, v):
    _mine = None
    # answer: say which line is wrong, or leave None and use the form
    _right = {
        1: v.demand.endswith("× the number of GPUs."),
        2: v.read.endswith("× the bytes of an image on disk."),
        3: "× 8" in v.link,
        4: v.decode.endswith("rounded up."),
        5: "÷ 2" in v.cores,
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
