# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="10 · GPU against wafer")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import Engine, Hardware, Literature, Models, WeightStreamingModel
    from mlsysim.learn import charts, lesson, say


@app.cell(hide_code=True)
def _():
    (this := lesson.open("10_gpu_vs_wafer"))
    return (this,)


@app.cell
def _():
    gpt3, small = Models.Language.GPT3_175B, Models.Language.Llama3_1_8B
    h100, wafer = Hardware.H100, Hardware.CS3
    return gpt3, h100, small, wafer


@app.cell
def _(gpt3, h100, this, wafer):
    def inside(chip, model=gpt3, precision="fp16"):
        """A step for one user whose weights lie in the chip's own memory."""
        return Engine.solve(model, chip, seq_len=2048, precision=precision, efficiency=this.eta)

    def outside(chip, model=gpt3, precision="fp16", batch=1, phase="decode"):
        """The same step with the weights outside: they pass through the chip, and are not kept."""
        return WeightStreamingModel().solve(model, chip, batch_size=batch, seq_len=2048, precision=precision, phase=phase, efficiency=this.eta)

    streamed, hosted, whole = outside(wafer), outside(h100), inside(h100)
    eight = (whole.memory_time / 8).to("ms")
    return eight, hosted, inside, outside, streamed, whole


@app.cell(hide_code=True)
def _(eight, gpt3, h100, this, whole):
    (q1 := this.ask(
        1, f"From lesson 0, a larger model: {gpt3.name} has {gpt3.parameters / 1e9:.0f} billion weights of two bytes. Eight {h100.name.split()[0]}s hold an eighth each and read their parts at the same time, each at {say(h100.memory.bandwidth)}. One user has 2,048 tokens so far. How long does the reading for the next one take?",
        unit="ms",
        slips={
            "every chip reads all of it": 8 * eight,
            "a weight is one byte": eight / 2,
            "the operations are divided by the peaks": whole.operations / h100.peak("fp16") / 8,
        },
    ).reveal(
        eight, why="Eight memories together are one memory of eight times the bandwidth, as long as every chip reads its own part. (What the chips tell each other comes on top; lesson 6 is about that.)",
        formula=f"{say(whole.traffic)} (weights, and what is kept of the 2,048 tokens) ÷ (8 × {say(h100.memory.bandwidth)}) = **{say(eight)}**",
    ))
    return (q1,)


@app.cell(hide_code=True)
def _(eight, gpt3, h100, q1, streamed, this, wafer):
    _link, _inside = streamed.injection_bandwidth, wafer.memory.bandwidth
    (q2 := this.ask(
        2, f"Another machine. Its chip is a whole wafer, as large as a plate. The data sheet of the {wafer.name.split()[0]}: on-wafer memory {say(wafer.memory.capacity)} at **{say(_inside)}**, {say(_inside / h100.memory.bandwidth, 'x')} the bandwidth of an H100; peak {say(wafer.peak('fp16'))}; "
        f"system I/O {_link.m_as('Tbit/s'):g} Tb/s; power {say(wafer.tdp)}. The {say(streamed.streamed)} of weights of {gpt3.name} do not fit, so they lie outside and pass through the wafer for every token. One user: how long does a token take?",
        unit="s", after=q1, why=["the I/O", "the memory on the wafer", "the peak", "the power"],
        slips={
            "the memory on the wafer is what counts": (streamed.streamed / _inside).to("s"),
            "bits are read as bytes": streamed.latency / 8,
            "the peak is what counts": (streamed.operations / wafer.peak("fp16")).to("s"),
        },
    ).reveal(
        streamed.latency, cause="the I/O",
        why=f"Fast memory helps what lies in it. These weights have to come in through the I/O each time, and a small *b* in Tb/s means bits: eight of them are a byte. Eight H100s were done in {say(eight)}.",
        formula=f"{say(streamed.streamed)} ÷ ({_link.m_as('Tbit/s'):g} Tb/s ÷ 8) = {say(streamed.streamed)} ÷ {say(_link)} = **{say(streamed.latency)}**",
        chart=lambda guess: charts.ladder(
            {"wafer, weights outside": {"memory": _inside, "I/O": _link}, "8 H100s, weights inside": {"memory": 8 * h100.memory.bandwidth}}, x="Bandwidth (GB/s)",
            lit={"wafer, weights outside": "I/O", "8 H100s, weights inside": "memory"}, guess={"wafer, weights outside": (streamed.streamed.m_as("GB") / guess) if guess else 0},
            title="Fast memory helps only what fits in it", subtitle="Blue: what the weights really get. You: what your answer would take"),
    ))
    return (q2,)


