# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="13 · The differential explainer")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import ContinuousBatchingModel, Engine, Hardware, Models
    from mlsysim.engine.explain import explain
    from mlsysim.evaluation.validate.rows import read
    from mlsysim.learn import charts, lesson, say


@app.cell(hide_code=True)
def _():
    (this := lesson.open("13_differential_explainer"))
    return (this,)


@app.cell
def _():
    llama, phi = Models.Language.Llama3_1_8B, Models.Language.Phi4
    a100, h100, h200, l40s = Hardware.A100, Hardware.H100, Hardware.H200, Hardware.L40S
    return a100, h100, h200, l40s, llama, phi


@app.cell
def _(h100, h200, llama, this):
    def step(chip, batch=1, context=64, model=llama, phase="decode"):
        """One step of decoding, or one pass over a prompt."""
        return Engine.solve(model, chip, batch_size=batch, seq_len=context, phase=phase, efficiency=this.eta)

    def loaded(chip, prompt, answer):
        """A chip that takes in all that fits, in fp8; what one operator needs, the next waits for."""
        return ContinuousBatchingModel().solve(
            llama, chip, seq_len=prompt + answer, max_seq_len=prompt + answer, decode_tokens=answer,
            precision="fp8", kv_precision="fp8", efficiency=this.eta, stack="ideal")

    def gain(prompt, answer):
        """How many times the tokens a second the H200 writes."""
        return (loaded(h200, prompt, answer).throughput / loaded(h100, prompt, answer).throughput).m_as("")

    def ratios(old, new):
        """FLOPS and bandwidth of the new chip, each over those of the old one."""
        return (new.peak("fp16") / old.peak("fp16")).m_as(""), (new.memory.bandwidth / old.memory.bandwidth).m_as("")

    _rows = {row.id: row for row in read()}
    _pairs = [(_rows[f"ser0{n}"], _rows[f"ser0{n + 1}"]) for n in (650, 654, 658, 662, 666, 670, 674)]
    measured = {f"{new.seq_in} in / {new.seq_out} out": new.measured / old.measured for new, old in _pairs}
    return gain, loaded, measured, ratios, step


@app.cell(hide_code=True)
def _(a100, llama, ratios, step, this):
    _chip = Hardware.MI300X
    _flops, _bytes = ratios(a100, _chip)
    (q1 := this.ask(
        1, f"From lesson 1, with another chip: one user, {llama.name} writes. You move from an A100 to an MI300X: {say(_flops, 'x')} the FLOPS, {say(_bytes, 'x')} the bandwidth. How many times as fast is a step?",
        unit="x", within=1.1,
        slips={"the FLOPS decide": _flops, "both changes are multiplied": _flops * _bytes, "the mean of both counts": (_flops + _bytes) / 2},
    ).reveal(
        step(a100).latency / step(_chip).latency,
        why="For one user a step waits for its bytes; only the bandwidth answers, and the launch keeps a little of it back. So far every upgrade looks easy to explain.",
    ))
    return (q1,)


@app.cell(hide_code=True)
def _(gain, h100, h200, loaded, llama, measured, q1, ratios, this):
    _room = (h200.memory.capacity / h100.memory.capacity).m_as("")
    _old = loaded(h100, 2048, 128)
    _share = (_old.prefill_time * _old.throughput / 128).m_as("")
    (q2 := this.ask(
        2, f"A service runs {llama.name} in fp8 at full load: prompts of 2,048 tokens, answers of 128. It moves from H100 to H200: {say(ratios(h100, h200)[1], 'x')} the bandwidth, {say(_room, 'x')} the memory, the same FLOPS. "
        "Every book says that language models wait for memory. How many times the tokens a second?",
        unit="x", within=1.1, after=q1,
        slips={"it follows the bandwidth": ratios(h100, h200)[1], "it follows the users that fit": _room},
    ).reveal(
        gain(2048, 128),
        why=f"At full load this chip spends {say(_share, '%')} of its time on **reading** prompts, and reading waits for arithmetic. That roof did not move. The rest is writing, which did get faster. "
        f"Measured: {say(measured['2048 in / 128 out'], 'x')}.",
        formula=f"1 ÷ ({_share:.2f} + {1 - _share:.2f} ÷ what writing gains) = **{say(gain(2048, 128), 'x')}**",
        chart=lambda guess: charts.ranked(
            {"memory": _room, "bandwidth": ratios(h100, h200)[1], "tokens a second, measured": measured["2048 in / 128 out"], "tokens a second, computed": gain(2048, 128), "FLOPS": 1.0},
            x="H200 over H100 (x)", sort=False, guess={"tokens a second, computed": guess}, highlight=["tokens a second, computed", "tokens a second, measured"], title="Everything grew but what was missing",
            subtitle="Measured: TensorRT-LLM v0.17, NVIDIA's table"),
    ))
    return (q2,)


