# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="0 · Hello, Roofline")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import Engine, Hardware, Models
    from mlsysim.learn import charts, lesson, say


@app.cell(hide_code=True)
def _():
    (this := lesson.open("00_hello_roofline"))
    return (this,)


@app.cell
def _():
    llama, mistral = Models.Language.Llama3_8B, Models.Language.Mistral_7B
    return llama, mistral


@app.cell
def _():
    h100 = Hardware.Cloud.H100
    return (h100,)


@app.cell
def _(h100, llama, this):
    def write(batch=1, context=2048, chip=h100, model=llama, eta=this.eta):
        """One step: every user of the batch gets one token more."""
        return Engine.solve(model, chip, batch_size=batch, seq_len=context, efficiency=eta)

    def read(eta=this.eta):
        """One pass over a prompt of 2,048 tokens."""
        return Engine.solve(llama, h100, seq_len=2048, phase="prefill", efficiency=eta)

    one, peak, bandwidth = write(), h100.peak("fp16"), h100.memory.bandwidth
    return bandwidth, one, peak, read, write


@app.cell(hide_code=True)
def _(bandwidth, h100, llama, one, peak):
    mo.vstack([
        mo.md("You rent a chip, and a language model runs on it. The shop tells you:"),
        lesson.table(
            ["The chip", "The model"],
            [[h100.name, llama.name],
             [f"{say(peak)} (fp16); a TFLOP is 10¹² operations", f"{llama.parameters / 1e9:.1f} billion weights of two bytes (fp16)"],
             [f"{h100.memory.capacity.m_as('GiB'):.0f} GB of memory; {say(bandwidth)}", f"{one.operations.m_as('GFLOP'):.0f} GFLOP for each token that it writes"]],
        ),
    ])
    return


@app.cell(hide_code=True)
def _(one, peak, this):
    (q1 := this.ask(
        1, "The model writes for **one user**, who has 2,048 tokens (pieces of words) so far. How many tokens a second does this user get?",
        unit="tokens/s",
        slips={
            "the chip's operations a second are divided by those of a token": peak / one.operations,
            "half of the chip's operations a second are divided by those of a token": 0.5 * peak / one.operations,
            "a weight is one byte": 2 * one.throughput,
            "bytes are read as bits": one.throughput / 8,
        },
    ).reveal(
        one.throughput,
        then=f"Operations alone would allow {say(peak / one.operations, 'tokens/s')}, **{say(peak / one.operations / one.throughput, 'x')} as many**. "
        "Something else is in the way. What?",
    ))
    return (q1,)


@app.cell(hide_code=True)
def _(bandwidth, llama, one, peak, q1, this):
    (q2 := this.ask(
        2, f"One token takes {say(one.latency)}, and the arithmetic units work for {say(one.compute_time)} of it. What do they wait for?", after=q1,
        options=["weights that come from memory", "the software that launches the work", "each other, layer after layer", "nothing, they run below their peak"],
        slips={
            "the software that launches the work": f"That takes {say(one.overhead)}.",
            "each other, layer after layer": "Layers do wait for one another; but what takes so long in each of them is the fetching of its weights.",
            "nothing, they run below their peak": f"The {say(one.compute_time)} are at half of the peak already.",
        },
    ).reveal(
        "weights that come from memory",
        why=f"Each token needs every weight of {llama.name}, and the weights lie in memory: {say(one.traffic)} with the little that is kept of each token so far. "
        f"The arithmetic would be done {say(one.memory_time / one.compute_time, 'x')} over before they are there.",
        formula=lambda _: f"{say(one.traffic)} ÷ {say(bandwidth)} = **{say(one.memory_time)}** a token. "
        f"Your {q1.said()} would need {say(float(q1.guess()) * one.traffic)} out of memory every second.",
        chart=lambda _: charts.ranked(
            {"bytes": one.memory_time, "operations": one.compute_time}, x="One token (ms)", title=f"The arithmetic waits {say(1 - one.compute_time / one.memory_time, '%')} of the time"),
        then=f"""
## Two clocks

Every step runs two clocks at once. One counts **operations**, the other counts **bytes**; the slower one is your time. No real program reaches the whole peak,
so this course reckons with a part of it, η ("eta"), of {this.eta:g} unless it says otherwise.

**time = the larger of (operations ÷ (η × peak)) and (bytes ÷ bandwidth), plus the launch**

{lesson.table(
    ["", "operations", "bytes"],
    [["one token, one user", one.operations, one.traffic], ["divided by", f"{this.eta:g} × {say(peak)}", bandwidth],
     ["clock", one.compute_time, f"{say(one.memory_time)} (slower)"], ["step", "", f"{say(one.memory_time)} + {say(one.overhead)} = {say(one.latency)}"]],
)}

Where bytes decide, a step is **memory-bound**; where operations decide, **compute-bound**.
""",
    ))
    return (q2,)


