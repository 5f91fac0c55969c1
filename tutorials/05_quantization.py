# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="5 · Quantization")

with app.setup(hide_code=True):
    import marimo as mo
    import numpy as np

    from mlsysim import (
        Q_,
        CompressionModel,
        ContinuousBatchingModel,
        Engine,
        Hardware,
        Literature,
        Models,
    )
    from mlsysim.evaluation.validate import read as published
    from mlsysim.learn import charts, lesson, say


@app.cell(hide_code=True)
def _():
    (this := lesson.open("05_quantization"))
    return (this,)


@app.cell
def _():
    llama, llama2, llama13, unseen = Models.Language.Llama3_8B, Models.Language.Llama2_7B, Models.Language.Llama2_13B, Models.Language.Qwen3_8B
    h100, a100 = Hardware.H100, Hardware.A100
    return a100, h100, llama, llama13, llama2, unseen


@app.cell
def _(h100, llama, this):
    def step(precision, batch=1, context=2048, chip=h100, model=llama, cache=None, phase=None):
        """One step with its weights in this precision; the cache keeps 16 bits unless told."""
        return CompressionModel().solve(
            model, chip, precision=precision, kv_precision=cache, batch_size=batch, seq_len=context, phase=phase, efficiency=this.eta)

    def gain(*how, **more):
        """How many times faster than in 16 bits."""
        return step(*how, **more).speedup

    def crossing(narrow, chip, model):
        """The first batch at which 8 bits with their own datapath write faster than 4 bits."""
        return next(n for n in range(1, 1000) if step(narrow, n, 64, chip, model).latency < step("int4", n, 64, chip, model).latency)

    def ridge(chip):
        """η times peak, over bandwidth: operations a byte."""
        return (this.eta * chip.ridge("fp16")).m_as("FLOP/B")

    return crossing, gain, ridge, step


@app.cell(hide_code=True)
def _(a100, llama13, this):
    _full = ContinuousBatchingModel().solve(llama13, a100, seq_len=2048, max_seq_len=2048, efficiency=this.eta)
    _each = _full.sequence
    (q1 := this.ask(
        1, f"From lesson 3: {llama13.name} ({say(llama13.parameters / 1e9)} billion weights of two bytes; {llama13.layers} layers with {llama13.key_heads} KV heads of {llama13.head_dim}) on an A100 of {say(a100.memory.capacity)}, a tenth of it in reserve. How many users with 2,048 tokens each fit?",
        unit="users",
        slips={
            "the weights take no room": (a100.memory.capacity - _full.reserve) / _each,
            "keys are counted and values forgotten": 2 * _full.paged_batch,
        },
    ).reveal(
        _full.paged_batch, why="What is left beside weights and reserve, divided by the cache of one user.",
        formula=f"({say(a100.memory.capacity - _full.reserve)} − {say(_full.weights)}) ÷ {say(_each)} = **{_full.paged_batch:.0f} users**",
        then=f"""
The weights could be **narrower**. Three ways to keep and use them:

{lesson.table(["", "weights", "arithmetic", "KV cache"], [["16 bits", "16 bits", "16 bits", "16 bits"], ["INT4, weights only", "4 bits, and a scale for each 128", "16 bits", "16 bits"], ["FP8", "8 bits", "8 bits: twice the peak on an H100", "16 bits"]])}

With INT4 the table of words and the last layer usually stay at 16 bits.
""",
    ))
    return (q1,)


@app.cell(hide_code=True)
def _(gain, h100, llama, q1, step, this):
    _wide, _narrow = (Engine.solve(llama, h100, seq_len=2048, precision=p, efficiency=this.eta) for p in ("fp16", "int4"))
    (q2 := this.ask(
        2, f"{llama.name} on an H100, **one user** with 2,048 tokens. How many times faster does INT4 write than 16 bits?",
        unit="x", after=q1, within=1.15,
        slips={"4 bits are four times as fast": 4, "the arithmetic decides, and it did not change": 1, "half of the saving is eaten": 2},
    ).reveal(
        gain("int4"),
        why="One user waits for bytes, so fewer bytes help. But the scales cost a little, the last layer is still wide, and the cache is not smaller at all.",
        formula=f"{say(_wide.traffic)} ÷ {say(_narrow.traffic)} = {say(_wide.traffic / _narrow.traffic, 'x')}, less what the launch takes",
        chart=lambda guess: charts.stack(
            {name: {"weights": one.traffic - one.kv_cache, "cache": one.kv_cache} for name, one in (("16 bits", _wide), ("INT4", _narrow))},
            x="Read for one token (GB)", guess={"INT4": _wide.traffic / guess}, title="The weights shrink, and not quite to a quarter"),
    ))
    return (q2,)


