# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="9 · Where to invest")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import Q_, Engine, Hardware, Models, SensitivitySolver, SynthesisSolver
    from mlsysim.evaluation.validate.rows import read
    from mlsysim.learn import charts, lesson, say


@app.cell(hide_code=True)
def _():
    (this := lesson.open("09_sensitivity"))
    return (this,)


@app.cell
def _():
    llama, large, unseen = Models.Language.Llama3_8B, Models.Language.Llama3_70B, Models.Language.GPT_OSS_120B
    return large, llama, unseen


@app.cell
def _(large, llama, this):
    a100, h100, h200 = Hardware.A100, Hardware.H100, Hardware.H200

    def more(chip, flops=1, bandwidth=1):
        """The same chip with more of one thing."""
        return chip.replace(
            compute=chip.compute.replace(peak_flops=chip.compute.peak_flops * flops), memory=chip.memory.replace(bandwidth=chip.memory.bandwidth * bandwidth))

    def step(chip, batch=1, context=2048, phase="decode"):
        """A step in which operators wait for each other, so that each meets its own roof."""
        return Engine.solve(llama, chip, batch_size=batch, seq_len=context, phase=phase, efficiency=this.eta, stack="ideal").latency

    def worth(batch=1, context=2048, phase="decode", chip=h100, **how):
        """How much faster one percent more of each resource makes a step, in percent."""
        found = SensitivitySolver().solve(llama, chip, batch_size=batch, seq_len=context, phase=phase, efficiency=this.eta, stack="ideal", **how).sensitivities
        return abs(float(found["peak_flops"])), abs(float(found["memory_bandwidth"]))

    def must(batch=1, context=2048, model=large, late="50 ms", **how):
        """What a chip must have at least, so that a step takes no longer."""
        return SynthesisSolver().solve(model, late, batch_size=batch, seq_len=context, efficiency=this.eta, **how)

    return a100, h100, h200, more, must, step, worth


@app.cell(hide_code=True)
def _(a100, more, step, this):
    (q1 := this.ask(
        1, f"From lesson 1: {say(a100.peak('fp16'))} and {say(a100.memory.bandwidth)} for an A100. Llama 3 8B writes for one user with 2,048 tokens so far; a token takes {say(step(a100))}. Somebody sells you the same chip with **ten times the FLOPS** and the same memory. How many times as fast does it write?",
        unit="x", within=1.05,
        slips={
            "ten times the FLOPS is ten times the speed": 10,
            "half of the time is arithmetic": 1 / (0.5 + 0.5 / 10),
            "a tenth of the time is arithmetic": 1 / (0.9 + 0.1 / 10),
            "speed grows with the root of FLOPS": 10**0.5,
        },
    ).reveal(
        step(a100) / step(more(a100, flops=10)),
        why=f"Nothing changes, not even a little: every operator of this step waits for its bytes. Ten times the *bandwidth*, which nobody asked about, makes it {say(step(a100) / step(more(a100, bandwidth=10)), 'x')} as fast.",
        then="How much one percent more of a resource buys is its **elasticity** (wall 21). Here it is 1 for bandwidth and 0 for FLOPS. It is not *small* for FLOPS; it is zero.",
    ))
    return (q1,)


@app.cell(hide_code=True)
def _(h100, large, must, q1, this):
    _chip = must().device("least chip", 2027)
    (q2 := this.ask(
        2, f"Now backwards (wall 22). You draw a chip of your own. It must write a token of {large.name} every **50 ms** for one user with 2,048 tokens (fp16, η = {this.eta:g}); that takes {say(must().required_bw)} of bandwidth. How many FLOPS must it have, at least?",
        unit="TFLOP/s", after=q1, within=1.2,
        slips={
            "the proportions of an H100 are kept": h100.peak("fp16") * (must().required_bw / h100.memory.bandwidth),
            "the whole peak is reached": must().required_flops * this.eta,
            "all tokens so far are computed again for each new one": must(phase="prefill").required_flops,
        },
    ).reveal(
        must().required_flops,
        why=f"Two operations for each weight, in 50 ms. An H100 has {say(h100.peak('fp16') / must().required_flops, 'x')} as many: for one user nearly all of its silicon waits. Solving the step on the chip that you drew gives {say(Engine.solve(large, _chip, seq_len=2048, efficiency=this.eta, stack=None).latency)}: the way back closes.",
        formula=f"{say(must().operations)} ÷ ({this.eta:g} × 50 ms) = **{say(must().required_flops)}**; {say(must().traffic)} ÷ 50 ms = {say(must().required_bw)}",
        chart=lambda guess: charts.ranked(
            {"needed": must().required_flops, "an H100 has": h100.peak("fp16")}, x="Peak (TFLOP/s)", log=True, guess={"needed": guess}, title="One user needs hardly any arithmetic"),
    ))
    return (q2,)