@app.cell(hide_code=True)
def _(one, peak, q2, read, this):
    (q3 := this.ask(
        3, f"Before it writes, the model **reads** the user's prompt. The same chip takes 2,048 tokens in one pass, at half of its peak (η = {this.eta:g}). How long does that take?",
        unit="ms", within=1.15, after=q2,
        slips={
            "2,048 tokens are 2,048 steps": 2048 * one.latency,
            "one pass costs what one token costs": one.latency,
            "the whole peak is reached": read(eta=1.0).latency,
        },
    ).reveal(
        read().latency,
        why=f"The weights come from memory once, and all 2,048 tokens use them: {say(read().operations / one.operations, 'x')} the operations for about the same bytes. "
        f"Now the clock of the operations is the slower one. It is still {say(2048 * one.latency / read().latency, 'x')} quicker than token by token.",
        formula=f"{say(read().operations)} ÷ ({this.eta:g} × {say(peak)}) = **{say(read().compute_time)}**; the bytes take {say(read().memory_time)}",
        chart=lambda guess: charts.ranked(
            {"operations": read().compute_time, "bytes": read().memory_time}, x="Reading 2,048 tokens (ms)", title="The clocks have changed places"),
    ))
    return (q3,)


@app.cell(hide_code=True)
def _(h100, one, q3, read, this, write):
    short, shared = write(1, context=64), write(64, context=64)
    (q4 := this.ask(
        4, f"Back to writing, with a short context of 64 tokens: a step for one user takes {say(short.latency)}. Now **64 such users** share each step (a *batch* of 64). How long is a step?",
        unit="ms", after=q3,
        slips={
            "64 users take 64 times as long": 64 * short.latency,
            "the operations come on top of the bytes": short.latency + shared.compute_time,
        },
    ).reveal(
        shared.latency,
        why="The weights are read once for all 64; only what is kept of each user's tokens comes on top. The operations are 64 times as many, but their clock was far behind, "
        f"and the clocks run at the same time: 64 users cost {say(shared.latency / short.latency - 1, '%')} more time than one.",
        formula=f"the larger of {say(shared.compute_time)} and {say(shared.memory_time)}, + {say(shared.overhead)} = **{say(shared.latency)}**",
        chart=lambda _: charts.roofline(
            [h100], [one, shared, read()], efficiency=this.eta, title="Left of the ridge bytes decide, right of it operations",
            subtitle="Write for 1, write for 64, read 2,048 tokens"),
        then=f"""
This picture is a **roofline**. Across: operations for each byte moved. Up: operations a second. The slope is the memory's limit, the flat roof that of the arithmetic;
they meet at the **ridge**, here {say(this.eta * h100.ridge('fp16'))} (η × peak ÷ bandwidth). Sharing the weights moves a step to the right.

## Explore

Set the context to 1 token, and find the batch at which a step turns compute-bound. Then set the context to 2,048 and look for it again.
""",
    ))
    return (q4,)