@app.cell(hide_code=True)
def _(h100, hosted, q2, streamed, this, wafer):
    _own, _theirs = h100.memory.bandwidth, wafer.memory.bandwidth
    (q3 := this.ask(
        3, f"Be fair, and give **one** H100 the same task: the weights lie in the memory of its host and come in through its slot for every token ({h100.host_link.name}, {say(h100.host_link.bandwidth)}). How many times as long as on the wafer does a token take?",
        unit="x", after=q2,
        slips={
            "the memories are compared": (_theirs / _own).m_as(""),
            "the peaks are compared": (wafer.peak("fp16") / h100.peak("fp16")).m_as(""),
            "bits are read as bytes": 8 * (hosted.latency / streamed.latency).m_as(""),
        },
    ).reveal(
        hosted.latency / streamed.latency,
        why=f"Two links are compared, and nothing else. The wafer's is the wider one by that much. Its memory is {say(_theirs / _own, 'x')} as fast and its peak {say(wafer.peak('fp16') / h100.peak('fp16'), 'x')} as high, and neither is asked.",
        formula=f"{say(streamed.injection_bandwidth)} ÷ {say(hosted.injection_bandwidth)} = **{say(hosted.latency / streamed.latency, 'x')}**",
    ))
    return (q3,)


@app.cell(hide_code=True)
def _(h100, outside, q3, streamed, this, wafer):
    _turn = streamed.crossover_batch
    _batches = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144]
    (q4 := this.ask(
        4, f"The weights pass once for **all** users on the wafer, and each user's arithmetic comes on top. At η = {this.eta:g}, how many users must share a pass before arithmetic, and no longer the I/O, sets the pace?",
        unit="users", after=q3, within=1.5,
        slips={
            "the whole peak is reached": _turn / this.eta,
            "it is the number of an H100": (this.eta * h100.ridge("fp16")).m_as("FLOP/B"),
            "the memory on the wafer is what the arithmetic waits for": 1,
        },
    ).reveal(
        _turn, why="Much arithmetic behind a narrow door: very many have to come in at once before the arithmetic is busy.",
        formula=f"{say(streamed.injection_time)} of waiting ÷ {say(streamed.compute_time)} of arithmetic for each user = **{say(_turn)}**",
        chart=lambda guess: charts.lines(
            {"I/O": (_batches, [outside(wafer, batch=n).injection_time.m_as("s") for n in _batches]), "arithmetic": (_batches, [outside(wafer, batch=n).compute_time.m_as("s") for n in _batches])},
            x="Users that share a pass", y="One step (s)", log="xy", upright={"you": guess} if guess else {}, title="The door is the longer clock up to fifty thousand users"),
    ))
    return (q4,)


@app.cell(hide_code=True)
def _(gpt3, outside, q4, streamed, this, wafer):
    _most = {"fewer than ten": 10, "about fifty": 100, "about five thousand": 10_000, "more than fifty thousand": float("inf")}
    (q5 := this.ask(
        5, f"And how many users fit? Each has 2,048 tokens; their keys and values must lie on the wafer ({say(wafer.memory.capacity)}). {gpt3.name} keeps a key and a value for every one of its {gpt3.key_heads} heads.",
        options=list(_most), after=q4,
        slips={
            "about fifty": "So it would be if heads shared their keys and values, as later models do. GPT-3 is older.",
            "about five thousand": f"One user keeps {say(streamed.held.to('GB'))}.",
            "more than fifty thousand": f"One user keeps {say(streamed.held.to('GB'))}.",
        },
    ).reveal(
        next(name for name, most in _most.items() if streamed.max_batch < most),
        why=f"There is room for {say(streamed.max_batch)} users. The wafer has so much bandwidth because its memory is of the fast and small kind. The users that would keep its arithmetic busy have no place on it.",
        then=f"""
## A fallacy

**"Petabytes a second end the memory wall."** For what fits on the wafer they do. For this model the step is bound by the {outside(wafer).bottleneck.lower()} of weights with one user, with {say(streamed.max_batch)} ({outside(wafer, batch=streamed.max_batch).bottleneck.lower()} again),
and even when those {say(streamed.max_batch)} have their prompts of 2,048 tokens read: {say(outside(wafer, batch=4, phase='prefill').compute_time)} of arithmetic wait for {say(outside(wafer, batch=4, phase='prefill').injection_time)} of weights. The wall is not gone. It stands at the door.

## Explore

Every machine has a cliff: the model that no longer fits, so that its weights have to come in from outside. Find the cliff of each of the three machines, then see what narrower weights do to it. Whose fall is the deepest, and why?
""",
    ))
    return (q5,)


@app.cell(hide_code=True)
def _(q5, this):
    this.wait(q5)
    _shelf = Models.Language
    dense = {m.name: m for m in (_shelf.Llama3_1_8B, _shelf.Llama2_13B, _shelf.LLaMA_33B, _shelf.Llama3_70B, _shelf.GPT3_175B, _shelf.Llama3_405B)}
    model = mo.ui.dropdown(dense, value=_shelf.Llama2_13B.name, label="Model")
    precision = mo.ui.radio({"two bytes a weight": "fp16", "one byte": "fp8", "half a byte": "int4"}, value="two bytes a weight", label="Weights", inline=True)
    mo.vstack([model, precision])
    return dense, model, precision


