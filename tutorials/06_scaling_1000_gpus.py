# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="6 · Scaling to 1000 GPUs")

with app.setup(hide_code=True):
    import marimo as mo

    import mlsysim as ml
    from mlsysim.equations.fleet import ring_all_reduce
    from mlsysim.evaluation.validate.rows import read
    from mlsysim.learn import charts, lesson, say


@app.cell(hide_code=True)
def _():
    (this := lesson.open("06_scaling_1000_gpus"))
    return (this,)


@app.cell
def _():
    llama, unseen = ml.Models.Language.Llama3_70B, ml.Models.Language.Qwen3_32B
    shelf, infiniband, log = ml.Systems.Nodes, ml.Systems.Fabrics.InfiniBand_NDR, ml.Literature.Reliability
    return infiniband, llama, log, shelf, unseen


@app.cell
def _(infiniband, llama, shelf, this):
    def fleet(gpus=1024, node=shelf.DGX_H100):
        return ml.Fleet(name="cluster", node=node, count=gpus // 8, fabric=infiniband)

    def train(wide=8, on=None, model=llama):
        """A step: each layer over `wide` GPUs, the layers over 4 stages, the rest for data; two sequences a GPU."""
        on = on or fleet()
        return ml.DistributedModel().solve(
            model, fleet=on, batch_size=2 * on.devices, seq_len=4096, tensor_parallel=wide, pipeline_parallel=4, microbatch=1,
            zero_stage=1, sequence_parallel=True, recompute="selective", overlap=0, efficiency=this.eta)

    def faults(gpus=1024, **how):
        """How often something stops the job, and what part of the time that costs."""
        return ml.ReliabilityModel().solve(fleet(gpus), **how)

    def ring(size, ranks, wire=50e9):
        """Seconds in which so many GPUs sum `size` bytes in a ring, 5 microseconds a hop."""
        return ring_all_reduce(size, ranks, wire, 5e-6)

    def queue(load):
        """Jobs of a day that need the whole cluster, and come at random."""
        return ml.OrchestrationModel().solve(fleet(), jobs_per_day=load, job_duration="1 day", devices_per_job=1024)

    return faults, fleet, queue, ring, train


@app.cell(hide_code=True)
def _(fleet, llama, shelf, this):
    _alone = 1024 * ml.ScalingModel().budget(llama.parameters, 15e12, fleet=fleet(), mfu=this.eta).training_time
    (q1 := this.ask(
        1, f"From lesson 0: operations, divided by η × peak. Training costs 6 operations for each weight and each token. {llama.name} has {llama.parameters / 1e9:.1f} billion weights and reads 15 trillion tokens. "
        f"**One** H100 ({say(shelf.DGX_H100.accelerator.peak('fp16'))}) at η = {this.eta:g}: how long does it train?",
        unit="years", within=1.2,
        slips={
            "only the forward pass is counted": _alone / 3,
            "the whole peak is reached": this.eta * _alone,
        },
    ).reveal(
        _alone, why=f"So many share the work. 1,024 of them would need {say(_alone / 1024)}, if nothing were lost. This lesson looks for what is lost.",
        formula=f"6 × {llama.parameters / 1e9:.1f} billion × 15 trillion ÷ ({this.eta:g} × {say(shelf.DGX_H100.accelerator.peak('fp16'))}) = **{say(_alone, 'years')}**",
    ))
    return (q1,)


@app.cell(hide_code=True)
def _(faults, log, q1, this):
    _one, _many = log.Llama3_gpu_hours_per_interruption.value, faults(16384, duration_days=54)
    _sizes = [8, 64, 512, 4096, 16384, 65536]
    (q2 := this.ask(
        2, f"Things break. One GPU, with everything around it, stops a job once in {say(_one, 'years')} ({say(_one, 'h')}). **16,384** of them work on one job, and each must be there. How often does something stop the job? Once in …",
        unit="h", after=q1, within=1.1,
        slips={
            "a large cluster is as reliable as one GPU": _one,
            "time is divided by the root of the number": _one / 16384**0.5,
            "a server of eight counts as one": _one / 2048,
        },
    ).reveal(
        _many.mtbf, why=f"Every GPU adds its own failures. In 54 days that makes {_many.expected_failures:.0f} stops. The log of the run from which the number is taken counts {log.Llama3_interruptions.value:.0f}. "
        f"1,024 GPUs stop once in {say(faults().mtbf)}. Other logs count other things; 20 hours at this size, which some slides say, is a pessimistic guess.",
        formula=f"{say(_one, 'h')} ÷ 16,384 = **{say(_many.mtbf, 'h')}**",
        chart=lambda guess: charts.lines(
            {"every part counted": (_sizes, [faults(n).mtbf.m_as("hour") for n in _sizes]),
             "pessimistic parts": (_sizes, [faults(n, parts="pessimistic").mtbf.m_as("hour") for n in _sizes])},
            x="GPUs", y="Between two stops (h)", log="xy", guess=(16384, guess),
            dots={"Llama 3": ([16384], [log.Llama3_cluster_mtbf.value.m_as("hour")]), "OPT": ([1024], [24 / log.OPT_175B_host_failures.value])},
            title="Ten times the GPUs stop ten times as often"),
    ))
    return (q2,)


@app.cell(hide_code=True)
def _(q2, ring, this):
    _few, _many = ml.Q_(ring(1e6, 64), "s"), ml.Q_(ring(1e6, 1024), "s")
    _sizes = [*(10.0**n for n in range(3, 11)), 3e10]
    _seen = [row for row in read() if row.source_table == "stas00-allreduce-A100x8"]
    (q3 := this.ask(
        3, f"GPUs that share the work must add up their results. In a *ring* each passes pieces on to its neighbour, at 50 GB/s and with 5 microseconds a hop. For 16 GB, 64 GPUs take {say(ml.Q_(ring(16e9, 64), 's'))}, and 1,024 take hardly longer: {say(ml.Q_(ring(16e9, 1024), 's'))}. "
        f"Now a message of **1 MB**: 64 GPUs take {say(_few)}. 1,024 GPUs?",
        unit="ms", after=q2, within=1.15,
        why=["the message waits at every hop and there are more hops", "each GPU sends more bytes", "the links get slower"],
        slips={
            "the number of GPUs does not matter, as with 16 GB": _few,
            "bytes are divided by bandwidth, and nothing else": ml.Q_(2 * 1e6 / 50e9, "s"),
            "the steps grow like the depth of a tree": _few * 10 / 6,
        },
    ).reveal(
        _many, cause="the message waits at every hop and there are more hops",
        why="Both follow from one formula. Everything goes round twice in pieces: the bytes that a GPU sends do not grow with the number of GPUs, the hops do. Large messages pay for bytes, small ones for hops. (Libraries send small ones along trees, for this reason.)",
        formula=f"2 × 1,023 hops × 5 µs + 2 × 1 MB ÷ 50 GB/s = **{say(_many)}**, of which the bytes are {say(ml.Q_(2e6 / 50e9, 's'))}",
        chart=lambda guess: charts.lines(
            {name: (_sizes, [1e3 * ring(size, ranks, wire) for size in _sizes]) for name, ranks, wire in (("1,024 GPUs", 1024, 50e9), ("64 GPUs", 64, 50e9), ("8 in a server", 8, 300e9))},
            x="Message (bytes)", y="Time to add up (ms)", log="xy", guess=(1e6, guess),
            dots={"measured, 8 GPUs": ([float(row.batch) for row in _seen], [row.measured / 1e3 for row in _seen])},
            title="Small messages pay for hops, large ones for bytes"),
    ))
    return (q3,)


@app.cell(hide_code=True)
def _(faults, q3, this, train):
    _step, _fault = train(), faults()
    _lost = {
        "exchange inside a layer": _step.tensor_time, "waiting of stages": _step.bubble_time + _step.pipeline_time,
        "failures and checkpoints": _step.step_time * (1 / _fault.goodput - 1), "exchange of gradients": _step.exposed_data_time,
    }
    (q4 := this.ask(
        4, f"Llama 3 70B on 1,024 H100. Eight GPUs of a server share each layer and **exchange** its results; four **stages** hold a quarter of the layers each, and wait for each other at both ends of a step; "
        f"the 32 copies add up their **gradients**, nothing of it hidden; something **fails** every {say(_fault.mtbf)}, a checkpoint takes {say(_fault.checkpoint_time)}, a restart {say(_fault.restart_time)}. Order what is lost, largest first.",
        order=sorted(_lost), after=q3,
        slips={
            "of what the news is about: failures first": ["failures and checkpoints", "exchange of gradients", "exchange inside a layer", "waiting of stages"],
            "of distance: what crosses the network first": ["exchange of gradients", "waiting of stages", "exchange inside a layer", "failures and checkpoints"],
        },
    ).reveal(
        sorted(_lost, key=_lost.get, reverse=True),
        why=f"A copy runs {_step.microbatches:.0f} sequences through 80 layers in each step and exchanges four times in each layer. Links inside a server are fast, but this never ends. The gradients are one large message a step.",
        formula=" · ".join(f"{name} {say(time)}" for name, time in _lost.items()) + f"; the arithmetic {say(_step.compute_time)}",
        chart=lambda guess: charts.waterfall(
            {"arithmetic": _step.compute_time, **_lost}, x="A step (s)", total="in all", ring=guess[0], title="The exchange inside the server costs more than all failures", subtitle="Your first is ringed"),
        then="""
## Explore

Let the cluster grow; each GPU keeps its two sequences. At how many GPUs do failures cost a tenth of the time? How fast must a checkpoint be written so that 16,384 GPUs stay near a tenth? And where do failures overtake the exchange?
""",
    ))
    return (q4,)


@app.cell(hide_code=True)
def _(q4, this):
    this.wait(q4)
    gpus = mo.ui.slider(steps=[512, 1024, 2048, 4096, 8192, 16384, 32768], value=1024, label="GPUs", show_value=True, full_width=True)
    pause = mo.ui.slider(steps=[1, 5, 10, 20, 60, 120, 300], value=60, label="Seconds for a checkpoint", show_value=True, full_width=True)
    mo.vstack([gpus, pause])
    return gpus, pause


@app.cell(hide_code=True)
def _(faults, fleet, gpus, pause, train):
    _fault, _run = faults(gpus.value, checkpoint_time=ml.Q_(pause.value, "s")), train(on=fleet(gpus.value))
    mo.vstack([
        lesson.stats({"stops once in": _fault.mtbf, "a checkpoint every": _fault.optimal_interval, "lost to failures": say(_fault.waste, "%"), "lost to exchange": say(_run.communication_fraction, "%")}),
        mo.md(f"""
## A fallacy

**"At 1,024 GPUs, checkpoints take more time than communication."** Here checkpoints and failures take {say(faults().waste, '%')}, and {say(faults(parts='pessimistic').waste, '%')} with the pessimistic parts that stop every {say(faults(parts='pessimistic').mtbf)}; communication takes {say(train().communication_fraction, '%')}.
Move the first slider until the sentence comes true: it does, for slow checkpoints and many more GPUs. *"Communication is one percent"* fails as well: only the gradients are that small.
"""),
    ])
    return


@app.cell(hide_code=True)
def _(fleet, q4, this):
    def across(topology):
        return ml.TopologyModel().solve(fleet(), topology=topology).effective_bandwidth

    (q5 := this.ask(
        5, f"The 128 servers are joined by ports of {say(across('fat_tree'))}; a *fat tree* of switches keeps that for all of them at once. Somebody saves the switches and cables the servers in one large **ring**. Half of all servers send to the other half. What does each server get?",
        unit="GB/s", after=q4, within=1.2,
        slips={"a port is a port": across("fat_tree"), "each has two neighbours, so half": across("fat_tree") / 2, "128 servers share one port": across("fat_tree") / 128},
    ).reveal(
        across("ring"), why=f"Cut the ring in the middle: two cables, each carrying both ways, for 64 servers on either side. A grid of cables (a torus) leaves {say(across('torus2d'))}, folded in three dimensions {say(across('torus3d'))}. "
        "That is why the exchange which never ends stays inside the server, and only what talks to its neighbour goes far.",
    ))
    return (q5,)


@app.cell(hide_code=True)
def _(q5, queue, this):
    (q6 := this.ask(
        6, f"Others use the cluster too. Jobs that take all of it for one day come at random; it is busy 80 % of the time, and a job waits {say(queue(0.8).wait, 'days')} on average. The owner fills it to **95 %**. How long is the wait now?",
        unit="days", after=q5, within=1.15,
        slips={
            "waiting grows like the load": queue(0.8).wait * 0.95 / 0.8,
            "four times fewer idle days, four times the wait": 4 * queue(0.8).wait,
            "one waits only for the job that runs": ml.Q_(0.5, "day"),
        },
    ).reveal(
        queue(0.95).wait, why="The wait goes with load ÷ (1 − load): the last percents are the dear ones. An empty GPU costs money; so does a team that waits for a week.",
        formula=f"one day × 0.95 ÷ (2 × 0.05) = **{say(queue(0.95).wait, 'days')}**",
        chart=lambda guess: charts.lines(
            {"wait": ([*range(50, 96)], [queue(n / 100).wait.m_as("day") for n in range(50, 96)])}, x="Busy (%)", y="Wait (days)", guess=(95, guess), title="The last percent of use costs days"),
    ))
    return (q6,)


@app.cell(hide_code=True)
def _(fleet, q6, shelf, this, train, unseen):
    _eight, _sixteen = (train(wide, fleet(512, shelf.MI300X_Platform), unseen).tensor_time for wide in (8, 16))
    (q7 := this.ask(
        7, f"A model and a chip not seen so far: {unseen.name} on 512 MI300X, eight in a server with links of {say(shelf.MI300X_Platform.interconnect.bandwidth)}. Eight share each layer, and the exchange takes {say(_eight)} of a step. Now **16** share it, over two servers with 50 GB/s a GPU between them. "
        "Same batch, so half as many copies with twice the sequences each. How long does the exchange take?",
        unit="s", after=q6, because="It is so because", within=1.2,
        slips={
            "the messages stay the same": _eight,
            "each GPU has half of the layer, so half of the exchange": _eight / 2,
            "twice the sequences, and the links are alike": 2 * _eight,
            "all bytes cross the slow link": 2 * _eight * (shelf.MI300X_Platform.interconnect.bandwidth / ml.Q_(50, "GB/s")),
        },
    ).reveal(
        _sixteen, why=f"Each copy does twice the work, so twice the exchanges, and a part of each now crosses links that are {say(shelf.MI300X_Platform.interconnect.bandwidth / ml.Q_(50, 'GB/s'), 'x')} slower. One way to finish: *the exchange of a layer never ends, so it must not leave the server.*",
    ))
    return (q7,)


@app.cell(hide_code=True)
def _(q1, q2, q3, q4, q5, q6, q7, this):
    this.close(q1, q2, q3, q4, q5, q6, q7)
    return


if __name__ == "__main__":
    app.run()
