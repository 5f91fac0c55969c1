# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="2 · Two phases, one request")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import Q_, Engine, Hardware, Models, ServingModel, TailLatencyModel
    from mlsysim.evaluation.validate import read as published
    from mlsysim.learn import charts, lesson, say


@app.cell(hide_code=True)
def _():
    (this := lesson.open("02_two_phases"))
    return (this,)


@app.cell
def _():
    llama, mistral, unseen = Models.Language.Llama3_8B, Models.Language.Mistral_7B, Models.Language.Qwen3_8B
    a100, h100, h200, other = Hardware.A100, Hardware.H100, Hardware.H200, Hardware.MI300X
    return a100, h100, h200, llama, mistral, other, unseen


@app.cell
def _(h100, llama, this):
    def read(tokens=2048, batch=1, eta=this.eta, model=llama, chip=h100):
        """One pass over the prompts of a batch."""
        return Engine.solve(model, chip, batch_size=batch, seq_len=tokens, phase="prefill", efficiency=eta)

    def write(context=2048, batch=1, eta=this.eta, model=llama, chip=h100):
        """One step: each user of the batch gets one token more."""
        return Engine.solve(model, chip, batch_size=batch, seq_len=context, efficiency=eta)

    def read_one(tokens=2048, batch=1, eta=this.eta):
        """Time of the chip for one token that is read."""
        return (read(tokens, batch, eta).latency / (batch * tokens)).to("us")

    def write_one(context=2048, batch=1):
        """Time of the chip for one token that is written."""
        return (write(context, batch).latency / batch).to("us")

    def ratio(context=2048, batch=1):
        """How many times the time of a read token a written one takes."""
        return (write_one(context, batch) / read_one()).m_as("")

    def request(prompt, answer):
        """A whole request of one user, alone on the chip."""
        return ServingModel().solve(llama, h100, seq_len=prompt, decode_tokens=answer, efficiency=this.eta)

    def falling(context=2048, steps=9):
        """A written token by batch, hollow where the batch does not fit."""
        held = [2**n for n in range(steps)]
        return held, [write_one(context, n).m for n in held], [bool(write(context, n).feasible) for n in held]

    def flat(steps=9, times=1):
        return [2**n for n in range(steps)], [times * read_one(2048, 2**n).m for n in range(steps)]

    return falling, flat, ratio, read, read_one, request, write, write_one


@app.cell(hide_code=True)
def _(a100, h200, mistral, this, write):
    _gain = write(model=mistral, chip=a100).latency / write(model=mistral, chip=h200).latency
    (q1 := this.ask(
        1, f"From lesson 1: {mistral.name} writes for one user, first on an A100 ({say(a100.peak('fp16'))}; {say(a100.memory.bandwidth)}), then on an H200 ({say(h200.peak('fp16'))}; {say(h200.memory.bandwidth)}). How many times faster?",
        unit="x",
        slips={"operations a second are compared": h200.peak("fp16") / a100.peak("fp16"), "the memories are compared": h200.memory.capacity / a100.memory.capacity},
    ).reveal(
        _gain, why="One user's writing waits for bytes, so it gains what the bandwidth gained.",
        then="Suppose a price list asks **five times as much** for a token that the model writes as for one that it reads, though both cost the same operations. Is five too much?",
    ))
    return (q1,)


@app.cell(hide_code=True)
def _(falling, flat, h100, llama, q1, ratio, read, read_one, this, write, write_one):
    (q2 := this.ask(
        2, f"{llama.name} on one H100 ({say(h100.peak('fp16'))} in fp16; {say(h100.memory.bandwidth)}), one user, η = {this.eta:g}. A prompt of 2,048 tokens is **read** in one pass; with those 2,048 tokens before it, a token is **written** in one step. "
        "How many times the time of a read token does a written token take?",
        unit="x", after=q1, within=1.3,
        slips={
            "the same operations take the same time": 1, "the price list is right": 5,
            "the whole prompt is read in the time of one step": 2048,
            "reading reaches the whole peak": write_one() / read_one(eta=1.0),
        },
    ).reveal(
        ratio(),
        why=f"One fetch of the weights serves 2,048 tokens when they are read, and one token when it is written. So reading is {read().bottleneck.lower()}-bound, writing {write().bottleneck.lower()}-bound: one model, one chip, two walls.",
        formula=f"written: {say(write().latency)} ÷ 1; read: {say(read().latency)} ÷ 2,048 = {say(read_one())}",
        chart=lambda guess: charts.lines(
            {"written": falling(steps=4), "read": flat(4)}, x="Batch (users)", y="Time of one token (µs)", log="xy", guess=(1, guess * read_one().m),
            title=f"Alone, a written token takes {ratio():.0f} times as long"),
    ))
    return (q2,)


