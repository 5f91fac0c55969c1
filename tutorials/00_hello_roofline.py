# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="0 · Hello, Roofline")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import Engine, Hardware, Models
    from mlsysim.equations import node
    from mlsysim.learn import Journal, charts, intuition, lesson, predict, reveal, wait_for


@app.cell(hide_code=True)
def _():
    lesson.head("00_hello_roofline")
    return


@app.cell(hide_code=True)
def _():
    journal = Journal()
    return (journal,)


@app.cell
def _():
    llama = Models.Language.Llama3_8B
    resnet = Models.Vision.ResNet50
    return llama, resnet


@app.cell
def _():
    a100 = Hardware.Cloud.A100
    h100 = Hardware.Cloud.H100
    return a100, h100


@app.cell(hide_code=True)
def _(a100, h100):
    mo.md(f"""
    Every chip has two speed limits. It can **compute** only so fast, and it can **move bytes** from memory
    only so fast. An {h100.name} does {h100.peak("fp16").m_as("TFLOP/s"):.0f} TFLOP/s and moves
    {h100.memory.bandwidth.m_as("TB/s"):.2f} TB/s. (A FLOP is one operation, an add or a multiply; a TFLOP is a million million.)

    Which limit you hit depends on one property of your work: how many operations it does for each byte it moves,
    its **arithmetic intensity**. Plot the best possible speed against it and you get a *roofline*: a slope where memory
    is the limit (memory *binds*), a flat roof where compute binds, and a **ridge** where they meet. Real programs reach a part of the peak; this course uses
    half of it (η = 0.5) unless it says otherwise, which puts the ridge of the {a100.name} at
    {0.5 * a100.ridge("fp16").m_as("FLOP/B"):.0f} and that of the {h100.name} at {0.5 * h100.ridge("fp16").m_as("FLOP/B"):.0f} FLOP/byte.
    """)
    return


@app.cell(hide_code=True)
def _(a100, h100):
    charts.roofline(
        [h100, a100], efficiency=0.5, title="Two chips, two roofs each",
        subtitle="The shading is for the H100; compute roofs at half of peak",
    )
    return


@app.cell(hide_code=True)
def _(llama):
    mo.md(f"""
    ## Decoding one token

    A language model writes one token, a piece of a word, at a time; each is one *decode step*. {llama.name} has
    {llama.parameters / 1e9:.1f} billion parameters (weights), two bytes each in the number format fp16. To produce **one token for one user**,
    every weight matrix is read once and used for one multiply and one add per weight.
    """)
    return


@app.cell(hide_code=True)
def _(journal):
    which_roof = predict(
        "00.1", "An H100 decodes one token for one user with Llama 3 8B. What limits it?",
        options=["memory", "compute"], journal=journal,
    )
    which_roof
    return (which_roof,)


@app.cell
def _(h100, llama):
    def decode(batch_size=1, hardware=h100, seq_len=2048):
        """One decode step: which roof, and how long?"""
        return Engine.solve(llama, hardware, batch_size=batch_size, seq_len=seq_len)

    return (decode,)


@app.cell(hide_code=True)
def _(a100, decode, h100, which_roof):
    reveal(
        which_roof, truth=lambda: decode().bottleneck.lower(),
        why=lambda: (
            f"The step does {decode().operations.m_as('GFLOP'):.0f} GFLOP and moves {decode().traffic.m_as('GB'):.1f} GB: "
            f"about {decode().arithmetic_intensity.m_as('FLOP/B'):.1f} operations a byte, where the ridge is at "
            f"{0.5 * h100.ridge().m_as('FLOP/B'):.0f}. The arithmetic units wait for memory "
            f"{1 - (decode().compute_time / decode().memory_time).m_as(''):.1%} of the time."
        ),
        chart=lambda: charts.roofline(
            [h100, a100], [decode()], efficiency=0.5, title="One user sits far down the slope",
            subtitle="The dot is one decode step at batch 1"),
    )
    return


@app.cell(hide_code=True)
def _(journal, which_roof):
    step_time = predict(
        "00.2", "So how long does that one decode step take?", unit="ms", journal=journal, after=which_roof,
    )
    step_time
    return (step_time,)


