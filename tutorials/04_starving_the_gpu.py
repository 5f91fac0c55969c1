# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="4 · Starving the GPU")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import (
        Q_,
        ContinuousBatchingModel,
        DataModel,
        Engine,
        Hardware,
        Literature,
        Models,
        TransformationModel,
    )
    from mlsysim.learn import charts, lesson, say


@app.cell(hide_code=True)
def _():
    (this := lesson.open("04_starving_the_gpu"))
    return (this,)


@app.cell
def _():
    llama, resnet, vit = Models.Language.Llama3_8B, Models.Vision.ResNet50, Models.Vision.ViT_B_16
    a100, b200, h100, l40s, v100 = Hardware.A100, Hardware.B200, Hardware.H100, Hardware.L40S, Hardware.V100
    return a100, b200, h100, l40s, llama, resnet, v100, vit


@app.cell
def _(a100):
    cited = Literature.Data
    pace = float(cited.ResNet50_A100_demand.value)  # images a second that one A100 was measured to train on
    jpeg = float(cited.FFCV_jpeg_images_per_second_per_vcpu.value)  # images that one virtual CPU decodes
    size = Q_(138e9 / 1.28e6, "B").to("kB")  # a JPEG of ImageNet: 138 GB hold 1.28 million
    raw = Q_(256 * 256 * 3, "B").to("kB")  # decoded to 256 pixels a side, three bytes each

    def wants(chip):
        """Images a second: the measured A100, scaled by the peak, so the same part of it is reached."""
        return pace * (chip.peak("fp16") / a100.peak("fp16")).m_as("")

    def feed(workers, demand, rate=jpeg, **storage):
        """A training step fed by workers and storage that work ahead of the GPU."""
        return TransformationModel().solve(batch_size=256, workers=workers, worker_rate=Q_(rate, "1/s"), step_time=Q_(256 / demand, "s"), **storage)

    def asked(rate, each):
        """Bytes a second that must come from storage."""
        return DataModel().solve(bytes_per_sample=each, samples_per_second=Q_(rate, "1/s"), storage_bandwidth="1 GB/s").demand.to("MB/s")

    def bars(workers, demands, **how):
        """The rate of each stage, in images a second."""
        return charts.ranked({f"{workers} virtual CPUs": workers * jpeg, **demands}, x="Images a second", sort=False, highlight=[f"{workers} virtual CPUs"], **how)

    return asked, bars, cited, feed, jpeg, pace, raw, size, wants


@app.cell(hide_code=True)
def _(h100, l40s, llama, this):
    def _full(chip):
        fit = ContinuousBatchingModel().solve(llama, chip, seq_len=4096, max_seq_len=4096, efficiency=this.eta).paged_batch
        return Engine.solve(llama, chip, batch_size=int(fit), seq_len=4096, efficiency=this.eta).latency

    (q1 := this.ask(
        1, f"From lesson 3: an L40S ({say(l40s.memory.capacity)}; {say(l40s.memory.bandwidth)}) is **full** of users of {llama.name} with 4,096 tokens each; a tenth of its memory is in reserve. How long is one step?",
        unit="ms",
        slips={"a full chip is a full chip, as on the H100": _full(h100), "only the weights are read": Engine.solve(llama, l40s, seq_len=1, efficiency=this.eta).latency},
    ).reveal(
        _full(l40s), why="A full chip reads itself once a step, so its capacity and its bandwidth tell how long that takes.",
        then="There the GPU had all that it needed in its own memory. In **training**, every step needs new data, and they come from outside: from **storage**, through **workers** that unpack them, to the GPU.",
    ))
    return (q1,)


@app.cell(hide_code=True)
def _(asked, h100, llama, pace, q1, size, this):
    _mfu, _peaks = 0.4, 1024 * h100.peak("fp16").m_as("FLOP/s") / (6 * llama.parameters)
    _text, _images = asked(_mfu * _peaks, "4 B"), asked(pace, size)
    (q2 := this.ask(
        2, f"One A100 that trains ResNet-50 was measured to take in {pace:,.0f} images a second; a JPEG of ImageNet has {say(size)}, so it asks the storage for {say(_images)}. Now 1,024 H100s train {llama.name} at {say(_mfu, '%')} of their peak ({say(h100.peak('fp16'))} each). "
        "A token needs 6 operations for each weight, and has 4 bytes on disk. How much do **all 1,024 together** ask for?",
        unit="MB/s", after=q1, within=1.4,
        slips={
            "each of them asks for what one A100 asks for": 1024 * _images,
            "every token arrives as its vector": asked(_mfu * _peaks, Q_(2 * llama.hidden, "B")),
            "they run at their peak": asked(_peaks, "4 B"),
        },
    ).reveal(
        _text,
        why=f"A token costs {say(Q_(6 * llama.parameters, 'FLOP'))} and has four bytes. An image costs half as much and has {say(size)}. So one GPU with images asks for {(_images / _text).m_as(''):.0f} times as much as a thousand with text.",
        formula=f"1,024 × {say(_mfu, '%')} × {say(h100.peak('fp16'))} ÷ {say(Q_(6 * llama.parameters, 'FLOP'))} × 4 B = **{say(_text)}**",
        chart=lambda guess: charts.ranked({"1 A100, images": _images, "1,024 H100, text": _text}, x="Asked of the storage (MB/s)", log=True, guess={"1,024 H100, text": guess}, title="Images starve GPUs, text does not"),
    ))
    return (q2,)