@app.cell(hide_code=True)
def _(q2, read, read_one, this, write, write_one):
    _wrong = "What the chip waits for when it reads is arithmetic, and 8 prompts need 8 times as much."
    (q3 := this.ask(
        3, "You put 8 such requests together: the 8 prompts are read in one batch, and later the 8 answers are written in one batch. All users together, how many tokens a second, against a single user?", after=q2,
        options=["reading as before and writing about 7 times", "both about 8 times", "reading about 7 times and writing as before", "both as before: the chip is busy"],
        why=["the weights were the cost of writing and are now shared", "small batches are slow in the software", "the prompts are kept in a cache"],
        slips={
            "both about 8 times": _wrong, "reading about 7 times and writing as before": _wrong,
            "both as before: the chip is busy": "When it writes, the chip waits for weights; 8 users can use each of them once it is there.",
            "small batches are slow in the software": "No software stands in this reckoning, only operations and bytes.",
        },
    ).reveal(
        "reading as before and writing about 7 times", cause="the weights were the cost of writing and are now shared",
        why=f"Reading: {say(read_one() / read_one(2048, 8), 'x')}. Writing: {say(write_one() / write_one(2048, 8), 'x')}, not 8, because each user's own cache is read as well. Reading had shared the weights among its 2,048 tokens already.",
        formula=f"8 prompts: {say(read(2048, 8).latency)} instead of {say(read().latency)}; a step for 8: {say(write(2048, 8).latency)} instead of {say(write().latency)}",
    ))
    return (q3,)


@app.cell(hide_code=True)
def _(q3, request, this):
    _chat, _summary = request(500, 500), request(8000, 100)
    _rows = {row.id: row for row in published()}
    _paces = {f"{row.seq_in} read, {row.seq_out} written": [Q_(row.measured, "ms"), say(Q_(row.measured / float(row.seq_out), "ms"))] for row in map(_rows.get, ("dec0371", "dec0387", "dec0402"))}
    (q4 := this.ask(
        4, f"A summary, one user, alone on the chip: 8,000 tokens are read and 100 are written (η = {this.eta:g}). What share of the time is **reading**?",
        unit="%", after=q3, within=1.3,
        slips={"tokens are counted instead of time": 8000 / 8100, "reading is taken to be free": 0.01},
    ).reveal(
        _summary.ttft / _summary.latency,
        why=f"{say(8000 / 8100, '%')} of the tokens take a third of the time. In a chat (500 read, 500 written) reading takes {say(_chat.ttft / _chat.latency, '%')}: nearly all of it is the answer.",
        formula=f"{say(_summary.ttft)} ÷ {say(_summary.latency)}. The first is called **TTFT**, the time to the first token; a step after it, {say(_summary.itl)}, is the **pace**",
        chart=lambda _: charts.timeline(
            {name: [("reading", one.ttft.to("s")), ("writing", one.latency - one.ttft)] for name, one in (("summary", _summary), ("chat", _chat))},
            x="Time of the request (s)", title="Nearly all tokens, a third of the time"),
        then=f"""
Measured (GPT of 20 billion weights, A100, one user): divide the time by the tokens **written**, and reading does not show.

{lesson.table(["tokens", "whole request", "for each written token"], [[name, *row] for name, row in _paces.items()])}

Here is the answer to the question above. A CNN looks at an image in **one** pass, and how long that takes is known before it starts. A request to a language model has **two** paces, and a length that nobody knows before it ends.
""",
    ))
    return (q4,)


@app.cell(hide_code=True)
def _(q4, this):
    def last(load, variation=1.0):
        return TailLatencyModel().solve(Q_(load, "1/s"), "1 s", variation=variation).slowdown

    _loads = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    (q5 := this.ask(
        5, "What does the unknown length do? A replica serves one request after the other. Requests come at random, so that it is busy 80 % of the time; most are short, few are long (exponential). "
        "How many times the **mean service time** does the slowest of a hundred requests take (its *P99*), waiting included?",
        unit="x", after=q4, within=1.5,
        slips={"a fifth of the time is free, so hardly anyone waits": 1 / 0.8, "mean and slowest are taken for one": 1 / (1 - 0.8), "only service is unlucky, and nobody waits": last(0.001)},
    ).reveal(
        last(0.8),
        why=f"Behind each long request stands a queue. Where every request takes the **same** time, as with images, it would be {say(last(0.8, 0.0), 'x')}: the rest of the tail comes from not knowing the length.",
        formula=f"exponential service: ln(100) ÷ (1 − 80 %) = **{say(last(0.8), 'x')}**",
        chart=lambda guess: charts.lines(
            {"answers": ([100 * load for load in _loads], [last(load) for load in _loads]), "images": ([100 * load for load in _loads], [last(load, 0.0) for load in _loads])},
            x="Busy (%)", y="Slowest of a hundred ÷ mean service", guess=(80, guess), title="The tail grows long before the replica is full"),
    ))
    return (q5,)