@app.cell(hide_code=True)
def _(decode, h100, step_time):
    reveal(
        step_time, truth=lambda: decode().latency,
        misconceptions={
            "you divide the operations by the peak and forget the bytes": lambda: decode().operations / h100.peak(),
            "compute is the limit": lambda: decode().compute_time,
            "each weight takes one byte": lambda: decode().latency / 2,
            "bytes are read as bits": lambda: decode().latency * 8,
        },
        why=lambda: (
            f"{decode().traffic.m_as('GB'):.1f} GB of weights and KV cache (what attention keeps of the {decode().seq_len:,.0f} tokens so far) at {h100.memory.bandwidth.m_as('TB/s'):.2f} TB/s take "
            f"{decode().memory_time.m_as('ms'):.2f} ms; launching the step adds {decode().overhead.m_as('us'):.0f} µs. "
            f"The arithmetic alone would take {decode().compute_time.m_as('ms'):.3f} ms. "
            "*(The input embedding is a table: one row of it is read, not all, so it is not in the bytes.)*"
        ),
    )
    return


@app.cell(hide_code=True)
def _(llama, resnet, step_time):
    wait_for(step_time, hint="")
    mo.md(f"""
    ## A different model

    ResNet-50 classifies one image with {resnet.parameters / 1e6:.1f} million parameters: {llama.parameters / resnet.parameters:.0f} times
    fewer than {llama.name}. But a convolution uses each weight at every position of the image.
    """)
    return


@app.cell(hide_code=True)
def _(journal, step_time):
    one_image = predict(
        "00.3", "ResNet-50, one image at a time, on an A100. What limits it?",
        options=["memory", "compute"], journal=journal, after=step_time,
    )
    one_image
    return (one_image,)


@app.cell(hide_code=True)
def _(a100, h100, one_image, resnet):
    def _on(hardware):
        return Engine.solve(resnet, hardware, batch_size=1)

    reveal(
        one_image, truth=lambda: _on(a100).bottleneck.lower(),
        why=lambda: (
            f"One image needs {_on(a100).operations.m_as('GFLOP'):.1f} GFLOP and moves {_on(a100).traffic.m_as('MB'):.0f} MB of weights and "
            f"feature maps: {_on(a100).arithmetic_intensity.m_as('FLOP/B'):.0f} FLOP/byte, just past the A100's ridge at "
            f"{0.5 * a100.ridge().m_as('FLOP/B'):.0f}. On the H100 the *same image* is "
            f"**{_on(h100).bottleneck.lower()}-bound**: its ridge lies further right, at {0.5 * h100.ridge().m_as('FLOP/B'):.0f}. "
            "Memory-bound or compute-bound is a property of the pair, not of the model."
        ),
        chart=lambda: charts.roofline(
            [h100, a100], [_on(a100)], efficiency=0.5, shade=a100, title="One image, either side of a ridge",
            subtitle="The dot is one image on the A100, whose regimes are shaded"),
    )
    return


@app.cell(hide_code=True)
def _(one_image):
    wait_for(one_image, hint="")
    mo.md("""
    ## Back to Llama: share the bytes

    Reading the weights costs the same for one user as for many. Serve more users in one step, a larger **batch**, and
    the operations grow while the weight bytes do not. Somewhere the dot climbs over the ridge.

    Take very short contexts (few tokens so far) for now, so that the weights are all that matters.
    """)
    return


@app.cell(hide_code=True)
def _(journal, one_image):
    crossover = predict(
        "00.4", "From which batch on is Llama 3 8B decode compute-bound on an H100 (η = 0.5, context of one token)?",
        unit="requests", journal=journal, after=one_image,
    )
    crossover
    return (crossover,)


@app.cell
def _(decode, h100):
    def crossover_batch(seq_len=1, efficiency=0.5):
        """Weights are read once a step; each request adds its own operations and KV cache."""
        one = decode(seq_len=seq_len)
        return node.crossover_batch(
            weights=one.si("traffic") - one.si("kv_cache"), state=one.si("kv_cache"),
            operations=one.si("operations"), peak=one.si("peak"), bandwidth=one.si("bandwidth"), efficiency=efficiency,
        )

    return (crossover_batch,)


@app.cell(hide_code=True)
def _(crossover, crossover_batch, decode, h100):
    reveal(
        crossover, truth=crossover_batch,
        misconceptions={
            "the full peak is reached (η = 1)": lambda: crossover_batch(efficiency=1.0),
            "one operation a weight is counted, not a multiply and an add": lambda: crossover_batch() * 2,
        },
        why=lambda: (
            f"In fp16 each weight is two bytes and two operations a request, so the intensity of a step *is* about its batch. "
            f"It meets the ridge at {0.5 * h100.ridge().m_as('FLOP/B'):.0f} FLOP/byte, so near batch {crossover_batch():.0f}. "
            f"Up to there a larger batch is almost free: {decode(128, seq_len=1).latency.m_as('ms'):.2f} ms for 128 users against "
            f"{decode(1, seq_len=1).latency.m_as('ms'):.2f} ms for one."
        ),
        chart=lambda: charts.roofline(
            [h100], [decode(batch, seq_len=1) for batch in (1, 4, 16, 64, 256, 1024)], efficiency=0.5,
            title="Batching climbs the memory roof", subtitle="Numbers under the dots are batch sizes"),
    )
    return


