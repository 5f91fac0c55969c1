# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="17 · Reality check")

with app.setup(hide_code=True):
    from functools import cache
    from statistics import median

    import marimo as mo

    from mlsysim import Q_, Engine
    from mlsysim.evaluation.validate import LEVELS, predictions, read, rows
    from mlsysim.learn import charts, lesson, say


@app.cell(hide_code=True)
def _():
    (this := lesson.open("17_reality_check"))
    return (this,)


@app.cell
def _(this):
    phases = {"decode": "decode", "prefill": "prefill", "cnn_infer": "forward", "tinyml": "forward"}
    measured = {row.id: row for row in read()}  # every published measurement that ships

    def step(row, eta=this.eta, stack="ideal"):
        model, phase = rows.model_of(row), phases[row.domain]
        asked = {"seq_len": row.number("seq_in", 100)} if row.domain in ("decode", "prefill") else {}
        return Engine.solve(
            model, rows.device_of(row), batch_size=row.number("batch", 1), phase=phase if phase in model.phases else "forward",
            precision=rows.precision_of(row.precision)[0], efficiency=eta, stack=stack, **asked)

    def law(row, eta=this.eta, stack="ideal"):
        return step(row, eta, stack).latency.to("s")  # of a measurement, operators one after the other

    def seconds(row):
        if row.unit in ("ms", "us"):  # else a batch of images, tokens or sequences in a second
            return Q_(row.measured, row.unit).to("s")
        return Q_(row.number("batch", 1) * (row.number("seq_in") if row.metric == "prefill_tokens_per_s" else 1) / row.measured, "s")

    def kind(row):
        few = row.number("batch", 1) <= 8
        return {"decode": "decode", "prefill": "prefill", "tinyml": "microcontroller"}.get(row.domain, "few images" if few else "many images")

    single = [
        row for row in measured.values() if row.domain in phases and row.number("n_devices", 1) == 1
        and row.metric not in ("energy_per_inference", "e2e_generation_latency") and rows.precision_of(row.precision)[1] is None]
    serving = [row for row in measured.values() if row.domain == "serve_throughput" and row.n_devices == "1" and "70" not in row.model]

    def levels(row, guess):
        """One measurement beside the law and a calibrated stack, which says how sure it is."""
        known, took = step(row, stack=LEVELS["calibrated"](row)), seconds(row).to("ms")
        half, most = ([end.to("ms") for end in known.interval(part)] for part in (0.5, 0.9))
        return charts.ranked(
            {"the law": law(row).to("ms"), (name := f"a stack, {known.stack}"): known.latency.to("ms"), "measured": took},
            x="Time (ms)", sort=False, ranges={name: [half, most]}, guess={"measured": guess}, subtitle="the stack's range: half of what is measured (thick), nine of ten (thin)",
            title=f"Of ten, nine lie from {say(most[0])} to {say(most[1])}; {'so does this one' if most[0] <= took <= most[1] else 'this one is a tenth'}")

    return kind, law, levels, measured, seconds, serving, single, step


@app.cell
def _(kind, law, seconds, single):
    @cache
    def held(eta, level="ideal"):
        """What is computed over what was measured, for each measurement of one device."""
        return {row.id: float((law(row, eta, level(row) if callable(level) else level) / seconds(row)).m) for row in single}

    def of(kinds, found):
        return [found[row.id] for row in single if kind(row) in kinds]

    def factor(ratios):
        return median(max(ratio, 1 / ratio) for ratio in ratios)  # by which they are off

    def near(ratios, width=1.5):  # the share that is no more than so many times off
        return sum(1 / width <= ratio <= width for ratio in ratios) / len(ratios)

    def parity(found, title, kinds=None):
        shown = [row for row in single if not kinds or kind(row) in kinds]
        return charts.parity(
            {row.id: (found[row.id] * seconds(row), seconds(row)) for row in shown}, kinds={row.id: kind(row) for row in shown},
            x="Computed (s)", y="Measured (s)", band=1.5, title=title)

    return factor, held, near, of, parity


@app.cell(hide_code=True)
def _(law, levels, measured, seconds, this):
    _wide, _narrow = measured["cnn0975"], measured["cnn0980"]  # ResNet-50 on a T4, one image: fp32, fp16
    _t4 = rows.device_of(_wide)
    _peak = float((_t4.peak("fp16") / _t4.peak("fp32")).m_as(""))
    (q1 := this.ask(
        1, f"From lesson 5: fewer bits, less time? On a {_t4.name}, fp16 has {say(_peak, 'x')} the peak of fp32, and its numbers are half as long. ResNet-50 was **measured**, one image at a time: {_wide.measured:g} images a second in fp32. And in fp16, images a second?",
        unit="images", within=1.12,
        slips={"the peak decides": _wide.measured * _peak, "the bytes decide": _wide.measured * 2, "nothing changes": _wide.measured},
    ).reveal(
        _narrow.measured,
        why=f"It is **slower**. The law allows {say(law(_narrow).to('ms'))} for an image, and it took {say(seconds(_narrow).to('ms'))}. The chip is not slow: it waits. Its host starts some hundred kernels, one after the other, and starting one takes longer than running it.",
        formula=f"1 ÷ {_narrow.measured:g} images/s = **{say(seconds(_narrow).to('ms'))}**, {say(seconds(_narrow) / law(_narrow), 'x')} what the law says",
        chart=lambda guess: levels(_narrow, Q_(1 / float(guess), "s").to("ms")),
    ))
    return (q1,)