@app.cell(hide_code=True)
def _(a100, llama2, q2, this):
    _rows = {row.id: row.measured for row in published()}
    _wide, _half, _narrow = (_rows[name] for name in ("dec0504", "dec0505", "dec0506"))
    _all = Engine.solve(llama2, a100, seq_len=1).traffic.m_as("GB")
    _read = [_all, _all / 2, _all * 5 / 16]
    _slope, _rest = np.polyfit(_read, [1e3 / each for each in (_wide, _half, _narrow)], 1)
    (q3 := this.ask(
        3, f"Now a **measurement**. {llama2.name}, one user, A100: {say(Q_(_wide, '1/s'), 'tokens/s')} with 16 bits a weight, {say(Q_(_half, '1/s'), 'tokens/s')} with 8. The 4-bit file has 5 bits a weight, with a scale and a zero for each 32. What was measured for it?",
        unit="tokens/s", after=q2, within=1.15,
        slips={
            "4 bits are four times as fast as 16": Q_(4 * _wide, "1/s"),
            "4 bits are twice as fast as 8": Q_(2 * _half, "1/s"),
            "the time is in proportion to the bits": Q_(1.6 * _half, "1/s"),
        },
    ).reveal(
        Q_(_narrow, "1/s"),
        why=f"The points lie on a line: bytes are paid at {say(Q_(1 / _slope, 'TB/s'))} (the sheet says {say(a100.memory.bandwidth)}), and {say(Q_(_rest, 'ms'))} a token are paid whatever the bits are: launching, attention, choosing the token. "
        f"So INT4 gained {say(_narrow / _wide, 'x')} in this measurement.",
        chart=lambda guess: charts.lines(
            {"a straight line": ([0, 14], [_rest, _rest + 14 * _slope])}, dots={name: ([read], [1e3 / rate]) for name, read, rate in zip(("16 bits", "8 bits", "4 bits"), _read, (_wide, _half, _narrow), strict=True)},
            x="Weights read for a token (GB)", y="Time of a token (ms)", guess=(_read[2], 1e3 / guess), title="Bytes are paid at the bandwidth of the sheet; the rest stays", subtitle="gpt-fast, Llama 2 7B, one A100, one user"),
    ))
    return (q3,)


@app.cell(hide_code=True)
def _(gain, q3, step, this):
    (q4 := this.ask(
        4, "Back to Llama 3 8B on the H100, now **512 users** with 128 tokens each in one batch. How many times faster does INT4 write than 16 bits?",
        unit="x", after=q3, within=1.15,
        why=["the arithmetic is as wide as before and now decides", "unpacking 4 bits takes the time that is saved", "the caches have become larger than the weights"],
        slips={
            "512 users gain what one user gains": gain("int4", 1, 128), "4 bits are four times as fast": 4, "half of the saving is eaten": 2,
        },
    ).reveal(
        gain("int4", 512, 128), cause="the arithmetic is as wide as before and now decides",
        why=f"The 4-bit weights are widened to 16 bits before they are multiplied. With 512 users the multiplying takes longest, so smaller files gain **nothing**. (Unpacking takes time, too; this reckoning leaves it out.) FP8 has the narrower datapath, and gains {say(gain('fp8', 512, 128), 'x')} with twice the bits.",
        formula=f"step of 512: {say(step('int4', 512, 128).baseline_latency)} with 16 bits, {say(step('int4', 512, 128).latency)} with INT4, {say(step('fp8', 512, 128).latency)} with FP8",
    ))
    return (q4,)


@app.cell(hide_code=True)
def _(crossing, gain, h100, llama, q4, ridge, this):
    _batches = [1, 4, 16, 32, 48, 64, 80, 96, 128, 192, 256, 512]
    (q5 := this.ask(
        5, f"For one user INT4 wins, for 512 FP8 does. From **which batch** on does FP8 write faster? (64 tokens each, η = {this.eta:g}; an H100 has {say(h100.peak('fp16'))} in 16 bits and {say(h100.memory.bandwidth)})",
        unit="users", after=q4, within=1.3,
        slips={"both roofs of 16-bit weights must meet": ridge(h100), "the whole peak is reached": ridge(h100) / this.eta, "a handful of users is enough": 8},
    ).reveal(
        crossing("fp8", h100, llama),
        why="FP8 waits for one byte a weight. INT4 waits for the arithmetic of its users, two operations a weight and user. They are equal where one byte takes as long as the users' operations: near **half the ridge**.",
        formula=f"1 B ÷ {say(h100.memory.bandwidth)} = users × 2 FLOP ÷ ({this.eta:g} × {say(h100.peak('fp16'))}) gives {ridge(h100) / 2:.0f} users; with caches and the wide last layer **{crossing('fp8', h100, llama)}**",
        chart=lambda guess: charts.lines(
            {name: (_batches, [gain(p, n, 64) for n in _batches]) for name, p in (("INT4", "int4"), ("FP8", "fp8"))},
            x="Batch (users)", y="Faster than 16 bits (times)", log="x", guess=(guess, gain("fp8", max(1, round(guess)), 64) if guess < 2000 else 2.0), title="Few users: fewer bits. Many users: a narrower datapath"),
    ))
    return (q5,)