@app.cell(hide_code=True)
def _(large, must, q2, this):
    _width = must().required_bw
    _late = (must(16, 8192).traffic / _width).to("ms")
    (q3 := this.ask(
        3, f"You build it: {say(_width)}, FLOPS and room in plenty. A token takes 50 ms. Then **16 users** come, with 8,192 tokens each. How long is a step?",
        unit="ms", after=q2, within=1.1,
        slips={
            "the weights are all that is read": Q_(50, "ms"),
            "each user is a step of his own": Q_(16 * 50, "ms"),
            "every head keeps keys and values of its own": (must(16, 8192, model=large.replace(kv_heads=large.heads)).traffic / _width).to("ms"),
        },
    ).reveal(
        _late, why="The weights are read once for all, the cache of each user comes on top. A chip that is drawn for one user misses the promise for sixteen: write down batch and context beside every deadline.",
        formula=f"{say(must(16, 8192).traffic)} ÷ {say(_width)} = **{say(_late)}**",
    ))
    return (q3,)


@app.cell(hide_code=True)
def _(h100, more, q3, step, this, worth):
    _old, _new = step(h100, 512, 512), step(more(h100, bandwidth=2), 512, 512)
    _gain = float(_old / _new)
    _said = {"the same": 1.0, "about a quarter more": 1.25, "twice as many": 2.0}
    _bars = {f"{n} users": worth(n, 512) for n in (1, 64, 128, 256, 512)}
    (q4 := this.ask(
        4, "A full house: Llama 3 8B on an H100, **512 users** with 512 tokens each. The arithmetic is the larger part of the step. You double the *bandwidth* only. How many tokens a second?", after=q3, options=list(_said),
        why=["the weights wait for arithmetic and the caches for bytes", "it is compute-bound and bandwidth buys nothing", "writing is always memory-bound"],
        slips={
            "the same": "That holds where a whole step meets one roof. Here the weights meet one, and the caches the other, in their turn.",
            "twice as many": "That holds for one user.",
            "it is compute-bound and bandwidth buys nothing": "The matrix products are. Attention reads each user's own cache, and no batch shares it.",
            "writing is always memory-bound": "For one user. 512 users share the weights.",
        },
    ).reveal(
        min(_said, key=lambda name: abs(_said[name] / _gain - 1)), cause="the weights wait for arithmetic and the caches for bytes",
        why=f"A step takes {say(_old)}; {say(worth(512, 512)[0], '%')} of it waits for arithmetic, {say(worth(512, 512)[1], '%')} for memory. Doubling the bandwidth halves the second part: {say(_old / _new, 'x')} the tokens. What one percent buys *is* the share of the time.",
        chart=lambda _: charts.stack(
            {name: {"waits for memory": 100 * memory, "waits for arithmetic": 100 * compute} for name, (compute, memory) in _bars.items()},
            x="Share of the step (%)", notes=dict.fromkeys(_bars, ""), title="One user buys bandwidth, a full house buys both"),
    ))
    return (q4,)


