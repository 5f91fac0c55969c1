# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="18 · Design challenge")

with app.setup(hide_code=True):
    import marimo as mo

    import mlsysim as ml
    from mlsysim.evaluation.plan import plan
    from mlsysim.evaluation.validate.rows import read
    from mlsysim.evaluation.verdict import judge
    from mlsysim.learn import charts, lesson, say


@app.cell(hide_code=True)
def _():
    (this := lesson.open("18_design_challenge"))
    return (this,)


@app.cell
def _(this):
    llama, h100 = ml.Models.Language.Llama3_70B, ml.Hardware.H100
    shelf = {name: ml.Hardware[name] for name in ("H100", "H200", "B200", "MI300X")}
    rate, prompt, answer, budget, promise = 1000, 512, 64, 5e6, ml.Q_(100, "ms")
    away = 2 * ml.Q_(5500, "km") / ml.Q_(200_000, "km/s")  # there and back, through glass

    def reading(chip, precision="fp8", eta=this.eta):
        """How many chips are busy with the prompts of a second."""
        one = ml.Engine.solve(llama, chip, seq_len=prompt, phase="prefill", precision=precision, efficiency=eta)
        return rate * one.latency.m_as("s")

    def writing(chip, batch=64):
        """How many chips write the answers, so many requests in each step."""
        one = ml.Engine.solve(llama, chip, batch_size=batch, seq_len=prompt + answer // 2, precision="fp8", efficiency=this.eta)
        return rate * answer * one.latency.m_as("s") / batch

    def price(chip, beside=1.0):
        """What a chip costs in three years with its power, and what is bought beside it."""
        return ml.EconomicsModel().solve(ml.Fleet(name="a server", hw=chip, count=1), ml.Q_(3, "year"), datacenter="Virginia", amortization_years=3, infrastructure_multiplier=beside).tco / 8

    def region(regions=2, spare=True, beside=1.0, eta=this.eta, length=prompt, **fleet):
        """One region of the service: its share of the requests, of the money, of the time."""
        late = (promise - away if spare and regions > 1 else promise).m_as("ms")
        system = ml.Scenarios["Capstone"].replace(constraints=(f"ttft < {late} ms", f"tco < {budget / regions} USD"))
        return system.changed({
            "workload.arrival_rate_qps": rate / (regions - 1 if spare and regions > 1 else regions), "workload.prompt": length, "workload.efficiency": eta,
            "environment.infrastructure_multiplier": beside, **{f"fleet.{key}": value for key, value in fleet.items()}})

    known = {}

    def cheapest(regions=2, spare=True, beside=1.0, eta=this.eta, length=prompt):
        """What keeps the promise, cheapest first, with dollars of all regions; the budget is left out."""
        asked = regions, spare, beside, eta, length
        system = region(*asked)
        known[asked] = known.get(asked) or plan(system.replace(constraints=system.constraints[:1]), {"fleet.hardware": list(shelf), "workload.precision": ["fp8"], "fleet.tensor_parallel": [2, 4, 8]}).found
        return [(regions * each.cost, each.change, each.found.metrics["ttft"]) for each in known[asked]]

    def judged(precision, **how):
        """The fleet of the form, and what all its regions cost."""
        found = judge(region(**how).changed({"workload.precision": precision}))
        return found, how["regions"] * found.metrics["tco"]

    mo.md(f"""
**The challenge.** {llama.name} answers **{rate:,} requests a second**, each with a prompt of {prompt} tokens and an answer of 64. The first token comes within **{say(promise)}**. Users live in **two regions**, the east of the US and Ireland.
You have **{say(ml.Q_(budget, 'USD'))}** for three years. Which fleet? You will build one below; first, what does it have to do?
""")
    return answer, away, budget, cheapest, h100, llama, judged, price, promise, prompt, rate, reading, region, shelf, writing


@app.cell(hide_code=True)
def _(h100, llama, prompt, rate, reading, this):
    _token = ml.Engine.solve(llama, h100, seq_len=1, efficiency=this.eta).latency.m_as("s")
    (q1 := this.ask(
        1, f"From lesson 2: a prompt is read in one pass, and arithmetic decides. {say(h100.peak('fp16'))} for an H100 (fp16, η = {this.eta:g}), {llama.parameters / 1e9:.1f} billion weights. How many H100s are busy with **reading** alone?",
        unit="H100s", within=1.2,
        slips={
            "the whole peak is reached": reading(h100, "fp16", eta=1.0),
            "every token of the prompt is a step of its own": rate * prompt * _token,
            "a whole prompt costs what one token costs": reading(h100, "fp16") / prompt,
        },
    ).reveal(
        reading(h100, "fp16"), why="Two operations for each weight and each token, for half a million tokens a second. Reading is fast for one user; a thousand users a second make it the work of a hall.",
        formula=f"{rate:,}/s × {prompt} × 2 × {llama.parameters / 1e9:.1f} billion ÷ ({this.eta:g} × {say(h100.peak('fp16'))}) ≈ **{say(reading(h100, 'fp16'), 'H100s')}**; in fp8 {say(reading(h100), 'H100s')}",
    ))
    return (q1,)


@app.cell(hide_code=True)
def _(answer, h100, q1, reading, this, writing):
    (q2 := this.ask(
        2, f"In fp8, reading takes {say(reading(h100), 'H100s')} (η = {this.eta:g}). Each request also wants {answer} tokens written, and 64 requests share a step. How many H100s **write**?",
        unit="H100s", after=q1, within=1.2,
        slips={"an eighth of the tokens takes an eighth of the chips": reading(h100) / 8, "one request is written at a time": writing(h100, 1)},
    ).reveal(
        writing(h100), why="Writing is slow for one user, and a batch shares the weights. Reading, the fast phase, takes more chips than writing, the slow one: there are eight times as many tokens to read.",
        chart=lambda guess: charts.ranked({"reading": reading(h100), "writing": writing(h100)}, x="H100s (fp8)", guess={"writing": guess}, title="Reading, the fast phase, takes more chips"),
    ))
    return (q2,)


@app.cell(hide_code=True)
def _(q2, this):
    (q3 := this.ask(
        3, "Two regions; if either fails, the other carries everything. Now you add a **third** region, and still any one may fail. The number of all chips changes by which factor?",
        unit="x", after=q2, within=1.1, slips={"three regions take three halves of what two take": 1.5, "the load stays, so the chips stay": 1.0, "each of three carries a third, and nothing is spare": 0.5},
    ).reveal(
        (3 / 2) / (2 / 1), why="Two regions must each carry everything: half of all chips wait for a bad day. Of three regions each carries half: a third waits. More places need fewer chips.",
        formula=f"regions ÷ (regions − 1): 2 for two, 1.5 for three, so **{say((3 / 2) / (2 / 1), 'x')}**",
    ))
    return (q3,)


@app.cell(hide_code=True)
def _(away, promise, q3, this):
    (q4 := this.ask(
        4, f"The east of the US fails, and Ireland serves its users, 5,500 km of glass fibre away. Light in glass makes 200,000 km a second. How much of the {say(promise)} is left for the machine?",
        unit="ms", after=q3, within=1.1, slips={"light takes no time": promise, "one way is enough": promise - away / 2, "light is as fast as in empty space": promise - away / 1.5},
    ).reveal(
        promise - away, why="The question travels there and the first token back. No chip buys that time. Real cables are longer, never shorter.",
        formula=f"{say(promise)} − 2 × 5,500 km ÷ 200,000 km/s = **{say(promise - away)}**",
    ))
    return (q4,)


@app.cell(hide_code=True)
def _(budget, h100, price, q4, reading, shelf, this, writing):
    _money = ml.Q_(budget, "USD")
    (q5 := this.ask(
        5, f"An H100 costs {say(h100.unit_cost)}. Network, hosts, plant, building and staff make that 2.5 times as much (the *multiplier*), and power in Virginia is paid by the meter. How many H100s do {say(_money)} own and run for three years?",
        unit="H100s", after=q4, within=1.1, slips={"only the chips are paid": _money / h100.unit_cost, "each of two regions has all the money": 2 * _money / price(h100, 2.5)},
    ).reveal(
        _money / price(h100, 2.5), why=f"Chips and power alone: {say(_money / price(h100), 'H100s')}. The multiplier is an assumption, and it decides more than any chip does. Say it aloud before someone else does.",
        formula=f"{say(_money)} ÷ (2.5 × {say(h100.unit_cost)} + {say(price(h100) - h100.unit_cost)} for power) = **{say(_money / price(h100, 2.5), 'H100s')}**",
        chart=lambda guess: charts.stack(
            {name: {part: chips * price(chip).m_as("USD") / 1e6 for part, chips in (("reading", reading(chip)), ("writing", writing(chip)), ("spare region", reading(chip) + writing(chip)))} for name, chip in shelf.items()},
            x="Chips and power, fp8 ($ million)", limit=budget / 1e6, guess={"H100": guess * price(h100).m_as("USD") / 1e6}, title="The spare region costs as much as the work", subtitle="You: the H100s that you said, without anything beside them"),
        then="""
## Build it

This fleet is the usual first draft, and it fails. Make it hold with one region down, in at most four changes. Which change bought most? Then let the reviewer in: prompts of 4,096 tokens, a multiplier of 2.5, η = 0.35.
""",
    ))
    return (q5,)


@app.cell(hide_code=True)
def _(shelf):
    pick = mo.ui.dropdown
    form = mo.md("{hardware} {precision}\n\n{count}\n\n{tensor_parallel} {regions} {spare}\n\n{length} {beside} {eta}").batch(
        hardware=pick([*shelf], value="H100", label="Chip"), precision=pick(["fp16", "fp8"], value="fp16", label="Precision"),
        count=mo.ui.slider(start=16, stop=400, step=8, value=80, label="Chips in each region", show_value=True, debounce=True),
        tensor_parallel=pick({"1": 1, "2": 2, "4": 4, "8": 8}, value="8", label="Chips that share a model"), regions=pick({"1": 1, "2": 2, "3": 3}, value="2", label="Regions"),
        spare=mo.ui.checkbox(value=True, label="any one may fail"), length=pick({"512": 512, "4,096": 4096}, value="512", label="Prompt"),
        beside=pick({"1": 1.0, "1.5": 1.5, "2.5": 2.5}, value="1", label="Multiplier"), eta=pick({"0.35": 0.35, "0.5": 0.5, "0.7": 0.7}, value="0.5", label="η"))
    own = mo.md("{model} {hardware} {phase}\n\n{batch_size} {seq_len}").batch(
        model=mo.ui.dropdown(sorted(ml.Models.Language), value="Phi4", label="Model"), hardware=mo.ui.dropdown(sorted(ml.Hardware), value="L4", label="Chip"), phase=mo.ui.dropdown(["decode", "prefill"], value="decode", label="Step"),
        batch_size=mo.ui.slider(steps=[1, 4, 16, 64, 256], value=1, label="Batch", show_value=True), seq_len=mo.ui.slider(steps=[128, 1024, 4096, 16384], value=1024, label="Tokens", show_value=True))
    return form, own


@app.cell(hide_code=True)
def _(budget, cheapest, form, judged, llama, q5, this):
    this.wait(q5)
    (_mine, _total), _best = judged(**form.value), cheapest(**{key: form.value[key] for key in ("regions", "spare", "beside", "eta", "length")})
    _lines = [[{"ttft": "first token", "tco": "cost"}[each["metric"]], "unknown" if each["value"] is None else each["value"], each["bound"], "kept" if each["satisfied"] else "broken"] for each in _mine.constraints]
    _reads = [ml.Engine.solve(llama, "H100", batch_size=n, seq_len=512, phase="prefill", precision="fp8", efficiency=this.eta) for n in (1, 16)]
    mo.vstack([
        form,
        lesson.stats({"verdict": _mine.verdict, "what binds": f"{_mine.bottleneck.lower()} (wall {_mine.wall})", "all regions": _total, "the cheapest found": ml.Q_(_best[0][0], "USD") if _best else "nothing keeps the promise",
                      "you are above it by": say((_total.m_as("USD") / _best[0][0] - 1), "%") if _best and _mine.metrics["ttft"] is not None else "not yet: it does not hold"}),
        lesson.table(["in each region", "is", "may be", ""], _lines),
        mo.md(f"""
{_mine.why} The search looks at the four chips in fp8, 2 to 8 for a model, and buys until 80 % are busy; it keeps the time and ignores the {say(ml.Q_(budget, 'USD'))}.

## A fallacy

**"Batching is free, so read 16 prompts at once."** On one H100 in fp8 the first token then comes after {say(_reads[1].latency)} instead of {say(_reads[0].latency)}, and {say(_reads[1].throughput.m_as('1/s'), 'prompts/s')} are read instead of {say(_reads[0].throughput.m_as('1/s'), 'prompts/s')}. A batch is free where bytes decide. Where operations decide, everybody just waits.
"""),
    ])
    return


@app.cell(hide_code=True)
def _(cheapest, form, judged, q5, this):
    (_mine, _total), _best, _rows = judged(**form.value), cheapest(), {row.id: row.measured for row in read()}
    _reached = {name: ml.Q_(_rows[key], "TFLOP/s") / ml.Hardware[name].peak("fp16") for name, key in (("H100", "ker1333"), ("MI300X", "ker1336"))}
    (q6 := this.ask(
        6, "Two regions, either may fail, list prices, the same η for all. On which chip does the **cheapest** fleet stand that keeps the promise?", after=q5, because="The assumption on which my own fleet stands, and how far it may move",
        options=["H100 of NVIDIA", "H200 of NVIDIA", "B200 of NVIDIA", "MI300X of AMD"],
        slips={
            "H100 of NVIDIA": "It is the cheapest NVIDIA chip, and it takes most of them.",
            "H200 of NVIDIA": "It computes like an H100 and costs more; its memory helps writing, and most of the work is reading.",
            "B200 of NVIDIA": "It needs the fewest chips, at the highest price for each.",
        },
    ).reveal(
        f"{_best[0][1]['fleet.hardware']} of AMD",
        why=f"By list price for each operation a second it wins. But \"the same η\" is a gift: the best matrix product measured reached {say(_reached['H100'], '%')} of the sheet on an H100 and {say(_reached['MI300X'], '%')} on an MI300X. Your sentence is kept in your journal; defend it when prices change.",
        chart=lambda _: charts.front(
            ([cost / 1e6 for cost, _, _ in _best], [ttft for _, _, ttft in _best]), names=[f"{change['fleet.count']} × {change['fleet.hardware']}, {change['fleet.tensor_parallel']} a model" for _, change, _ in _best],
            x="All regions, three years ($ million)", y="First token (ms)", guess=(_total.m_as("USD") / 1e6, _mine.metrics["ttft"].m_as("ms")) if _mine.metrics["ttft"] is not None else None, title="What keeps the promise, cheapest at the left", subtitle="Chips of one region; yours is the diamond, where it serves at all"),
    ))
    return (q6,)


@app.cell(hide_code=True)
def _(q6, this):
    _phi, _l4 = ml.Models.Language.Phi4, ml.Hardware.L4
    _step = ml.Engine.solve(_phi, _l4, efficiency=this.eta)
    (q7 := this.ask(
        7, f"A model and a chip not seen so far: {_phi.name} ({_phi.parameters / 1e9:.1f} billion weights, fp16) is to write for one user on an L4 ({say(_l4.memory.capacity)}, {say(_l4.memory.bandwidth)}, {say(_l4.peak('fp16'))}). Which wall comes first? And **your own** system, from your work or your phone:", after=q6,
        because="In my own system … binds, and … would move it",
        options=["room in memory", "speed of memory", "speed of arithmetic", "launching the work"],
        slips={"speed of memory": "It would be, if the model fitted.", "speed of arithmetic": "For one user it never is.", "launching the work": "That is microseconds; only tiny models see it."},
    ).reveal(
        "room in memory" if not _step.feasible else {"Memory": "speed of memory", "Compute": "speed of arithmetic", "Overhead": "launching the work"}[_step.bottleneck],
        why=f"{_step.reason} Ask first whether it fits, and only then how fast it is.", then="## Your own system\n\nChoose what comes nearest, and hold what you wrote against it.",
    ))
    return (q7,)


@app.cell(hide_code=True)
def _(own, q7, this):
    this.wait(q7)
    _found = ml.SensitivitySolver().solve(**own.value, efficiency=this.eta, stack="ideal")
    mo.vstack([
        own,
        lesson.stats({"one step": _found.latency, "what binds": _found.binding_constraint.replace("_", " "), "fits": "yes" if _found.feasible else "NO", **{f"1 % more {name.replace('_', ' ')}": say(-0.01 * slope, "%") + " faster" for name, slope in _found.sensitivities.items() if slope < 0}}),
        mo.md(_found.reason),
    ])
    return


@app.cell(hide_code=True)
def _(q1, q2, q3, q4, q5, q6, q7, this):
    this.close(q1, q2, q3, q4, q5, q6, q7)
    return


if __name__ == "__main__":
    app.run()