@app.cell(hide_code=True)
def _(crossover):
    wait_for(crossover, hint="")
    mo.md("""
    ## Explore

    Now let the context grow: the tokens that the model has read and written so far. Attention keeps keys and values of each of them,
    the user's **KV cache**. It must be read at every step, and no batch shares it.
    """)
    return


@app.cell(hide_code=True)
def _(crossover):
    wait_for(crossover, hint="")
    batch = mo.ui.slider(steps=[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024], value=1, label="Batch (users)",
                         show_value=True, full_width=True)
    context = mo.ui.slider(steps=[1, 128, 512, 1024, 2048, 4096, 8192], value=1, label="Context (tokens)",
                           show_value=True, full_width=True)
    mo.vstack([batch, context])
    return batch, context


@app.cell(hide_code=True)
def _(batch, context, crossover_batch, decode, h100):
    _steps = [decode(n, seq_len=context.value) for n in sorted({1, 4, 16, 64, 256, 1024, batch.value})]
    _now = decode(batch.value, seq_len=context.value)
    _cross = crossover_batch(seq_len=context.value)
    _where = (
        f"compute binds from batch **{_cross:.0f}** on" if _cross < float("inf")
        else "**no batch is large enough**: a user's KV cache takes longer to read than the user's operations take to do"
    )
    mo.vstack([
        mo.hstack([
            mo.stat(f"{_now.latency.m_as('ms'):.2f} ms", label="one step"),
            mo.stat(f"{_now.throughput.m_as('1/s'):,.0f}", label="tokens a second"),
            mo.stat(_now.bottleneck, label="bound by"),
            mo.stat(f"{_now.memory_required.m_as('GB'):.0f} of {_now.memory_capacity.m_as('GB'):.0f} GB",
                    label="fits" if _now.feasible else "does NOT fit"),
        ], wrap=True, justify="start"),
        mo.md(f"At a context of {context.value:,} {'tokens' if context.value > 1 else 'token'}, {_where}."),
        charts.roofline(
            [h100], _steps, efficiency=0.5, highlight=batch.value, title=f"Decode, context {context.value:,}",
            subtitle="Numbers under the dots are batch sizes; yours is large"),
    ])
    return


@app.cell(hide_code=True)
def _(a100, crossover, decode, h100):
    wait_for(crossover, hint="")
    mo.callout(mo.md(f"""
    **Fallacy: "{(h100.peak() / a100.peak()).m_as(""):.1f}× the FLOPS is {(h100.peak() / a100.peak()).m_as(""):.1f}× the speed."**
    From A100 to H100 the peak grows {(h100.peak() / a100.peak()).m_as(""):.2f}×, the bandwidth
    {(h100.memory.bandwidth / a100.memory.bandwidth).m_as(""):.2f}×. A decode step gets
    {(decode(hardware=a100).latency / decode().latency).m_as(""):.2f}× faster: it follows the roof it is under. Lesson 1 takes this apart.
    """), kind="warn")
    return


@app.cell(hide_code=True)
def _(crossover):
    wait_for(crossover, hint="")
    mo.md("""
    ## In five lines of Python

    ```python
    from mlsysim import Engine, Hardware, Models

    step = Engine.solve(Models.Language.Llama3_8B, Hardware.Cloud.H100, batch_size=32)
    print(step.bottleneck, step.latency)
    print(step.summary())
    ```

    Put your own model, chip and batch in their places. From a shell: `mlsysim solve Llama3_8B H100 --batch-size 32`.
    """)
    return


@app.cell(hide_code=True)
def _(crossover, journal, one_image, step_time, which_roof):
    [which_roof.value, step_time.value, one_image.value, crossover.value]  # look again after each commitment
    intuition(journal)
    return


@app.cell(hide_code=True)
def _(crossover, journal, one_image, step_time, which_roof):
    [which_roof.value, step_time.value, one_image.value, crossover.value]
    lesson.tail("00_hello_roofline", journal)
    return


if __name__ == "__main__":
    app.run()