@app.cell(hide_code=True)
def _(h100, h200, q4, this):
    _rows, _ratio = {row.id: row for row in read()}, h100.memory.bandwidth / h200.memory.bandwidth
    _pairs = [(_rows[f"ser{650 + 4 * n:04}"], _rows[f"ser{651 + 4 * n:04}"]) for n in range(7)]
    _share = {f"{new.seq_in} in, {new.seq_out} out": float(100 * (1 - old.measured / new.measured) / (1 - _ratio)) for new, old in _pairs}
    _gain = _pairs[1][0].measured / _pairs[1][1].measured
    (q5 := this.ask(
        5, f"From a measurement: an H200 is an H100 with {say(1 / _ratio, 'x')} the bandwidth and the same FLOPS. Full of users of Llama 3.1 8B (128 tokens in, 2,048 out, fp8) it writes {say(_gain, 'x')} the tokens a second. Which share of the H100's time was spent **waiting for memory**?",
        unit="%", after=q4, within=1.1,
        slips={"gain is divided by gain": (_gain - 1) / (1 / _ratio - 1), "ratio is divided by ratio": _gain * _ratio, "writing waits for memory all the time": 1.0},
    ).reveal(
        _share["128 in, 2048 out"] / 100,
        why="Only the waiting for memory shrinks. So a swap of one resource measures a share of the time, without a profiler. (The H200 holds more users as well; part of its gain is that, so the share is the most that it can be.)",
        formula=f"(1 − 1 ÷ {_gain:.3g}) ÷ (1 − {_ratio.m_as(''):.3g}) = **{say(_share['128 in, 2048 out'], '')} %**",
        chart=lambda guess: charts.ranked(_share, x="Waits for memory, from measured gains (%)", sort=False, guess={"128 in, 2048 out": guess}, title="Long answers wait for memory, long prompts do not", subtitle="Llama 3.1 8B in fp8, H200 against H100, full of users (TensorRT-LLM 0.17)"),
        then="""
## Explore

Find a setting in which one percent of FLOPS and one percent of bandwidth buy about the same. What happens to it when the context doubles? Find one in which FLOPS buy nearly everything.
""",
    ))
    return (q5,)


@app.cell(hide_code=True)
def _(q5, this):
    this.wait(q5)
    batch = mo.ui.slider(steps=[1, 8, 64, 128, 256, 512], value=1, label="Batch (users)", show_value=True, full_width=True)
    context = mo.ui.slider(steps=[1, 128, 512, 1024, 2048, 4096], value=2048, label="Context (tokens of each user)", show_value=True, full_width=True)
    phase = mo.ui.radio(["decode", "prefill"], value="decode", label="The step", inline=True)
    mo.vstack([batch, context, phase])
    return batch, context, phase


@app.cell(hide_code=True)
def _(a100, batch, context, h100, more, phase, step, worth):
    _at = batch.value, context.value, phase.value
    _flops, _bandwidth = worth(*_at)
    mo.vstack([
        lesson.stats({"one step": step(h100, *_at), "1 % more FLOPS": f"{say(_flops)} % faster", "1 % more bandwidth": f"{say(_bandwidth)} % faster"}),
        charts.tornado(
            {name: [step(more(h100, **{key: times}), *_at).to("ms") for times in (0.5, 2)] for name, key in (("FLOPS", "flops"), ("bandwidth", "bandwidth"))},
            x="One step (ms)", base=step(h100, *_at).to("ms"), title="Half and twice of each"),
        mo.md(f"""
## A fallacy

**"For language models, bandwidth is worth 15 times as much as FLOPS"** (−0.88 against −0.06, some slides say). On an A100 with one user it is −{say(worth(chip=a100)[1])} against **{say(worth(chip=a100)[0])}**: no ratio exists. (A step of ten percent to one side gives −{say(worth(chip=a100, forward=True)[1])} for the first; nothing gives the second.)
For 512 users with 512 tokens, FLOPS are worth {say(worth(512, 512)[0] / worth(512, 512)[1], 'x')} as much as bandwidth. And *"at a batch of 64, FLOPS bind"*: with a context of 1 they are worth {say(worth(64, 1)[0])}, bandwidth {say(worth(64, 1)[1])}.
"""),
    ])
    return


@app.cell(hide_code=True)
def _(must, q5, this, unseen):
    _alone, _many = (must(n, 4096, model=unseen, late="5 ms") for n in (1, 16))
    (q6 := this.ask(
        6, f"A model not seen so far, for a chip that you draw: {unseen.name} is a mixture of experts; each token uses 4 of the 128 in a layer. A token every 5 ms for one user with 4,096 tokens takes {say(_alone.required_bw)} of bandwidth (fp16). And for **16 users**?",
        unit="TB/s", after=q5, within=1.2, because="16 users need … because",
        slips={"weights are shared by all users": _alone.required_bw, "every user needs everything for himself": 16 * _alone.required_bw},
    ).reveal(
        _many.required_bw,
        why=f"Each user's token picks its own experts, so 16 users wake many more of them: {say(_many.traffic)} a step instead of {say(_alone.traffic)}. Sharing helps only where two users want the same bytes. One way to finish: *16 users need nearly ten times the bandwidth because they seldom pick the same experts.*",
    ))
    return (q6,)


@app.cell(hide_code=True)
def _(q1, q2, q3, q4, q5, q6, this):
    this.close(q1, q2, q3, q4, q5, q6)
    return


if __name__ == "__main__":
    app.run()
