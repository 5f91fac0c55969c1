# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="1 · The memory wall")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import Q_, Engine, Hardware, Models, ServingModel
    from mlsysim.evaluation.validate import read as published
    from mlsysim.learn import charts, lesson, say


@app.cell(hide_code=True)
def _():
    (this := lesson.open("01_memory_wall"))
    return (this,)


@app.cell
def _():
    llama, qwen, phi = Models.Language.Llama3_8B, Models.Language.Qwen2_5_7B, Models.Language.Phi4
    a100, h100, h200, l4, l40s = Hardware.A100, Hardware.H100, Hardware.H200, Hardware.L4, Hardware.L40S
    return a100, h100, h200, l40s, l4, llama, phi, qwen


@app.cell
def _(llama, this):
    def request(chip, prompt=2048, answer=256):
        """One user: the prompt is read in one pass, then the answer is written token by token."""
        return ServingModel().solve(llama, chip, seq_len=prompt, decode_tokens=answer, efficiency=this.eta)

    def reading(chip, *how):
        """The share of a request's time in which the prompt is read."""
        return (request(chip, *how).ttft / request(chip, *how).latency).m_as("")

    def write(chip, model=llama):
        """One token more for one user with 2,048 tokens."""
        return Engine.solve(model, chip, seq_len=2048, efficiency=this.eta)

    def gain(old, new, *how):
        """How many times faster a whole request gets."""
        return (request(old, *how).latency / request(new, *how).latency).m_as("")

    def peaks(old, new):
        """How many times the operations a second the new chip has."""
        return (new.peak("fp16") / old.peak("fp16")).m_as("")

    def bands(old, new):
        """How many times the bytes a second."""
        return (new.memory.bandwidth / old.memory.bandwidth).m_as("")

    def between(old, new):
        """The gain of a request by the share of the old chip's time that is reading."""
        shares = [n / 20 for n in range(21)]
        return [100 * r for r in shares], [1 / (r / peaks(old, new) + (1 - r) / bands(old, new)) for r in shares]

    return bands, between, gain, peaks, reading, request, write


@app.cell(hide_code=True)
def _(a100, h100, h200, l4, qwen, this, write):
    _chips = lesson.table(
        ["Chip", "Year", "Operations a second (fp16)", "Memory bandwidth"],
        [[chip.name.split()[0], str(chip.release_year), chip.peak("fp16"), chip.memory.bandwidth] for chip in (a100, h100, h200)],
    )
    _step = write(l4, qwen)
    (q1 := this.ask(
        1, f"From lesson 0: {qwen.name} ({say(qwen.parameters / 1e9)} billion weights of two bytes) writes for **one user** on an L4 ({say(l4.peak('fp16'))}; {say(l4.memory.bandwidth)}). How many tokens a second?",
        unit="tokens/s",
        slips={
            "operations alone are counted": l4.peak("fp16") / _step.operations,
            "a weight is one byte": 2 * _step.throughput,
            "bytes are read as bits": _step.throughput / 8,
        },
    ).reveal(
        _step.throughput,
        why="Each token fetches every weight once. The bytes are the slower clock by far, so bandwidth decides.",
        formula=lambda _: f"{say(_step.traffic)} ÷ {say(l4.memory.bandwidth)} = {say(_step.memory_time)} a token: **{say(_step.throughput, 'tokens/s')}**",
        then=f"Whoever has an A100 can buy two upgrades. One adds operations above all, the other bytes:\n\n{_chips}",
    ))
    return (q1,)


@app.cell(hide_code=True)
def _(a100, bands, gain, h100, llama, peaks, q1, reading, request, this):
    _old, _new = request(a100), request(h100)
    (q2 := this.ask(
        2, f"A chat request to {llama.name}: a prompt of 2,048 tokens is **read**, then 256 tokens of answer are **written**, for one user, at η = {this.eta:g} on every chip. "
        "How many times faster is the **whole request** on the H100 than on the A100?",
        unit="x", after=q1,
        slips={
            "the operations a second are compared": peaks(a100, h100),
            "you go half way between both ratios": (peaks(a100, h100) + bands(a100, h100)) / 2,
            "the 8-bit peak of the new chip is set against the 16-bit peak of the old one": h100.peak("fp8") / a100.peak("fp16"),
        },
    ).reveal(
        gain(a100, h100),
        why=f"Reading waits for operations and gains {say(peaks(a100, h100), 'x')}. Writing waits for bytes and gains {say(bands(a100, h100), 'x')}. On the A100 writing takes {say(1 - reading(a100), '%')} of the time, so the whole lies near the second ratio.",
        formula=f"({say(_old.ttft)} + 256 × {say(_old.itl)}) ÷ ({say(_new.ttft)} + 256 × {say(_new.itl)}) = **{say(gain(a100, h100), 'x')}**",
        chart=lambda guess: charts.timeline(
            {name: [("reading", one.ttft.to("s")), ("writing", one.latency - one.ttft)] for name, one in (("A100", _old), ("H100", _new))},
            x="Time of the request (s)", guess={"H100": _old.latency / guess}, title="Reading shrinks to a third, and hardly anything was reading"),
        then="Compute (wall 1) and memory (wall 2) are two walls of one chip. You met the third in lesson 0: η, what the software reaches of the first. A faster chip moves each of them by its own factor.",
    ))
    return (q2,)