@app.cell(hide_code=True)
def _(law, measured, q1, seconds, step, this):
    _one, _eight = measured["cnn0980"], measured["cnn0981"]
    _wide, _narrow = ([measured[f"cnn{number:04}"] for number in range(first, first + 5)] for first in (975, 980))
    _batch = [row.number("batch") for row in _wide]
    _stack = step(_eight, stack=LEVELS["calibrated"](_eight))
    _sure = " to ".join(say(end.to("ms")) for end in _stack.interval())
    (q2 := this.ask(
        2, f"The same chip, fp16. One image takes {say(seconds(_one).to('ms'))}. How long did **eight images in one batch** take, measured?",
        unit="ms", after=q1,
        why=["its host starts the kernels one after the other", "the arithmetic of one image", "the bytes of the weights", "fp16 that this chip does not have"],
        slips={"eight take eight times as long": 8 * seconds(_one), "the law is right at last": law(_eight)},
    ).reveal(
        seconds(_eight).to("ms"), cause="its host starts the kernels one after the other",
        why="Eight times the work in the same time: neither arithmetic nor bytes can be what one image waits for. And fp16 is there, for at 128 images it is almost three times as quick as fp32. What stays the same is how often a kernel is started.",
        formula=f"8 ÷ {_eight.measured:g} images/s = **{say(seconds(_eight).to('ms'))}**; the law at η = {this.eta:g}: {say(law(_eight).to('ms'))}; a stack that knows its host ({_stack.stack}): {say(_stack.latency.to('ms'))}, nine of ten from {_sure}",
        chart=lambda guess: charts.lines(
            {"law, fp16": (_batch, [row.number("batch") / law(row).m for row in _narrow]), "law, fp32": (_batch, [row.number("batch") / law(row).m for row in _wide]),
             "measured, fp16": (_batch, [row.measured for row in _narrow]), "measured, fp32": (_batch, [row.measured for row in _wide])},
            x="Images in a batch", y="Images a second", log="xy", guess=[(1, float(q1.guess())), (8, 8e3 / float(guess))], title="The faster format starts slower"),
    ))
    return (q2,)


@app.cell(hide_code=True)
def _(held, parity, q2, single, this):
    _floor = held(1.0)
    _over = sum(ratio > 1 for ratio in _floor.values())
    _half = sum(ratio > 1 for ratio in held(this.eta).values())
    _shares = ["not a single one", "about one in ten", "about one in four", "about one in two"]
    (q3 := this.ask(
        3, f"Now the law at full peak and full bandwidth, η = 1, against {len(single)} published measurements of single devices: reading prompts, writing tokens, networks for images, microcontrollers. How many were **faster than the law**?",
        options=_shares, after=q2,
        slips={"about one in two": "So it would be if the law aimed at the middle. It does not: it counts only what cannot be avoided.",
            "about one in four": f"At η = {this.eta:g} it is {_half} of {len(single)}: half of the peak is a guess of what software reaches, and no floor.",
            "about one in ten": "Some do beat the law at half of the peak; that is a guess of what software reaches, and no floor."},
    ).reveal(
        _shares[min(1, _over)],
        why=f"None. The nearest reached {say(max(_floor.values()), '%')} of the floor's speed. The law counts the operations and bytes that nobody can leave out, at rates that the silicon cannot pass. A measurement below the floor would be no miracle: something would be counted differently. At η = {this.eta:g} {_half} of {len(single)} are faster. Never call that a bound.",
        chart=lambda _: parity(_floor, f"All {len(single)} on one side"),
    ))
    return (q3,)


@app.cell(hide_code=True)
def _(factor, held, of, q3, serving, this):
    _found = held(this.eta)
    _off = {name: factor(of([name], _found)) for name in ("many images", "microcontroller", "few images")}
    _off["LLM serving"] = median(each.factor for each in predictions(serving, "ideal"))
    _best = sorted(_off, key=lambda name: _off[name])
    (q4 := this.ask(
        4, f"Operators one after the other, η = {this.eta:g}, nothing fitted. By what factor is a typical measurement off? Order, **best first**: LLM serving (a full GPU, requests in flight); many images (a CNN, in a batch); few images (a CNN, at most eight); microcontroller.",
        order=list(_off), after=q3,
        slips={"small means simple": ["microcontroller", "few images", "many images", "LLM serving"], "the more a device does, the harder it is": ["microcontroller", "LLM serving", "few images", "many images"]},
    ).reveal(
        _best, why="A full GPU with a large model has long operations, and long operations reach their roof: what the law leaves out is small beside them. A small network has short operations. What starts them is then most of the time, and the law does not know it.",
        formula="; ".join(f"{name} **{say(_off[name], 'x')}**" for name in _best),
        chart=lambda _: charts.ranked(_off, x="Typically off by a factor of", title="Long operations are predicted best"),
    ))
    return (q4,)


