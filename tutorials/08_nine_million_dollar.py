# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="8 · The nine-million-dollar question")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import Q_, Engine, Hardware, Infrastructure, Models
    from mlsysim.core.solver import ContinuousBatchingModel, InferenceScalingModel
    from mlsysim.evaluation.validate.rows import read
    from mlsysim.learn import charts, lesson, say


@app.cell(hide_code=True)
def _():
    (this := lesson.open("08_nine_million_dollar"))
    return (this,)


@app.cell
def _():
    llama, mixtral = Models.Language.Llama3_70B, Models.Language.Mixtral_8x7B
    h100, h200 = Hardware.H100, Hardware.H200
    return h100, h200, llama, mixtral


@app.cell
def _(h100, h200, llama, this):
    def think(steps, batch=1, chip=h100, model=llama, precision="int8", **how):
        """A request: 512 tokens of prompt, `steps` of 50 tokens; 100 requests a second, all year."""
        return InferenceScalingModel().solve(
            model, chip, reasoning_steps=steps, batch_size=batch, precision=precision, arrival_rate_qps=100, efficiency=this.eta, **how)

    def bill(*asked, **how):
        """What the devices cost in a year, in millions of dollars."""
        return think(*asked, **how).annual_cost.m_as("USD") / 1e6

    def most(steps, chip=h200):
        """How many such requests fit on the chip at once, with a tenth of its memory kept free."""
        tokens = 512 + 50 * steps
        return int(ContinuousBatchingModel().solve(llama, chip, seq_len=tokens, max_seq_len=tokens, precision="int8", efficiency=this.eta).paged_batch)

    return bill, most, think


@app.cell(hide_code=True)
def _(h100, llama, this):
    _step = Engine.solve(llama, h100, seq_len=512, precision="int8", efficiency=this.eta)
    (q1 := this.ask(
        1, f"From lesson 0: {llama.name} has {llama.parameters / 1e9:.1f} billion weights. Kept in one byte each (int8), they fit on one H100 ({say(h100.memory.bandwidth)}). One user has 512 tokens: how long is the step that writes the next one?",
        unit="ms",
        slips={"the operations are divided by the peak": _step.operations / h100.peak("int8"), "a weight is two bytes": 2 * _step.latency, "bytes are read as bits": 8 * _step.latency},
    ).reveal(
        _step.latency, why="All weights come from memory for this one token. Keep the number in mind: everything below is made of such steps.",
        formula=f"{say(_step.traffic)} ÷ {say(h100.memory.bandwidth)} = **{say(_step.memory_time)}**, and the launch",
    ))
    return (q1,)


@app.cell(hide_code=True)
def _(bill, llama, q1, think, this):
    _one, _eight = think(1), think(8)
    (q2 := this.ask(
        2, f"A service answers 100 requests a second with {llama.name} in int8, all year. A request brings 512 tokens; the answer is one step of 50 tokens. Each H100 works on **one request at a time**, "
        f"and the H100s (bought, over three years, with their power) cost {say(_one.annual_cost)} a year. Now somebody adds a line to the prompt: *think in eight steps*. Each step is 50 tokens. The bill of the year?",
        unit="million USD", after=q1,
        slips={
            "a prompt is only a prompt": bill(1),
            "only the tokens of a request are counted, prompt and answer alike": bill(1) * (512 + 400) / (512 + 50),
            "the cost grows with the square of the steps": 64 * bill(1),
        },
    ).reveal(
        bill(8), why=f"Reading the prompt takes {say(_eight.ttft)}, once. Writing takes {say(_eight.itl)} for each of 400 tokens, one after the other: the request holds its H100 for {say(_eight.latency)} instead of {say(_one.latency)}. "
        "Requests come just as fast, so more of them are in the house at once, and each needs a device.",
        formula=f"100 a second × {say(_eight.latency)} = {_eight.devices:,.0f} H100s; × {say(_eight.device_year)} a year = {say(_eight.annual_cost)}",
        chart=lambda guess: charts.ranked(
            {"one step": bill(1), "eight steps": bill(8)}, x="Bill of a year (million USD)", sort=False, guess={"eight steps": guess}, title=f"One line in a prompt, {say(bill(8) / bill(1), 'x')} the bill"),
        then="This is **Little's law**: devices = requests a second × seconds that each holds a device ÷ requests that a device serves at once. You have not touched the last part yet.",
    ))
    return (q2,)