@app.cell(hide_code=True)
def _(a100, bands, gain, h100, h200, q2, this):
    _rows = {row.id: row for row in published()}
    _pairs = [(_rows[f"ser{650 + 4 * n:04}"], _rows[f"ser{651 + 4 * n:04}"]) for n in range(7)]
    _seen = {f"{one.seq_in} in, {one.seq_out} out": one.measured / other.measured for one, other in _pairs}
    (q3 := this.ask(
        3, "The H200 is the same silicon as the H100: the same operations a second, but faster memory. For the same request, from H100 to H200, what gets faster: the wait for the first word, or the pace of the answer?", after=q2,
        options=["only the pace of the answer", "only the wait for the first word", "both, by the same factor", "neither, the FLOPS are the same"],
        slips={
            "only the wait for the first word": "The first word comes when the prompt has been read, and reading waits for operations.",
            "both, by the same factor": "Reading waits for operations, and there are not more of them.",
            "neither, the FLOPS are the same": "Writing waits for bytes, and they come faster.",
        },
    ).reveal(
        "only the pace of the answer",
        why=f"Each phase follows its own roof: the pace gains {say(bands(h100, h200), 'x')}, the first word nothing. The whole chat request gains {say(gain(h100, h200), 'x')}, without one more operation a second. "
        f"That is {say((gain(h100, h200) - 1) / (gain(a100, h100) - 1), '%')} of what the step from A100 to H100 gained. Beside it is what NVIDIA measured for full chips; there the larger memory of the H200 helps, too.",
        chart=lambda _: charts.ranked(
            _seen, x="H200 over H100, measured (times)", level={"FLOPS": 1.0, "bandwidth": bands(h100, h200)},
            title="Measured: every load gains something between the two ratios", subtitle="Tokens read in and written out, Llama 3.1 8B in fp8, chips full of users (TensorRT-LLM 0.17)"),
    ))
    return (q3,)


@app.cell(hide_code=True)
def _(a100, bands, between, gain, h100, h200, peaks, q2, q3, reading, request, this):
    _long = (8000, 100)
    (q4 := this.ask(
        4, f"Another request to the same model: 8,000 tokens are read, and only 100 are written (a summary). How many times faster is it on the H100 than on the A100? (η = {this.eta:g})",
        unit="x", after=q3,
        why=["reading takes about half of the A100's time", "a longer text has a larger cache to read", "a short answer hides what the chip can do"],
        slips={
            "language models are memory-bound, whatever they do": bands(a100, h100),
            "80 times as many tokens are read as written, so the operations decide": peaks(a100, h100),
        },
    ).reveal(
        gain(a100, h100, *_long), cause="reading takes about half of the A100's time",
        why=f"80 times as many tokens are read as written, and still reading is only {say(reading(a100, *_long), '%')} of the A100's time, since a written token costs so much more time than a read one. The gain lies between the two ratios, where the request's time says.",
        formula=f"{say(request(a100, *_long).ttft)} of reading ÷ {say(peaks(a100, h100), 'x')}, and {say(request(a100, *_long).latency - request(a100, *_long).ttft)} of writing ÷ {say(bands(a100, h100), 'x')}",
        chart=lambda guess: charts.lines(
            {"A100 to H100": between(a100, h100), "H100 to H200": between(h100, h200)},
            x="Share of the old chip's time that is reading (%)", y="Gain of the whole request (times)",
            dots={"chat": ([100 * reading(a100)], [gain(a100, h100)]), "summary": ([100 * reading(a100, *_long)], [gain(a100, h100, *_long)])},
            guess=[(100 * reading(a100), float(q2.guess())), (100 * reading(a100, *_long), guess)],
            title="Every request lies between two ratios", subtitle="Left the ratio of bandwidths, right that of FLOPS; diamonds are your answers"),
    ))
    return (q4,)