@app.cell(hide_code=True)
def _(a100, bars, feed, h100, jpeg, pace, q2, this, wants):
    _old, _new = feed(6, pace), feed(6, wants(h100))
    _up = (h100.peak("fp16") / a100.peak("fp16")).m_as("")
    _band = (h100.memory.bandwidth / a100.memory.bandwidth).m_as("")
    (q3 := this.ask(
        3, f"The storage is fast enough, but a JPEG must be decoded, and one virtual CPU decodes {jpeg:.0f} a second (measured). A host gives the A100 **6 virtual CPUs**. You replace the A100 by an H100, with {say(_up, 'x')} the FLOPS. How many times as many images a second are trained on?",
        unit="x", after=q2, within=1.1,
        why=["the virtual CPUs decode no more than before", "the H100 needs a larger batch", "the cable to the GPU is the same"],
        slips={"the FLOPS count": _up, "the bandwidth of the memory counts": _band, "half of the gain arrives": (1 + _up) / 2},
    ).reveal(
        _new.throughput / _old.throughput, cause="the virtual CPUs decode no more than before",
        why=f"6 × {jpeg:.0f} images a second is all there is, and the A100 wanted more already. The new GPU only waits longer: its **utilisation** falls from {say(_old.accelerator_utilization, '%')} to {say(_new.accelerator_utilization, '%')}.",
        formula=f"the least of 6 × {jpeg:.0f} = {6 * jpeg:,.0f} (virtual CPUs), {pace:,.0f} (A100), {wants(h100):,.0f} (H100)",
        chart=lambda guess: bars(6, {"A100": pace, "H100": wants(h100)}, guess={"H100": guess * _old.throughput.m_as("1/s")}, title="A longer bar behind the same short one", subtitle="All stages work ahead, so the shortest bar is the rate of all"),
        then="This is the whole lesson: stages that work ahead of each other run at the rate of the **slowest**. Storage is wall 8, the workers are wall 9.",
    ))
    return (q3,)


@app.cell(hide_code=True)
def _(cited, feed, q3, raw, size, this):
    _decoded, _plain = float(cited.FFCV_jpeg_images_per_second.value), float(cited.FFCV_raw_images_per_second.value)
    _disk = (6870 * raw / Q_(1, "s")).to("GB/s")  # raw images a second that were measured from network disks
    _from = {
        name: feed(1, 1e9, rate, bytes_per_sample=each, storage_bandwidth=_disk).throughput.m_as("1/s")
        for name, rate, each in (("JPEG", _decoded, size), ("raw", _plain, raw))
    }
    (q4 := this.ask(
        4, f"So leave the decoding out: store the pixels **raw**. An image then has {say(raw)} instead of {say(size)}. A large host prepares {_decoded:,.0f} JPEGs or {_plain:,.0f} raw images a second (measured), if they are in its RAM. Which format is faster from RAM, and which from a network disk of {say(_disk)}?",
        after=q3,
        options=["raw from RAM and JPEG from the disk", "raw from both", "JPEG from both", "JPEG from RAM and raw from the disk"],
        slips={
            "raw from both": "From the disk the bytes are the slowest stage, and raw images have more of them.",
            "JPEG from both": "From RAM the decoding is the slowest stage, and raw images need none.",
            "JPEG from RAM and raw from the disk": "The other way round: what the disk delivers is counted in bytes, and raw images have more of them.",
        },
    ).reveal(
        "raw from RAM and JPEG from the disk",
        why=f"From RAM raw is {say(_plain / _decoded, 'x')} as fast. From the disk JPEG is {say(_from['JPEG'] / _from['raw'], 'x')} as fast: once the decoding is gone, bytes are the slowest stage. Remove a wall, and you stand before the next.",
        chart=lambda _: charts.ranked({"raw, RAM": _plain, "JPEG, RAM": _decoded, "JPEG, disk": _from["JPEG"], "raw, disk": _from["raw"]}, x="Images a second", log=True, sort=False, title="The same two formats, the other order", subtitle="FFCV on 96 virtual CPUs"),
    ))
    return (q4,)