@app.cell(hide_code=True)
def _(held, near, of, parity, q4, this):
    _found = held(this.eta)
    _prompts = of(["prefill"], _found)
    _before, _middle = near(_prompts), median(_prompts)
    _after = near([ratio / _middle for ratio in _prompts])
    (q5 := this.ask(
        5, f"Reading prompts, η = {this.eta:g}: of {len(_prompts)} measurements {say(_before, '%')} lie within a factor of 1.5. You tune one number until half of them lie above the law and half below it. How many lie within 1.5 now?",
        unit="%", within=1.3, after=q4,
        slips={"it is fitted, so nearly all do": 0.95, "the half that was off is halved": (1 + _before) / 2},
    ).reveal(
        _after,
        why=f"The middle moved and the spread stayed. One constant helps where one constant is missing: of microcontrollers {say(near(of(['microcontroller'], _found)), '%')} become {say(near([ratio / median(of(['microcontroller'], _found)) for ratio in of(['microcontroller'], _found)]), '%')}, for their kernels all reach about the same part of a peak. Prompts are short and long, models small and large: there something is missing that differs from row to row.",
        chart=lambda _: parity({name: ratio / _middle for name, ratio in _found.items()}, "In the middle, and wide", ["prefill"]),
        then="""
## Explore

Switch the levels on, one by one, and watch two numbers: the middle and the spread. Then find the width of an interval that holds nine of ten measurements of microcontrollers, and of all. Why would one width for all be dishonest?
""",
    ))
    return (q5,)


@app.cell(hide_code=True)
def _(q5, this):
    this.wait(q5)
    level = mo.ui.radio(["the floor, η = 1", "half of the peak", "a calibrated stack"], value="half of the peak", label="Level", inline=True)
    group = mo.ui.dropdown(["all", "prefill", "decode", "many images", "few images", "microcontroller"], value="all", label="Kind")
    width = mo.ui.slider(steps=[1.1, 1.2, 1.35, 1.5, 1.75, 2, 2.5, 3, 4, 5, 7, 10], value=1.5, label="An interval: the answer, times and divided by", show_value=True, full_width=True)
    mo.vstack([level, group, width])
    return group, level, width


@app.cell(hide_code=True)
def _(group, held, kind, level, near, of, parity, single, this, width):
    _found = held(1.0) if "floor" in level.value else held(this.eta, LEVELS["calibrated"] if "stack" in level.value else "ideal")
    _kinds = [group.value] if group.value != "all" else sorted({kind(row) for row in single})
    _ratios = of(_kinds, _found)
    mo.vstack([
        lesson.stats({"the middle: computed over measured": say(median(_ratios), "x"), "within 1.5": say(near(_ratios), "%"), "in your interval": say(near(_ratios, width.value), "%")}),
        parity(_found, f"{say(near(_ratios), '%')} within a factor of 1.5", _kinds),
        mo.md("""
## A fallacy

**"The middle is right, so the model is right."** The tuned law for prompts had its middle exactly right, and still missed by more than 1.5 for almost every second row. A constant earns its place when the rows *that it was not fitted on* come closer together. The calibrated stacks were judged so: each source's table was left out in turn, and predicted by what the others gave.
"""),
    ])
    return


@app.cell(hide_code=True)
def _(law, levels, measured, q5, seconds, this):
    _full, _short = measured["pre0459"], measured["pre0456"]  # BERT-base on an A100: 32 texts of 384 tokens, one of 128
    (q6 := this.ask(
        6, f"A model not seen here: {rows.model_of(_full).name} on one {rows.device_of(_full).name}, η = {this.eta:g}. A batch of {_full.batch} texts of {_full.seq_in} tokens: the law says {say(law(_full).to('ms'))}, measured {say(seconds(_full).to('ms'))}. **One** text of {_short.seq_in} tokens: the law says {say(law(_short).to('ms'))}. Measured?",
        unit="ms", within=1.8, after=q5, because="The law is too quick here because …",
        slips={"the law was right before, so it is now": law(_short), "time follows the tokens": seconds(_full) * (_short.number("seq_in") / (_full.number("seq_in") * _full.number("batch")))},
    ).reveal(
        seconds(_short).to("ms"),
        why="The same chip, the same model, the same software: with long operations the law is right, with short ones it misses what starts them. So say for *which kind of work* a model is good, and how you know.",
        formula=f"{say(seconds(_short).to('ms'))} against {say(law(_short).to('ms'))}: {say(seconds(_short) / law(_short), 'x')}",
        chart=lambda guess: levels(_short, guess),
    ))
    return (q6,)


@app.cell(hide_code=True)
def _(q1, q2, q3, q4, q5, q6, this):
    this.close(q1, q2, q3, q4, q5, q6)
    return


if __name__ == "__main__":
    app.run()