@app.cell(hide_code=True)
def _(gain, measured, q2, this):
    _shapes = {f"{i} in / {o} out": (i, o) for i, o in ((128, 2048), (2048, 128), (5000, 500), (20000, 2000))}
    _gains = {name: gain(*shape) for name, shape in _shapes.items()}
    (q3 := this.ask(
        3, "Four customers make this same move, each at full load. Order them by what they gain, **the smallest gain first**: " + ", ".join(_shapes) + " (tokens of a prompt and of its answer).",
        order=list(_shapes), after=q2,
        slips={
            "of their answers, the longest last": sorted(_shapes, key=lambda name: _shapes[name][1] + _shapes[name][0] / 1e6),
            "of their prompts, the longest last": sorted(_shapes, key=lambda name: _shapes[name][0]),
        },
    ).reveal(
        sorted(_gains, key=_gains.get),
        why="Two things make a customer gain: much writing for each token read, and long contexts, whose caches fill the memory and the step. The last one reads ten tokens for each that it writes, and gains most, because its caches are what the chip spends its time on. "
        "One chip has no *one* factor over another. (Of the seven that were measured, one misses the law: with 128 in and 128 out something else is in the way, which neither roof knows.)",
        chart=lambda _: charts.parity(
            {name: (100 * (gain(*(int(part.split()[0]) for part in name.split(" / "))) - 1), 100 * (value - 1)) for name, value in measured.items()}, x="Computed gain (%)", y="Measured gain (%)", band=1.3,
            title=f"One upgrade, gains from {min(measured.values()) - 1:.0%} to {max(measured.values()) - 1:.0%}", subtitle="H100 to H200, seven kinds of customers"),
    ))
    return (q3,)


@app.cell(hide_code=True)
def _(h100, q3, step, this):
    _wide = h100.memory.replace(bandwidth=2 * h100.memory.bandwidth)
    _quick = h100.compute.replace(peak_flops=2 * h100.peak("fp16"), precision={})
    _one = step(h100, context=1)
    _meet = (_one.memory_time / _one.compute_time).m_as("")  # nearly: the batch at which both clocks agree
    _old = step(h100, round(_meet), 1).latency
    _chips = {"twice the bandwidth": {"memory": _wide}, "twice the FLOPS": {"compute": _quick}, "both": {"memory": _wide, "compute": _quick}}
    _each = {name: _old / step(h100.replace(**changed), round(_meet), 1).latency for name, changed in _chips.items()}
    (q4 := this.ask(
        4, f"A step whose two clocks agree: its arithmetic takes as long as its bytes. A chip with twice the bandwidth makes it {_each['twice the bandwidth'].m_as(''):.1f}× as fast. A chip with twice the FLOPS makes it {_each['twice the FLOPS'].m_as(''):.1f}× as fast. A chip with **both**?",
        unit="x", within=1.1, after=q3,
        slips={"nothing and nothing make nothing": 1, "the two gains add up": 3, "the two gains are multiplied": 4},
    ).reveal(
        _each["both"],
        why="The step waits for the slower clock. Speed up one of two equal clocks and the other is now the slower; nothing is gained. Speed up both and all is gained. Gains of parts say nothing about the gain of the whole, until you know which clock binds.",
        formula="larger of (½, 1) = 1; larger of (1, ½) = 1; larger of (½, ½) = **½**",
        chart=lambda guess: charts.ranked(_each, x="Times as fast (x)", sort=False, guess={"both": guess}, title="Each alone buys nothing, together they buy everything"),
    ))
    return (q4,)


@app.cell(hide_code=True)
def _(a100, l40s, q4, ratios, step, this):
    _old, _new = step(l40s, 128), step(a100, 128)
    _flops, _bytes = ratios(l40s, a100)
    (q5 := this.ask(
        5, f"128 users write together, with 64 tokens each, at η = {this.eta:g}. They move from an L40S to an A100: {say(_bytes, 'x')} the bandwidth, {say(_flops, 'x')} the FLOPS. How many times as fast is a step? And what did it wait for, before and after?",
        unit="x", within=1.15, after=q4,
        why=["bytes before and arithmetic after", "bytes both times", "arithmetic both times", "arithmetic before and bytes after"],
        slips={"the bandwidth decides": _bytes, "the FLOPS decide": _flops, "both changes are multiplied": _bytes * _flops},
    ).reveal(
        _old.latency / _new.latency, cause="bytes before and arithmetic after",
        why=f"On the L40S the bytes took {say(_old.memory_time)} and the arithmetic {say(_old.compute_time)}. On the A100 the bytes take {say(_new.memory_time)}, and the arithmetic {say(_new.compute_time)}: now it is the slower clock. The step crossed from one roof to the other. This is called a **regime shift**, and it is where a single factor misleads most.",
        chart=lambda guess: charts.roofline(
            [l40s, a100], {"L40S": _old, "A100": _new}, efficiency=this.eta, guess=_old.latency / guess if guess else None, title="The same step, under the slope before and under the flat roof after"),
        then="""
The library says the same in words:

```python
from mlsysim.engine.explain import explain

print(explain({"hardware": "L40S", "batch_size": 128}, {"hardware": "A100", "batch_size": 128}, model="Llama3_1_8B"))
```

## Explore

Move the batch. From which batch on does the "upgrade" make the step **slower**? Say in one sentence how a chip with more than twice the bandwidth can lose.
""",
    ))
    return (q5,)