@app.cell(hide_code=True)
def _(q4, this):
    this.wait(q4)
    batch = mo.ui.slider(steps=[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024], value=1, label="Batch (users)", show_value=True, full_width=True)
    context = mo.ui.slider(steps=[1, 128, 512, 1024, 2048, 4096, 8192], value=1, label="Context (tokens of each user)", show_value=True, full_width=True)
    mo.vstack([batch, context])
    return batch, context


@app.cell(hide_code=True)
def _(batch, context, h100, llama, one, peak, this, write):
    _model, _chip = this.own(llama, h100)
    _now = write(batch.value, context.value, _chip, _model)
    mo.vstack([
        lesson.stats({
            "one step": _now.latency, "all users together": say(_now.throughput, "tokens/s"), "bound by": _now.bottleneck.lower(),
            "fits" if _now.feasible else "does NOT fit": f"{say(_now.memory_required)} of {say(_now.memory_capacity)}",
        }),
        charts.roofline(
            [_chip], [write(n, context.value, _chip, _model) for n in sorted({1, 4, 16, 64, 256, 1024, batch.value})], efficiency=this.eta, highlight=batch.value,
            title=f"{_model.name} on {_chip.name}, at a context of {context.value:,}", subtitle="Numbers under the dots are batch sizes; yours is large"),
        mo.md(f"""
## A fallacy

**"This chip runs at {say(one.operations / one.latency / peak, "%")} of its peak, so the software is bad."** The share is right, for one user with 2,048 tokens. Now let perfect software
reach the whole peak, η = 1: a step takes {say(write(eta=1.0).latency)}; it took {say(one.latency)} before. Perfect arithmetic changes nothing where bytes decide. More users do.
"""),
    ])
    return


@app.cell(hide_code=True)
def _(mistral, q4, this, write):
    chips = {"A100": Hardware.A100, "RTX 4090": Hardware.RTX_4090, "L4": Hardware.L4, "M4 Max": Hardware.M4_Max}
    rate = {name: write(context=1024, chip=chip, model=mistral).throughput.m_as("1/s") for name, chip in chips.items()}
    flops = {name: chip.peak("fp16").m_as("TFLOP/s") for name, chip in chips.items()}
    (q5 := this.ask(
        5, f"Other chips, another model: {mistral.name} writes for one user. Order them by **tokens a second**, fastest first: "
        + ", ".join(f"{name} ({say(chip.peak('fp16'))}; {say(chip.memory.bandwidth)})" for name, chip in chips.items()) + ". The M4 Max sits in a laptop.",
        order=list(chips), because="Finish the sentence: the L4 is …-bound because", after=q4,
        slips={"of their FLOPS": sorted(flops, key=flops.get, reverse=True), "of data-centre cards first": ["A100", "L4", "RTX 4090", "M4 Max"]},
    ).reveal(
        sorted(rate, key=rate.get, reverse=True),
        why=f"For one user every one of them is memory-bound, so bandwidth alone gives the order. The L4 has {say(flops['L4'] / flops['M4 Max'], 'x')} the FLOPS of the laptop, "
        f"and the laptop writes {say(rate['M4 Max'] / rate['L4'], 'x')} as fast. One way to finish the sentence: *the L4 is memory-bound because fetching the weights takes longer than using them once.*",
        then="""
## In five lines of Python

```python
from mlsysim import Engine

step = Engine.solve("Llama3_8B", "H100", batch_size=32)
print(step.bottleneck, step.latency)
print(step.summary())
```

Put your own model, chip and batch in their places. From a shell: `mlsysim solve Llama3_8B H100 --batch-size 32`.
""",
    ))
    return (q5,)


@app.cell(hide_code=True)
def _(q1, q2, q3, q4, q5, this):
    this.close(q1, q2, q3, q4, q5)
    return


if __name__ == "__main__":
    app.run()