@app.cell(hide_code=True)
def _(falling, flat, q2, q5, ratio, read_one, this, write, write_one):
    (q6 := this.ask(
        6, f"Servers write for many users at once. Now **64 users** write together, each with 2,048 tokens before. How many times the time of a read token does a written token take, in time of the chip? (η = {this.eta:g}; one user: {say(ratio(), 'x')})",
        unit="x", after=q5, within=1.3,
        slips={"a batch speeds up reading as much": ratio(), "64 users are 64 times as good": ratio() / 64},
    ).reveal(
        ratio(2048, 64),
        why=f"The weights are shared by 64, the caches are not: {say(write(2048, 64).kv_cache)} of caches are read beside the weights. The **five** of the price list is what a batch of about 64 costs. It is a statement about the batch.",
        formula=f"{say(write(2048, 64).latency)} ÷ 64 = {say(write_one(2048, 64))}; ÷ {say(read_one())}",
        chart=lambda guess: charts.lines(
            {"written": falling(), "read": flat(), "5 × read": flat(times=5)},
            x="Batch (users)", y="Time of one token (µs)", log="xy", guess=[(1, float(q2.guess()) * read_one().m), (64, guess * read_one().m)],
            title="Batching closes the gap, up to a point", subtitle="2,048 tokens of each user; hollow: does not fit"),
        then="## Explore\n\nFind the batch at which a written token costs 5 read ones, at 2,048 tokens. Then set 8,192: is there a batch that fits into the memory? Why does the line become flat?",
    ))
    return (q6,)


@app.cell(hide_code=True)
def _(q6, this):
    this.wait(q6)
    batch = mo.ui.slider(steps=[1, 2, 4, 8, 16, 32, 64, 128, 256], value=1, label="Batch (users)", show_value=True, full_width=True)
    context = mo.ui.slider(steps=[64, 512, 2048, 4096, 8192], value=2048, label="Context (tokens of each user)", show_value=True, full_width=True)
    mo.vstack([batch, context])
    return batch, context


@app.cell(hide_code=True)
def _(batch, context, falling, flat, ratio, read, write, write_one):
    _now = write(context.value, batch.value)
    mo.vstack([
        lesson.stats({"a written token, in read ones": say(ratio(context.value, batch.value), "x"), "one step": _now.latency, "fits" if _now.feasible else "does NOT fit": say(_now.memory_required)}),
        charts.lines(
            {"written": falling(context.value), "read": flat(), "5 × read": flat(times=5)},
            dots={"now": ([batch.value], [write_one(context.value, batch.value).m])}, x="Batch (users)", y="Time of one token (µs)", log="xy", title=f"{batch.value} user{'s' * (batch.value > 1)} at {context.value:,} tokens"),
        mo.md(f"""
## Two fallacies

**"Long prompts make answers slow."** With 8,000 tokens before it, a step takes {say(write(8000).latency)}; with one token, {say(write(1).latency)}: {say(write(8000).latency / write(1).latency - 1, "%")} more. What a long prompt makes slow is the **first** word: {say(read(8000).latency)} instead of {say(read(500).latency)} for 500 tokens.

**"Reading is compute-bound, writing is memory-bound."** For these shapes. A prompt of 64 tokens is {read(64).bottleneck.lower()}-bound and takes {say(read(64).latency / write(64).latency - 1, "%")} more than one step; a step for 256 users with 64 tokens each is {write(64, 256).bottleneck.lower()}-bound.
The number of tokens that share a fetch decides, not the name of the phase. That is also why *thinking longer* (chain of thought) does not become compute-bound: each of its tokens is a written one.
"""),
    ])
    return


@app.cell(hide_code=True)
def _(other, q6, read, this, unseen, write):
    _short, _long = write(500, model=unseen, chip=other), write(8000, model=unseen, chip=other)
    _wait = read(8000, model=unseen, chip=other).latency / read(500, model=unseen, chip=other).latency
    _rows = {row.id: row.measured for row in published()}
    (q7 := this.ask(
        7, f"A model and a chip not seen so far: {unseen.name} on an MI300X ({say(other.peak('fp16'))}; {say(other.memory.bandwidth)}), one user. The prompt grows from 500 to 8,000 tokens. How many times **as long** does one step of the answer take?",
        unit="x", after=q6, within=1.1, because="The pace is …-bound because",
        slips={
            "16 times the context takes 16 times as long": 16, "every head keeps a cache of its own": write(8000, model=unseen.replace(kv_heads=unseen.heads), chip=other).latency / write(500, model=unseen.replace(kv_heads=unseen.heads), chip=other).latency,
        },
    ).reveal(
        _long.latency / _short.latency,
        why=f"The pace hardly moves, since the {say(_short.traffic)} that a step fetches are nearly all weights. The wait for the first word grows {say(_wait, 'x')}. Measured on an A100 (Llama 2 7B): 16 times the prompt, {say(_rows['pre0645'] / _rows['pre0644'], 'x')} the wait.",
    ))
    return (q7,)


@app.cell(hide_code=True)
def _(q1, q2, q3, q4, q5, q6, q7, this):
    this.close(q1, q2, q3, q4, q5, q6, q7)
    return


if __name__ == "__main__":
    app.run()