@app.cell(hide_code=True)
def _(gain, q5, step, this):
    (q6 := this.ask(
        6, "One user again, Llama 3 8B on the H100, but with **131,072 tokens** of context. How many times faster does INT4 write than 16 bits?",
        unit="x", after=q5, within=1.2,
        slips={"the cache is forgotten": gain("int4", 1, 128), "the cache shrinks with the weights": gain("int4", 1, 131072, cache="int8"), "it is all cache": 1},
    ).reveal(
        gain("int4", 1, 131072),
        why=f"Now the cache is as large as the weights were: {say(step('int4', 1, 131072).kv_cache)}, in 16 bits. To shrink it is a decision of its own: with an 8-bit cache as well it would be {say(gain('int4', 1, 131072, cache='int8'), 'x')}.",
        then="""
## Explore

Find a batch and a context at which none of the three bars gains a fifth, though everything fits. What would you shrink there? Try it.
""",
    ))
    return (q6,)


@app.cell(hide_code=True)
def _(q6, this):
    this.wait(q6)
    batch = mo.ui.slider(steps=[1, 4, 8, 12, 32, 64, 96, 128, 256, 512], value=1, label="Batch (users)", show_value=True, full_width=True)
    context = mo.ui.slider(steps=[64, 512, 2048, 8192, 32768], value=64, label="Context (tokens of each user)", show_value=True, full_width=True)
    cache = mo.ui.checkbox(label="keep the cache in 8 bits")
    mo.vstack([batch, context, cache])
    return batch, cache, context


@app.cell(hide_code=True)
def _(batch, cache, context, gain, llama, step):
    _how = {"INT4, weights only": "int4", "INT8": "int8", "FP8": "fp8"}
    _now = step("int4", batch.value, context.value, cache="int8" if cache.value else None)
    _bars = {name: step(p, batch.value, context.value, cache="int8" if cache.value else None) for name, p in _how.items()}
    _loss = Literature.Compression
    mo.vstack([
        lesson.stats({"16 bits": "fits" if _now.baseline_feasible else "does NOT fit", "INT4": "fits" if _now.feasible else "does NOT fit", "INT4 is bound by": _now.bottleneck.lower(), "its cache": _now.kv_cache}),
        charts.ranked({name: (one.baseline_latency / one.latency).m_as("") for name, one in _bars.items()}, x="Faster than 16 bits (times)", sort=False, level={"16 bits": 1.0}, title=f"Batch {batch.value}, {context.value:,} tokens of each user"),
        mo.md(f"""
## A fallacy

**"INT4 beats FP8, it has half the bits."** Move the batch to 512: FP8 is {say(gain("fp8", 512, 64) / gain("int4", 512, 64), "x")} as fast. You may read that INT4 gives *nearly 4 times* where memory binds, and *0 times* where arithmetic binds, as in training. It is {say(gain("int4", 1, 64), "x")} at best for one user of {llama.name},
{say(gain("int4", 1, 2048, phase="prefill"), "x")} for a prompt of 2,048 tokens: it gains nothing, but it does not stand still.

And what does it cost in **quality**? Published, as a rise of perplexity, where lower is better: {say(float(_loss.GPTQ_int4_LLaMA_7B.value))} more for LLaMA 7B with 4-bit weights, {say(float(_loss.SmoothQuant_w8a8_Llama3_8B.value))} more for Llama 3 8B with 8 bits throughout. We hold no measured speed of 4 bits for many users.
"""),
    ])
    return


@app.cell(hide_code=True)
def _(a100, crossing, q6, ridge, this, unseen):
    (q7 := this.ask(
        7, f"A chip and a model not seen here: {unseen.name} on an A100 ({say(a100.peak('fp16'))} in 16 bits, {say(a100.peak('int8'))} in INT8, {say(a100.memory.bandwidth)}). INT8 for weights **and** arithmetic, against INT4 for weights only: from which batch on do 8 bits write faster? (64 tokens each, η = {this.eta:g})",
        unit="users", after=q6, within=1.3, because="It is so because from there on the step with INT4 is …-bound and",
        slips={"both roofs of 16-bit weights must meet": ridge(a100), "the whole peak is reached": ridge(a100) / this.eta, "a handful of users is enough": 8},
    ).reveal(
        crossing("int8", a100, unseen),
        why=f"Half the ridge again, and the ridge of an A100 is lower: {ridge(a100):.0f} operations a byte at this η instead of {ridge(Hardware.H100):.0f}. Its arithmetic becomes the limit earlier, so fewer users are enough.",
    ))
    return (q7,)


@app.cell(hide_code=True)
def _(q1, q2, q3, q4, q5, q6, q7, this):
    this.close(q1, q2, q3, q4, q5, q6, q7)
    return


if __name__ == "__main__":
    app.run()