@app.cell(hide_code=True)
def _(dense, h100, inside, model, outside, precision, wafer):
    _machines = {"CS-3": wafer, "H100": h100, "MI300X": Hardware.MI300X}

    def _step(chip, which):
        held = inside(chip, which, precision.value)
        return held if held.feasible else outside(chip, which, precision.value)

    mo.vstack([
        lesson.stats({name: f"{say(_step(chip, model.value).latency)} ({_step(chip, model.value).bottleneck.lower()})" for name, chip in _machines.items()}),
        charts.lines(
            {name: ([m.parameters / 1e9 for m in dense.values()], [_step(chip, m).latency.m_as("ms") for m in dense.values()]) for name, chip in _machines.items()},
            x="Weights (billions)", y="One token (ms)", log="xy", upright={model.value.name: model.value.parameters / 1e9},
            title="The faster the memory, the deeper the fall behind it", subtitle="One user; where the weights do not fit they come in from outside"),
    ])
    return


@app.cell(hide_code=True)
def _(h100, inside, q5, small, this, wafer):
    _law, _gpu = inside(wafer, small), inside(h100, small)
    _said = Literature.Serving.CS3_Llama3_1_8B
    _token = (1 / _said.value).to("us")
    (q6 := this.ask(
        6, f"{small.name} does fit on the wafer. With a launch of {say(_law.overhead)} a step, the roofline allows one user {say(_law.throughput, 'tokens/s')}; an H100 allows {say(_gpu.throughput, 'tokens/s')}. What did the vendor announce for the wafer in August 2024, the same model, two bytes a weight?",
        unit="tokens/s", after=q5, within=1.5,
        slips={
            "the roof is the speed": _law.throughput,
            "half of the roof is reached": _law.throughput / 2,
            "no more than an H100": _gpu.throughput,
        },
    ).reveal(
        _said.value,
        why=f"A token takes {say(_token)}, {say(_token / small.layers)} for each of the {small.layers} layers that come one after the other. The memory explains {say(_law.memory_time.to('us'))} of it and the arithmetic {say(_law.compute_time.to('us'))}. "
        "What the rest is, the vendor has not said; results that travel over a wafer from layer to layer take a time of their own, and a roofline has no term for it. So a roof tells you what cannot be passed. Only a roof that is *near* tells you the speed.",
        chart=lambda guess: charts.ranked(
            {name: rate.m_as("1/s") for name, rate in {"CS-3, roof": _law.throughput, "CS-3, announced": _said.value, "H100, roof": _gpu.throughput}.items()}, x="Tokens a second for one user", log=True, sort=False, guess={"CS-3, announced": guess} if guess else {},
            highlight=["CS-3, announced"], title=f"Far below its roof, and {say(_said.value / _gpu.throughput, 'x')} the roof of an H100"),
        then="A vendor's figure is an advertisement until somebody else measures it. Artificial Analysis, who measure such services, saw about the same rate; it is not said how many wafers worked on it.",
    ))
    return (q6,)


@app.cell(hide_code=True)
def _(outside, q6, this):
    _chips = {"CS-3": Hardware.CS3, "MI300X": Hardware.MI300X, "GH200": Hardware.GH200, "A100": Hardware.A100}
    _model = Models.Language.Llama3_405B
    _time = {name: outside(chip, _model, "int8").latency.m_as("s") for name, chip in _chips.items()}
    (q7 := this.ask(
        7, f"A model not seen so far, {_model.name}, one byte a weight, and three GPUs beside the wafer. It fits on none of them, so the weights stay outside. Order them by a token's time for one user, **fastest first**: "
        + ", ".join(f"{name} (memory {say(chip.memory.bandwidth)}, way in {chip.host_link.name})" for name, chip in _chips.items()) + ". NVLink-C2C joins a GPU and the memory of its host on one board.",
        order=list(_chips), after=q6, because="Finish the sentence: the CS-3 has its place because",
        slips={
            "of their own memories": sorted(_chips, key=lambda name: -_chips[name].memory.bandwidth.m_as("B/s")),
            "of the room in their memories": sorted(_chips, key=lambda name: -_chips[name].memory.capacity.m_as("B")),
        },
    ).reveal(
        sorted(_time, key=_time.get),
        why=f"Only the way in counts: {', '.join(f'{name} {say(chip.host_link.bandwidth)}' for name, chip in _chips.items())}. So the tokens take "
        f"{', '.join(f'{name} {say(_time[name])} s' for name in sorted(_time, key=_time.get))}. One way to finish the sentence: *the CS-3 has its place because its bytes come through a link, and one other link is wider.*",
    ))
    return (q7,)


@app.cell(hide_code=True)
def _(q1, q2, q3, q4, q5, q6, q7, this):
    this.close(q1, q2, q3, q4, q5, q6, q7)
    return


if __name__ == "__main__":
    app.run()