@app.cell(hide_code=True)
def _(bars, feed, jpeg, pace, q4, this):
    _step, _busy = Q_(48, "ms"), 0.4
    _deck = 256 / _step.m_as("s")
    _host = _busy * _deck
    _now = feed(1, pace, _host)
    (q5 := this.ask(
        5, f"You read on a slide: “A step of 256 images takes an A100 {say(_step)}, and the CPUs keep it busy {say(_busy, '%')} of the time.” But you measure that the A100 alone trains on {pace:,.0f} images a second. What is the utilisation of **this** A100, with the same CPUs?",
        unit="%", after=q4, within=1.15,
        slips={"the CPUs are as slow as before, so nothing changes": _busy, "a slower GPU is used less": _busy * pace / _deck},
    ).reveal(
        _now.accelerator_utilization,
        why=f"The slide's CPUs deliver {_host:,.0f} images a second. Its GPU would take {_deck:,.0f}, which nobody has measured; the real one takes {pace:,.0f} and is nearly fed. Utilisation is supply over **demand**: it falls when the demand is overstated.",
        formula=f"{say(_busy, '%')} × 256 ÷ {say(_step)} = {_host:,.0f}; ÷ {pace:,.0f} = **{say(_now.accelerator_utilization, '%')}**",
        chart=lambda guess: charts.ranked({"CPUs": _host, "A100, measured": pace, "A100, slide": _deck}, x="Images a second", sort=False, highlight=["CPUs"], guess={"A100, measured": 100 * _host / guess}, title="The slide's GPU was twice too fast"),
        then="""
## Explore

Feed the H100 to 95 %: how many virtual CPUs does that take? Then give the same host a V100. What would you buy for it?
""",
    ))
    return (q5,)


@app.cell(hide_code=True)
def _(a100, b200, h100, q5, this, v100):
    this.wait(q5)
    gpus = {"V100": v100, "A100": a100, "H100": h100, "B200": b200}
    workers = mo.ui.slider(start=1, stop=64, value=6, label="Virtual CPUs", show_value=True, full_width=True)
    gpu = mo.ui.radio(list(gpus), value="H100", label="GPU", inline=True)
    mo.vstack([workers, gpu])
    return gpu, gpus, workers


@app.cell(hide_code=True)
def _(bars, feed, gpu, gpus, pace, wants, workers):
    _now = feed(workers.value, wants(gpus[gpu.value]))
    _mfu = float(Literature.Efficiency.ResNet50_A100.value)
    mo.vstack([
        lesson.stats({"images a second": f"{_now.throughput.m_as('1/s'):,.0f}", "utilisation": say(_now.accelerator_utilization, "%"), "bound by": _now.bottleneck.lower(), "virtual CPUs that would do": f"{_now.workers_needed:.0f}"}),
        bars(workers.value, {gpu.value: wants(gpus[gpu.value])}, title=f"{gpu.value} and its host"),
        mo.md(f"""
## A fallacy

**"100 % utilisation: nothing to gain."** Give the A100 8 virtual CPUs: its utilisation is {say(feed(8, pace).accelerator_utilization, "%")}. And it does {say(_mfu, "%")} of the operations that its peak allows (measured). *Utilisation* counts the time in which **something** runs, however badly.
The other way round, low utilisation does not call for a better GPU: you have seen one wait longer.
"""),
    ])
    return


@app.cell(hide_code=True)
def _(a100, b200, feed, jpeg, q5, resnet, this, vit, wants):
    _times = vit.macs / resnet.macs
    _need = 8 * wants(b200) / _times / jpeg
    (q6 := this.ask(
        6, f"A server and a model not seen so far: 8 B200, each with {say(b200.peak('fp16') / a100.peak('fp16'), 'x')} the peak of an A100, and 224 virtual CPUs. It trains {vit.name}, which costs {say(_times, 'x')} the operations of ResNet-50 an image, and reaches the same part of the peak. How many virtual CPUs would feed all eight with JPEGs?",
        unit="virtual CPUs", after=q5, because="The job is bound by … because",
        slips={
            "an image is an image, as for ResNet-50": 8 * wants(b200) / jpeg,
            "a GPU is a GPU, as for eight A100s": 8 * wants(a100) / _times / jpeg,
            "one GPU is fed": _need / 8,
        },
    ).reveal(
        feed(1, 8 * wants(b200) / _times).workers_needed,
        why=f"The 224 are enough, and the GPUs are the slowest stage: a heavier model takes more time for each image. ResNet-50 on the same server would need {8 * wants(b200) / jpeg:.0f}, and starve.",
        formula=f"8 × {wants(b200) / _times:,.0f} images a second ÷ {jpeg:.0f}",
    ))
    return (q6,)


@app.cell(hide_code=True)
def _(q1, q2, q3, q4, q5, q6, this):
    this.close(q1, q2, q3, q4, q5, q6)
    return


if __name__ == "__main__":
    app.run()
