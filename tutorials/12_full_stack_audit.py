# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="12 · A full-stack audit")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import (
        Q_,
        DistributedModel,
        EconomicsModel,
        Fleet,
        Models,
        Pipeline,
        ReliabilityModel,
        ResponsibleEngineeringModel,
        SustainabilityModel,
        Systems,
    )
    from mlsysim.learn import charts, lesson, say


@app.cell(hide_code=True)
def _():
    (this := lesson.open("12_full_stack_audit"))
    return (this,)


@app.cell
def _():
    llama, unseen = Models.Language.Llama3_70B, Models.Language.Qwen2_5_72B
    tokens, between_faults = 1.4e12, Q_(50_677, "hour")  # GPU-hours for one interruption: Llama 3's log
    return between_faults, llama, tokens, unseen


@app.cell
def _(between_faults, llama, this, tokens):
    def fleet(gpus=512, node=Systems.Nodes.DGX_H100):
        return Fleet(name="audit", node=node, count=gpus // 8, fabric=Systems.Fabrics.InfiniBand_NDR)

    split = {  # 8 GPUs a layer, 4 stages, the rest for data; ZeRO-1, selective recomputation
        "batch_size": 1024, "seq_len": 4096, "tensor_parallel": 8, "pipeline_parallel": 4, "microbatch": 1,
        "zero_stage": 1, "sequence_parallel": True, "recompute": "selective", "tokens": tokens}
    pipe = Pipeline([DistributedModel(), ReliabilityModel(), EconomicsModel(), SustainabilityModel()])

    def train(on, model=llama, eta=this.eta):
        return DistributedModel().solve(model, fleet=on, efficiency=eta, **split)

    def audit(gpus=512, eta=this.eta, fault=between_faults):
        """Tokens to days, days to dollars and tonnes: what one domain finds out, the next is given."""
        found = pipe.run(
            model=llama, fleet=fleet(gpus), mtbf=fault / gpus, efficiency=eta, datacenter="US_Average",
            infrastructure_multiplier=2.5, **split)
        run, failures, bill, green = found.values()
        return run, failures.elapsed_time.to("day"), bill, green.carbon.to("t")

    run, days, bill, tonnes = audit()
    peak = 512 * Systems.Nodes.DGX_H100.accelerator.peak("fp16")
    ideal = (Q_(6 * llama.parameters * tokens, "FLOP") / peak).to("day")
    inside = ideal / this.eta
    _steps = tokens / (1024 * 4096)
    added = {
        "exchange inside a layer": (_steps * run.tensor_time).to("day"),
        "waiting of stages": (_steps * (run.bubble_time + run.pipeline_time)).to("day"),
        "recomputing, and the head": (_steps * run.compute_time).to("day") - inside,
        "exchange of gradients": (_steps * run.exposed_data_time).to("day"),
        "failures and checkpoints": days - run.training_time.to("day"),
        "reading the text": Q_(0.0, "day"),
    }
    return added, audit, bill, days, fleet, ideal, inside, run, tonnes, train


@app.cell(hide_code=True)
def _(llama, run, this):
    _text = (run.token_throughput.m_as("1/s") * Q_(4, "B/s")).to("MB/s")
    (q1 := this.ask(
        1, f"A cluster of 512 H100 GPUs trains {llama.name} at half of their peak (η = {this.eta:g}). A token of the training text is 4 bytes. How fast must the storage deliver the text, **for all GPUs together**?",
        unit="MB/s", within=1.5,
        slips={
            "each GPU reads everything": 512 * _text,
            "the vectors of the tokens are read, not the tokens": (run.token_throughput.m_as("1/s") * Q_(2 * llama.hidden, "B/s")).to("MB/s"),
            "the model is read from the disk in each step": (Q_(2 * llama.parameters, "B") / run.step_time).to("MB/s"),
        },
    ).reveal(
        _text, why=f"A step of {say(run.step_time)} needs {1024 * 4096:,} tokens, and a token is four bytes. A laptop's disk could do it. What sizes the storage of such a cluster is the checkpoint, which is written while everybody waits.",
        formula=f"{say(run.token_throughput, 'tokens/s')} × 4 B = **{say(_text)}**",
    ))
    return (q1,)


@app.cell(hide_code=True)
def _(days, ideal, inside, llama, q1, run, this, tokens):
    (q2 := this.ask(
        2, f"{tokens / 1e12:g} trillion tokens, 512 H100 of {say(Systems.Nodes.DGX_H100.accelerator.peak('fp16'))} each; inside a GPU, half of that is reached (η = {this.eta:g}). How long does the training take **from start to end**, failures included?",
        unit="days", within=1.15, after=q1,
        slips={
            "the whole peak is reached and nothing is lost": ideal,
            "half of the peak is reached and nothing else is lost": inside,
            "only the forward pass is counted": inside / 3,
        },
    ).reveal(
        days, why="Each domain multiplies the answer by one factor: the operations of a token, what a GPU reaches inside, what splitting the work over GPUs leaves of it, what failures leave of that.",
        formula=f"6 × {llama.parameters / 1e9:.1f} billion × {tokens / 1e12:g} trillion operations ÷ 512 peaks = {say(ideal)}; ÷ η = {say(inside)}; with splitting {say(run.training_time.to('day'))}; with failures **{say(days)}**",
    ))
    return (q2,)


@app.cell(hide_code=True)
def _(added, days, ideal, inside, q2, this):
    (q3 := this.ask(
        3, f"{say(inside)} would be the arithmetic alone at η. What adds **most** of the other days?", after=q2,
        options=["splitting the work over 512 GPUs", "failures", "writing checkpoints", "reading the text"],
        why=["every layer's result crosses the links between GPUs", "some GPU of 512 fails every day", "the storage is far away"],
        slips={
            "failures": f"Failures and checkpoints together add {say(added['failures and checkpoints'])}: one interruption in four days, and one GPU-hour in fifty lost.",
            "writing checkpoints": f"Failures and checkpoints together add {say(added['failures and checkpoints'])}.",
            "reading the text": "The text arrives at a few MB/s, while the GPUs compute.",
            "some GPU of 512 fails every day": "It is one interruption in four days.",
        },
    ).reveal(
        "splitting the work over 512 GPUs", cause="every layer's result crosses the links between GPUs",
        why="Eight GPUs share each layer, so that its result must be put together again four times for each microbatch. Which part of the splitting is largest turns with the split; that splitting outweighs failures at this size does not. "
        "At 16,384 GPUs failures would no longer be small.",
        chart=lambda _: charts.waterfall(
            {"arithmetic at the whole peak": ideal, "what a GPU loses inside": inside - ideal, **added},
            x="Days", total="from start to end", guess=Q_(float(q2.guess()), "day"), title=f"{inside.m:.0f} days of arithmetic take {days.m:.1f}"),
    ))
    return (q3,)


@app.cell(hide_code=True)
def _(bill, days, q3, run, this, tonnes):
    _points = run.mfu / (1 - bill.energy_share) - run.mfu
    (q4 := this.ask(
        4, f"The run reaches {say(run.mfu, '%')} of the peak from end to end (its *MFU*, at η = {this.eta:g}). A power company offers **all electricity for free**. How many points of MFU would save as much money? (The bill is 2.5 times the accelerators, spread over five years, and power at the average US price.)",
        unit="points", within=1.4, after=q3,
        slips={
            "power is a tenth of the bill": 100 * (run.mfu / 0.9 - run.mfu),
            "power is a third of the bill": 100 * (run.mfu / (1 - 1 / 3) - run.mfu),
            "power is half of the bill": 100 * run.mfu,
        },
    ).reveal(
        100 * _points, why=f"Power is {say(bill.energy_share, '%')} of this bill. The same dollars are earned by a run that is shorter by that share, and a better split can do that.",
        formula=f"{say(days)} → {say(bill.tco)} and {say(tonnes)} of CO₂; {say(bill.energy_cost)} of it for {say(bill.energy)}",
        then="""
## Explore

Halve the days in two ways: with twice the GPUs, and with a better η. Write down dollars and tonnes for each. Which way is nearly free, and which is not there to be bought?
""",
    ))
    return (q4,)


@app.cell(hide_code=True)
def _(q4, this):
    this.wait(q4)
    gpus = mo.ui.slider(steps=[256, 512, 1024, 2048], value=512, label="GPUs", show_value=True, full_width=True)
    eta = mo.ui.slider(start=0.3, stop=0.8, step=0.05, value=0.5, label="η inside a GPU", show_value=True, full_width=True)
    rate = mo.ui.slider(steps=[1, 2, 5, 10], value=1, label="Failures, times as many", show_value=True, full_width=True)
    mo.vstack([gpus, eta, rate])
    return eta, gpus, rate


@app.cell(hide_code=True)
def _(audit, between_faults, eta, gpus, rate):
    _run, _days, _bill, _tonnes = audit(gpus.value, eta.value, between_faults / rate.value)
    mo.vstack([
        lesson.stats({"from start to end": _days, "bill": _bill.tco, "CO₂": _tonnes, "MFU": say(_run.mfu, "%")}),
        mo.md("""
## A fallacy

**"At scale, failures and power dominate."** Both are real, at sixteen thousand GPUs and on a dirty grid. Here both are a few percent, and the exchange between GPUs is ten times as much. What survives of the sentence: *compute the share first*.
"""),
    ])
    return


@app.cell(hide_code=True)
def _(llama, q4, this, tokens):
    _rows = round(tokens / 4096)

    def _private(batch=1024, **counted):
        """Noise that keeps one sequence secret, over the whole run."""
        return ResponsibleEngineeringModel().solve(epsilon=8, batch_size=batch, releases=round(_rows / batch), model=llama, **counted)

    _now = _private(dataset_size=_rows)
    (q5 := this.ask(
        5, f"The text holds private messages, and nobody shall be able to tell whether one sequence was in it. So each step adds noise to its gradient (*differential privacy*, ε = 8 over the whole run). A step averages 1,024 of {_rows / 1e6:.0f} million sequences. "
        f"Over all {llama.parameters / 1e9:.1f} billion weights, how many times **as long as the gradient** is the noise?",
        unit="x", within=1.5, after=q4,
        slips={
            "a little noise on each weight is a little noise": _now.gradient_noise,
            "every step sees all of the text": _private().noise_to_gradient,
            "one step is all that is told": _private(dataset_size=_rows).noise_to_gradient / (_rows / 1024) ** 0.5,
        },
    ).reveal(
        _now.noise_to_gradient,
        why="Each weight gets next to nothing. But lengths add in squares, and there are very many weights. What helps is that a step sees so few of the sequences: whoever does not count that needs a thousand times the noise.",
        formula=f"{_now.gradient_noise:.2g} of the gradient on each weight × √{llama.parameters / 1e9:.1f} billion = **{say(_now.noise_to_gradient, 'x')}**",
        then=f"With 64 times the batch it is {say(_private(64 * 1024, dataset_size=_rows).noise_to_gradient, 'x')}. Private training wants batches as large as can be; what those cost to exchange and to learn from, other walls tell.",
    ))
    return (q5,)


@app.cell(hide_code=True)
def _(fleet, q5, run, this, train, unseen):
    _on = fleet(node=Systems.Nodes.DGX_B200)
    _new, _peak = train(_on, unseen), 512 * Systems.Nodes.DGX_B200.accelerator.peak("fp16")
    _ideal = (Q_(6 * unseen.parameters * run.tokens, "FLOP") / _peak).to("day")
    _walls = sorted({wall for solver in (DistributedModel, EconomicsModel, ReliabilityModel, ResponsibleEngineeringModel) for wall in solver.walls})
    (q6 := this.ask(
        6, f"A model and a chip not seen so far: {unseen.name} ({unseen.parameters / 1e9:.1f} billion), the same tokens and split, on 512 B200 ({say(Systems.Nodes.DGX_B200.accelerator.peak('fp16'))} each), η = {this.eta:g}. How long, without failures?",
        unit="days", within=1.2, after=q5, because="The largest factor after the arithmetic is … because",
        slips={
            "the whole peak is reached and nothing is lost": _ideal,
            "half of the peak is reached and nothing else is lost": _ideal / this.eta,
            "it takes as long as on H100": train(fleet(), unseen).training_time,
        },
    ).reveal(
        _new.training_time,
        why=f"The arithmetic is {say(train(fleet(), unseen).compute_time / _new.compute_time, 'x')} as quick, the links between GPUs are not: the MFU falls from {say(run.mfu, '%')} to {say(_new.mfu, '%')}. "
        "What this audit has not counted: restarts by hand, evaluation runs, people, and whether the model is any good.",
        then=f"Some call such an audit twelve of the 22 walls. Its solvers stand for {len(_walls)} of them ({', '.join(map(str, _walls))}). Ask of your own run which of the others it meets.",
    ))
    return (q6,)


@app.cell(hide_code=True)
def _(q1, q2, q3, q4, q5, q6, this):
    this.close(q1, q2, q3, q4, q5, q6)
    return


@app.cell(hide_code=True)
def _(q6, this):
    (cards := this.name_that_wall(q6))
    return (cards,)


if __name__ == "__main__":
    app.run()