@app.cell(hide_code=True)
def _(a100, h100, h200, q4, this):
    _four = {f"{chip.name.split()[0]} ({chip.release_year})": chip.ridge("fp16") for chip in (a100, h100, Hardware.MI300X, h200)}
    _years = list(_four)
    _all = {f"{chip.name.split()[0]} ({chip.release_year})": chip.ridge("fp16") for chip in (Hardware.V100, a100, h100, Hardware.MI300X, h200, Hardware.B200)}
    (q5 := this.ask(
        5, f"Peak divided by bandwidth is the chip's **ridge**: how many operations a byte must bring with it before the arithmetic is the limit. “FLOPS grow faster than bandwidth, so the wall gets higher with every chip.” Order by ridge, **lowest first**, by feeling: {', '.join(_years)}.",
        order=_years, after=q4, slips={"of a wall that rises every year": _years, "of a wall that falls every year": _years[::-1]},
    ).reveal(
        sorted(_four, key=_four.get),
        why="It rose steeply once, from A100 to H100. Then makers bought bandwidth: the H200 needs far fewer operations a byte than the H100, and the B200 stands where the H100 stood.",
        chart=lambda _: charts.ranked(_all, x="Ridge at fp16 (FLOP/B)", sort=False, highlight=_years, title="The wall was highest in 2022, not today"),
        then="""
## Explore

The prompt stays at 2,048 tokens. Find the answer length at which the step from A100 to H100 gains 2.4 times. Then explain why no answer length gains less than the ratio of the bandwidths.
Then set the price of the H100, and look for requests that get cheaper.
""",
    ))
    return (q5,)


@app.cell(hide_code=True)
def _(q5, this):
    this.wait(q5)
    answer = mo.ui.slider(steps=[1, 4, 8, 14, 24, 48, 96, 256, 512, 1024, 2048, 4096], value=256, label="Answer (tokens written)", show_value=True, full_width=True)
    price = mo.ui.slider(start=1.2, stop=3.0, step=0.2, value=2.0, label="Price of the H100, in A100s", show_value=True, full_width=True)
    mo.vstack([answer, price])
    return answer, price


@app.cell(hide_code=True)
def _(a100, answer, between, gain, h100, peaks, price, reading):
    _now = gain(a100, h100, 2048, answer.value)
    mo.vstack([
        lesson.stats({"gain": say(_now, "x"), "of the A100's time is reading": say(reading(a100, 2048, answer.value), "%"), "answers a dollar, against the A100": say(_now / price.value, "x")}),
        charts.lines(
            {"A100 to H100": between(a100, h100)}, dots={"now": ([100 * reading(a100, 2048, answer.value)], [_now])}, level={"price": price.value},
            x="Share of the A100's time that is reading (%)", y="Gain (times)", title="Above the line of the price a request gets cheaper, below it dearer"),
        mo.md(f"""
## A fallacy

**"{say(peaks(a100, h100), 'x')} the FLOPS for twice the price: tokens get cheaper."** The registry's street prices are {say(a100.unit_cost)} and {say(h100.unit_cost)}, twice as much. For a prompt of 128 tokens and an answer of 2,048 a dollar then buys
{say(gain(a100, h100, 128, 2048) * (a100.unit_cost / h100.unit_cost), 'x')} the answers: they got **dearer**. For reading alone it buys {say(peaks(a100, h100) * (a100.unit_cost / h100.unit_cost), 'x')}. The same chip is a bargain or a mistake, and the request decides.
"""),
    ])
    return


@app.cell(hide_code=True)
def _(a100, l40s, peaks, phi, q5, this, write):
    _rows = {row.id: Q_(row.measured, "1/s") for row in published()}
    (q6 := this.ask(
        6, f"A chip and a model not seen so far: {phi.name} ({say(phi.parameters / 1e9)} billion weights, fp16) writes for one user. An L40S of 2023 has {say(l40s.peak('fp16'))} and {say(l40s.memory.bandwidth)}; "
        f"the A100 of 2020 has {say(a100.peak('fp16'))} and {say(a100.memory.bandwidth)}. How many times **as long** does a token take on the L40S?",
        unit="x", after=q5, because="It is so because the step is …-bound and",
        slips={
            "more FLOPS make it faster": 1 / peaks(a100, l40s),
            "newer is twice as fast": 0.5,
            "both ratios count": (write(l40s, phi).latency / write(a100, phi).latency) / peaks(a100, l40s),
        },
    ).reveal(
        write(l40s, phi).latency / write(a100, phi).latency,
        why=f"The step is memory-bound on both, so bandwidth alone decides, and the younger chip has less of it. Measured, both full of users (Llama 3.1 8B, 2,048 tokens in and out): the A100 wrote {say(_rows['ser0669'], 'tokens/s')} with 16-bit weights, "
        f"the L40S {say(_rows['ser0668'], 'tokens/s')} with weights of half the size.",
        chart=lambda guess: charts.ranked(
            {chip.name.split()[0]: write(chip, phi).latency for chip in (a100, l40s)}, x="One token (ms)", guess={"L40S": write(a100, phi).latency * guess}, title="More FLOPS, and slower"),
    ))
    return (q6,)


@app.cell(hide_code=True)
def _(q1, q2, q3, q4, q5, q6, this):
    this.close(q1, q2, q3, q4, q5, q6)
    return


if __name__ == "__main__":
    app.run()