@app.cell(hide_code=True)
def _(bill, q2, think, this):
    def _line(steps):
        held = [batch for batch in (1, 2, 4, 8, 16, 32, 64) if think(steps, batch).feasible]
        return held, [bill(steps, batch) for batch in held]

    (q3 := this.ask(
        3, "Eight steps again, and nothing else changes but one setting of the server: each H100 works on **8 requests at once**. The bill of the year?",
        unit="million USD", after=q2,
        slips={"the same tokens cost the same": bill(8), "half of the work is shared": bill(8) / 2, "the bill before the thinking falls to an eighth": bill(1) / 8},
    ).reveal(
        bill(8, 8), why=f"Nearly all of a step is fetching the weights, and eight requests share one fetch. The bill falls to {say(bill(8, 8) / bill(8), '%')}, about what it was before anybody thought.",
        formula=f"100 a second × {say(think(8, 8).latency)} ÷ 8 = {think(8, 8).devices:,.0f} H100s, {say(think(8, 8).annual_cost)}",
        chart=lambda guess: charts.lines(
            {f"K = {steps}": _line(steps) for steps in (1, 8, 32)}, x="Requests at once on an H100", y="Bill of a year (million USD)", log="xy",
            guess=(8, guess), level={"before the thinking": bill(1)}, title="Sharing pays for the thinking, until the memory is full",
            subtitle="K is the number of thinking steps; a line ends where the next doubling no longer fits"),
    ))
    return (q3,)


@app.cell(hide_code=True)
def _(q3, think, this):
    _rows = {row.id: row for row in read()}
    _seen = [_rows[name] for name in ("dec0402", "dec0406", "dec0410")]
    _batches, _times = [int(row.number("batch")) for row in _seen], [Q_(row.measured, row.unit).m_as("s") for row in _seen]
    _law = [think(4, n, Hardware.A100, Models.Language.Megatron_20B, "fp16", prompt_tokens=200).latency.m_as("s") for n in range(1, 65)]
    (q4 := this.ask(
        4, f"Alone on its H100, a request with eight steps was answered in {say(think(8).latency)}. Now it shares the H100 with seven others. How long does **its** answer take?",
        options=["less than a quarter longer", "about twice as long", "about 8 times as long", "shorter than alone"], after=q3,
        why=["a step fetches the weights once for all eight", "the H100 was idle between requests", "eight requests take turns"],
        slips={
            "about twice as long": "The weights would have to come twice.",
            "about 8 times as long": "So it would be if requests took turns. They do not: one pass over the weights serves all eight.",
            "shorter than alone": "Nothing in a step gets faster; it is only shared.",
            "the H100 was idle between requests": "It was never idle: it fetched weights all the time, for one request.",
            "eight requests take turns": "They go through each step together.",
        },
    ).reveal(
        "less than a quarter longer", cause="a step fetches the weights once for all eight",
        why=f"{say(think(8, 8).latency)} instead of {say(think(8).latency)}: a step takes {say(think(8, 8).itl)} instead of {say(think(8).itl)}, and eight prompts are read before the first token.",
        chart=lambda _: charts.lines(
            {"the law": (range(1, 65), _law)}, x="Requests at once", y="One answer (s)", log="x", dots={"measured": (_batches, _times)},
            title=f"Measured: eight at once take {say(_times[1] / _times[0] - 1, '%')} longer", subtitle="A GPT of 20 billion weights on one A100, 200 tokens in, 200 out (NVIDIA, FasterTransformer)"),
        then=f"The measured server is slower than the law at every batch, and it bends as the law says. With 64 requests at once an answer took {say(_times[2] / _times[0], 'x')} as long: sharing is nearly free, not free.",
    ))
    return (q4,)


@app.cell(hide_code=True)
def _(bill, h200, most, q4, this):
    def _full(steps):
        return bill(steps, most(steps), h200)

    _ladder = [1, 2, 4, 8, 16, 32, 64, 128]
    (q5 := this.ask(
        5, f"Then let us think long. An H200 has room for many requests: {most(32)} of 32 steps beside the weights (a tenth of the memory is kept free). Each H200 always takes **as many as fit**. You go from 32 to 128 steps: 4 times the tokens. How many times the bill?",
        unit="x", within=1.25, after=q4,
        slips={
            "4 times the tokens cost 4 times as much": 4,
            "the bill grows with the square of the steps": 16,
            "sharing makes thinking free": 1,
            "the bill follows the room that a request takes": (512 + 50 * 128) / (512 + 50 * 32),
        },
    ).reveal(
        _full(128) / _full(32), why=f"Two things grow together. A request writes 4 times the tokens; and its cache is {say((512 + 50 * 128) / (512 + 50 * 32), 'x')} as large, so only {most(128)} fit instead of {most(32)} and share a step. One factor times the other.",
        formula=f"4 × {most(32)} ÷ {most(128)} = {say(4 * most(32) / most(128), 'x')}; its steps read fewer caches and are shorter: **{say(_full(128) / _full(32), 'x')}**",
        chart=lambda guess: charts.lines(
            {"always as many as fit": (_ladder, [_full(n) for n in _ladder]), "if it were in proportion": (_ladder, [_full(32) * n / 32 for n in _ladder])},
            x="Thinking steps", y="Bill of a year (million USD)", log="xy", guess=(128, guess * _full(32)), title="Short thinking is cheap, long thinking costs nearly with its square"),
        then="""
## Explore

One H200. For K = 16 find the batch with the lowest bill that fits, then do it for K = 64. How many times apart are the two bills, and how many times the tokens?
""",
    ))
    return (q5,)