@app.cell(hide_code=True)
def _(q5, this):
    this.wait(q5)
    batch = mo.ui.slider(steps=[1, 8, 32, 64, 96, 128, 160, 192, 224, 256, 384, 512], value=64, label="Batch (users with 64 tokens each)", show_value=True, full_width=True)
    batch
    return (batch,)


@app.cell(hide_code=True)
def _(a100, batch, h100, l40s, llama, step, this):
    _sides = [{"hardware": chip, "batch_size": batch.value, "seq_len": 64, "efficiency": this.eta} for chip in (l40s, a100)]
    _why = explain(*_sides, model=llama)
    _old, _new = step(a100, 8, 2048), step(h100, 8, 2048)
    mo.vstack([
        lesson.stats({"times as fast": say(_why.speedup, "x"), "L40S": _why.regime_before.lower(), "A100": _why.regime_after.lower()}),
        mo.md("\n".join(f"> {line}" for line in _why.sentences)),
        mo.md(f"""
## A fallacy

**"After the move the utilisation fell by half, so the move went wrong."** Eight users, 2,048 tokens each, from A100 to H100: the share of the peak that is used (MFU) falls from {say(_old.mfu, '%')} to {say(_new.mfu, '%')}, while each step is
{say(_old.latency / _new.latency, 'x')} as fast. The share fell because the peak grew {say(h100.peak('fp16') / a100.peak('fp16'), 'x')} and nobody was waiting for it. A share of something that you do not need tells nothing about your speed.
"""),
    ])
    return


@app.cell(hide_code=True)
def _(h100, q5, ratios, this):
    _chips = {name: ratios(h100, getattr(Hardware, name)) for name in ("A100", "H200", "MI300X", "B200")}
    _apart = {name: max(flops / wide, wide / flops) for name, (flops, wide) in _chips.items()}
    _said = {name: f"{name} ({say(flops, 'x')} FLOPS and {say(wide, 'x')} bandwidth)" for name, (flops, wide) in _chips.items()}
    (q6 := this.ask(
        6, "A job runs on your H100, and you are not told what it does. You may run it on **one** other chip for an hour, to learn whether it waits for arithmetic or for bytes. Which chip tells you most?",
        options=list(_said.values()), after=q5,
        slips={
            _said["H200"]: "Good thinking: it changes one thing alone, and is second best. But its two factors lie nearer together than those of the first.",
            _said["MI300X"]: "Its two factors are nearly the same, and so would be your two answers.",
            _said["B200"]: "The largest upgrade tells least: both of its factors are the same, so you see that one and learn nothing.",
        },
    ).reveal(
        _said[max(_apart, key=_apart.get)],
        why="You do not want a fast chip, you want two *different* answers. What counts is how far the two factors lie apart. A slower and older chip is the better instrument.",
        chart=lambda guess: charts.ranked(_apart, x="One factor over the other (x)", highlight=[name for name, text in _said.items() if text == guess], title="The best test is the chip whose two factors differ most", subtitle="Yours stands out"),
    ))
    return (q6,)


@app.cell(hide_code=True)
def _(a100, l40s, phi, q6, ratios, step, this):
    def _request(chip):
        """Reading 2,048 tokens, then writing 200."""
        return step(chip, 1, 2048, phi, "prefill").latency, 200 * step(chip, 1, 2148, phi).latency

    (_read, _write), (_quick, _slow) = _request(a100), _request(l40s)
    _flops, _bytes = ratios(a100, l40s)
    (q7 := this.ask(
        7, f"A model not seen so far, {phi.name} ({phi.parameters / 1e9:.1f} billion), and the way back: from A100 to L40S, {say(_flops, 'x')} the FLOPS, {say(_bytes, 'x')} the bandwidth. One user sends 2,048 tokens and gets 200. How many times as fast is the whole request? (Below 1 is slower.)",
        unit="x", within=1.25, after=q6, because="Finish the sentence: the request is …-bound because",
        slips={"the FLOPS decide": _flops, "a gain and a loss cancel": (_flops + _bytes) / 2},
    ).reveal(
        (_read + _write) / (_quick + _slow),
        why=f"Reading becomes {say(_read / _quick, 'x')} as fast, writing {say(_write / _slow, 'x')}; and writing was {say(_write / (_read + _write), '%')} of the time. One way to finish the sentence: *the request is memory-bound because 200 steps fetch the weights 200 times, and the prompt fetches them once.*",
    ))
    return (q7,)


@app.cell(hide_code=True)
def _(q1, q2, q3, q4, q5, q6, q7, this):
    this.close(q1, q2, q3, q4, q5, q6, q7)
    return


if __name__ == "__main__":
    app.run()