@app.cell(hide_code=True)
def _(q5, this):
    this.wait(q5)
    steps = mo.ui.slider(steps=[1, 2, 4, 8, 16, 32, 64, 128], value=16, label="K (thinking steps of 50 tokens)", show_value=True, full_width=True)
    batch = mo.ui.slider(steps=[1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 160, 192, 256], value=8, label="Batch (requests at once)", show_value=True, full_width=True)
    mo.vstack([steps, batch])
    return batch, steps


@app.cell(hide_code=True)
def _(batch, h100, h200, most, steps, think):
    _now, _room = think(steps.value, batch.value, h200), most(steps.value)
    _long = think(128)
    mo.vstack([
        lesson.stats({
            "bill of a year": say(_now.annual_cost) if _now.annual_cost is not None else "none: it does not fit", "one user waits": _now.latency,
            "requests on the chip": f"{batch.value} of {_room} that fit" if batch.value <= _room else f"{batch.value}, but only {_room} fit",
        }),
        mo.md(f"""
## A fallacy

**"A long answer is a lot of computing, so at K = 128 the model is compute-bound."** A lot of computing, yes, in {_long.tokens_generated:,.0f} steps that come one after the other. Length adds *steps*; it adds no work *to* a step. With one request on an {h100.name.split()[0]},
the step at K = 1 is bound by {think(1).bottleneck.lower()}, and the last one at K = 128 is bound by {_long.bottleneck.lower()} too. Only more requests at once, or several answers to the same request, give a step more work for the same weights.
"""),
    ])
    return


@app.cell(hide_code=True)
def _(h100, h200, q5, think, this):
    _rent, _base = Infrastructure.Prices.H100_hyperscaler, think(8, 8)
    _cheap = Infrastructure.Grids.US_Average.electricity_price / 2
    _levers = {
        "rent by the hour": (_rent.hourly * Q_(1, "year") / _base.device_year).m_as(""),
        "four steps": (_base.annual_cost / think(4, 8).annual_cost).m_as(""),
        "H200 for H100": (_base.annual_cost / think(8, 8, h200).annual_cost).m_as(""),
        "power at half the price": (_base.annual_cost / think(8, 8, electricity_price=_cheap).annual_cost).m_as(""),
    }
    (q6 := this.ask(
        6, f"Back to eight steps, 8 at once, on H100s: {say(_base.annual_cost)} a year. Order what follows by **how many times it changes the bill**, up or down, the largest change first: rent by the hour (an H100 for {_rent.hourly.m_as('USD/h'):.2f} USD, in place of buying it for {say(h100.unit_cost)}), "
        f"four steps (in place of eight), H200 for H100 ({say(h200.memory.bandwidth)} for {say(h200.unit_cost)}), power at half the price.",
        order=list(_levers), after=q5,
        slips={
            "of hardware first": ["H200 for H100", "four steps", "rent by the hour", "power at half the price"],
            "of energy first": ["power at half the price", "rent by the hour", "four steps", "H200 for H100"],
            "of thinking first, with the contract as a detail": ["four steps", "H200 for H100", "rent by the hour", "power at half the price"],
        },
    ).reveal(
        sorted(_levers, key=_levers.get, reverse=True), why=f"A device that you own costs {say(_base.device_year)} a year here; the same device rented by the hour costs {say((_rent.hourly * Q_(1, 'year')).to('USD'))}. The contract moves this bill more than the model, the chip or the power do. "
        "Be fair to it: these owned H100s stand there bare, without a server, a network or people, and they work all year.",
        chart=lambda _: charts.ranked(_levers, x="The bill changes so many times (x)", title="Ask for the contract before you ask for the chip", highlight=["rent by the hour"]),
    ))
    return (q6,)


@app.cell(hide_code=True)
def _(bill, h200, llama, mixtral, q6, this):
    def _gain(model):
        """How many times less 16 requests at once cost, each with 16 steps, in fp8 on an H200."""
        return bill(16, 1, h200, model, "fp8") / bill(16, 16, h200, model, "fp8")

    (q7 := this.ask(
        7, f"A model and a chip not asked about so far: {mixtral.name}, a mixture of {mixtral.moe.experts} experts of which each token uses {mixtral.moe.per_token}, in fp8 on an H200, 16 thinking steps. From one request at once to 16: how many times does the bill fall?",
        unit="x", within=1.3, after=q6, because="Finish the sentence: sharing a step works as long as",
        slips={"16 share everything": 16, "a mixture shares like any other model": _gain(llama), "every token has experts of its own": 1},
    ).reveal(
        _gain(mixtral), why=f"One token fetches two experts a layer; 16 tokens together want nearly all of them, so the shared step fetches far more than the lonely one did. {llama.name} gains {say(_gain(llama), 'x')} in the same place. "
        "One way to finish the sentence: *sharing a step works as long as the requests want the same bytes.*",
    ))
    return (q7,)


@app.cell(hide_code=True)
def _(q1, q2, q3, q4, q5, q6, q7, this):
    this.close(q1, q2, q3, q4, q5, q6, q7)
    return


if __name__ == "__main__":
    app.run()
