# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="16 · From TinyML to the frontier")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import Q_, Engine, Hardware, Infrastructure, Literature, Models
    from mlsysim.evaluation.validate.rows import read
    from mlsysim.learn import charts, lesson, say


@app.cell(hide_code=True)
def _():
    (this := lesson.open("16_tinyml_to_frontier"))
    return (this,)


@app.cell
def _():
    keyword, person, noise = Models.Tiny.KeywordSpotting, Models.Tiny.PersonDetection, Models.Tiny.AnomalyDetection
    nordic, esp, stm, h100 = Hardware.nRF52840, Hardware.ESP32_S3, Hardware.STM32L4R5ZI, Hardware.H100
    return esp, h100, keyword, nordic, noise, person, stm


@app.cell
def _(h100, keyword, nordic, person, stm, this):
    def answer(chip, batch=1, model=keyword, eta=this.eta):
        """One step in int8: the chip works at its rated power for as long as the step takes."""
        return Engine.solve(model, chip, precision="int8", batch_size=batch, efficiency=eta)

    def joules(chip, batch=1, model=keyword, eta=this.eta):
        """The energy of one answer of the batch."""
        return (answer(chip, batch, model, eta).energy / batch).to("mJ")

    rows = {row.id: Q_(row.measured, row.unit) for row in read() if row.domain == "tinyml"}
    _seen = rows["tin1081"] - answer(stm).overhead
    tuned = round((this.eta * answer(stm).compute_time / _seen).m_as(""), 2)  # what the best published kernels reach on such a core
    cell = Q_(1.5, "Wh")

    def life(chip, pause=60, eta=tuned):
        """How long the cell lasts with one look for a person every `pause` seconds, and sleep between."""
        return (cell / (joules(chip, 1, person, eta) / Q_(pause, "s") + chip.sleep_power)).to("year")

    small, big = answer(nordic), answer(h100)
    return answer, big, cell, joules, life, rows, small, tuned


@app.cell(hide_code=True)
def _(h100, this):
    _step = Engine.solve(Models.Language.Llama3_8B, h100, seq_len=2048, efficiency=this.eta)
    token = _step.energy
    (q1 := this.ask(
        1, f"From lesson 0: one token of {Models.Language.Llama3_8B.name} for one user takes {say(_step.latency)} on an H100. The board is rated at {say(h100.tdp)}, and a watt is a joule a second. How much energy does the token take?",
        unit="J",
        slips={"watts are joules": Q_(h100.tdp.m_as("W"), "J"), "milliseconds are seconds": 1000 * token, "the watts are divided by the time": Q_((h100.tdp.m_as("W") / _step.latency.m_as("s")), "J")},
    ).reveal(
        token, why="Energy is power times time. Hold on to this line; all of this lesson hangs on it. (A board that waits for memory draws less than it is rated for, so this is an upper end.)",
        formula=f"{say(h100.tdp)} × {say(_step.latency)} = **{say(token)}**",
    ))
    return q1, token


@app.cell(hide_code=True)
def _(big, h100, joules, nordic, q1, rows, small, stm, this):
    (q2 := this.ask(
        2, f"A microphone listens for one word. A small network does it, in int8, at η = {this.eta:g}. On an {nordic.name}, a chip of {say(nordic.unit_cost)} that draws {say(nordic.tdp)}, an answer takes {say(small.latency)}. An H100 draws {say(h100.tdp)} and is **{say(small.latency / big.latency, 'x')} as fast**. "
        "Energy of one answer, each at its rated power: how many times that of the small chip does the H100 take?",
        unit="x", after=q1, within=1.5,
        slips={"power is energy": h100.tdp / nordic.tdp, "whoever is done sooner needs less": big.latency / small.latency, "speed and power cancel out": 1},
    ).reveal(
        big.energy / small.energy, why="So much more power, for not nearly as much less time. The small chip is slow, and it is the thrifty one. "
        f"The boards that were measured need {say(rows['tin1080'] / joules(stm), 'x')} and {say(rows['tin1088'] / joules(Hardware.STM32U575), 'x')} what the law says, since real programs fall short of η; the H100 still needs more than any of them.",
        formula=f"{say(nordic.tdp)} × {say(small.latency)} = {say(small.energy)}; {say(h100.tdp)} × {say(big.latency)} = {say(big.energy)}",
        chart=lambda guess: charts.ranked(
            {"H100": joules(h100), "STM32L4R5, measured": rows["tin1080"].to("mJ"), "STM32U575, measured": rows["tin1088"].to("mJ"), "STM32L4R5": joules(stm), "nRF52840": joules(nordic), "STM32U575": joules(Hardware.STM32U575)},
            x="Energy of one answer (mJ)", log=True, guess={"H100": guess * joules(nordic)} if guess else {}, highlight=["H100", "nRF52840"], title="The fast giant needs the most energy", subtitle="Measured: MLPerf Tiny v1.1, tuned kernels"),
    ))
    return (q2,)


@app.cell(hide_code=True)
def _(answer, big, esp, h100, nordic, q2, small, this, token):
    _three = {chip.name.split(" ")[0]: answer(chip) for chip in (nordic, esp, h100)}
    (q3 := this.ask(
        3, f"What takes the H100 these {say(big.latency)} for one word?",
        options=["launching the step", "weights that come from memory", "arithmetic"], after=q2,
        slips={
            "weights that come from memory": f"The weights take {say(big.memory_time)}. \"At batch 1 everything is memory-bound\" is a rule for large models.",
            "arithmetic": f"The arithmetic takes {say(big.compute_time)}.",
        },
    ).reveal(
        "launching the step", why=f"For {say(big.overhead / big.latency, '%')} of the time the H100 waits for its own start. A joule is spent on waiting just as on working.",
        then=f"""
## One law, three rulers

time = the larger of (operations, bytes) + launch: the same law for all, and every term is there in each of them.

{lesson.table(
    ["", *_three],
    [["operations", *(step.compute_time for step in _three.values())], ["bytes", *(step.memory_time for step in _three.values())],
     ["launch", *(step.overhead for step in _three.values())], ["what rules", *(step.bottleneck.lower() for step in _three.values())]],
)}

From the small chip to the H100 the peak (int8) grows {say(h100.peak('int8') / nordic.peak('int8'), 'x')}, the bandwidth {say(h100.memory.bandwidth / nordic.memory.bandwidth, 'x')}, the power {say(h100.tdp / nordic.tdp, 'x')}, and the price {say(h100.unit_cost / nordic.unit_cost, 'x')}.
Nine orders of magnitude, as it is often told, lie between none of them. One answer takes {say(small.energy)} here; the token of question 1 takes {say(token / small.energy, 'x')} as much.
""",
    ))
    return (q3,)


@app.cell(hide_code=True)
def _(big, h100, joules, nordic, q3, small, this):
    _even = next(n for n in range(1, 5000) if joules(h100, n) < joules(nordic))
    _batches = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
    (q4 := this.ask(
        4, f"Now many microphones send their sound to one H100, and it answers them together, with **one launch** for all. From how many on does an answer take less energy on the H100 than on the {nordic.name} (η = {this.eta:g} on both)?",
        unit="microphones", within=1.5, after=q3,
        slips={"as many as it is faster": small.latency / big.latency, "as many as it draws more power": h100.tdp / nordic.tdp, "the factor of the energies is squared": (big.energy / small.energy).m_as("") ** 2},
    ).reveal(
        _even, why="What the launch costs is shared; what an answer costs by itself is tiny. So about as many as the H100 took times the energy before. Shared, the giant is the thrifty one.",
        formula=f"{say(big.energy)} ÷ {say(small.energy)} = {say(big.energy / small.energy)}, and a few more for the work of each: **{_even}**",
        chart=lambda guess: charts.lines(
            {"H100": (_batches, [joules(h100, n).m_as("mJ") for n in _batches])}, x="Microphones that share a step", y="Energy of one answer (mJ)", log="xy",
            level={nordic.name: joules(nordic)}, upright={"you": guess} if 1 <= guess <= 5000 else {}, title="Alone the giant wastes, shared it is the thriftiest"),
        then=f"""
## A fallacy

**"Then send everything to the cloud; the big chip is more efficient."** With {_batches[-1]:,} microphones an answer takes {say(joules(h100, _batches[-1]))} there, {say(joules(nordic) / joules(h100, _batches[-1]), 'x')} less than on the small chip. But the sound has to get there. A second of it
(16,000 samples of 16 bits) through the small chip's own radio, at a million bits a second and {say(Literature.Tiny.nRF52840_radio_power.value)}, takes {say((Literature.Tiny.nRF52840_radio_power.value * Q_(0.256, 's')).to('mJ'))}: {say(Literature.Tiny.nRF52840_radio_power.value * Q_(0.256, 's') / joules(nordic), 'x')} as much as answering on the spot. The wall has moved to the antenna.
""",
    ))
    return (q4,)


@app.cell(hide_code=True)
def _(answer, esp, nordic, person, q4, this, tuned):
    _time = {chip: answer(chip, 1, person, tuned) for chip in (nordic, esp)}
    (q5 := this.ask(
        5, f"A doorbell looks for a person once a minute and sleeps between. It must answer within 100 ms and live a year on a coin cell of 1.5 Wh. Awake, the {nordic.name} draws {say(nordic.tdp)} and the {esp.name} {say(esp.tdp)}; asleep {say(nordic.sleep_power)} and {say(esp.sleep_power)}. "
        f"Peaks in int8: {say(nordic.peak('int8'))} and {say(esp.peak('int8'))}; one look is {say(_time[nordic].operations.to('MFLOP').m)} million operations, at η = {tuned:g}, the best that published programs reach on such chips. Which chip will do?",
        options=["the ESP32-S3 alone", "the nRF52840 alone", "both of them", "neither of them"], after=q4,
        slips={
            "the nRF52840 alone": f"It lives long enough, but it takes {say(_time[nordic].latency)} for a look.",
            "both of them": f"The nRF52840 takes {say(_time[nordic].latency)} for a look.",
            "neither of them": "One of them has time and energy enough; work out what a look costs it, and how rarely it looks.",
        },
    ).reveal(
        "the ESP32-S3 alone",
        why=f"The chip with the lower power is too slow: {say(_time[nordic].latency)} against {say(_time[esp].latency)}. The other one is awake for so short a time that its power hardly matters. How long does each of them live? That is the next question. "
        f"(Before you sell it, read the data sheet of the cell: awake, this chip draws {esp.tdp.m_as('mW') / 3:.0f} mA at 3 V, and not every coin cell gives that.)",
    ))
    return (q5,)


@app.cell(hide_code=True)
def _(cell, esp, life, nordic, q5, this, tuned):
    _pauses = [1, 4, 15, 60, 240, 900, 3600]
    (q6 := this.ask(
        6, f"Let the deadline go. The same two chips, one look a minute, η = {tuned:g}: awake the {esp.name} draws {say(esp.tdp / nordic.tdp, 'x')} the power, asleep {say(esp.sleep_power / nordic.sleep_power, 'x')}. How many times as long as the {esp.name} does the {nordic.name} live on the same cell?",
        unit="times as long", within=1.3, after=q5,
        slips={"the power awake decides": esp.tdp / nordic.tdp, "nearly all the time is sleep, so the sleep decides": esp.sleep_power / nordic.sleep_power},
    ).reveal(
        life(nordic) / life(esp),
        why=f"Both live {life(esp).m:.1f} years. Awake, the hungry chip is done so soon that a look takes *less* energy; asleep it loses what it has won. It is often taught that such a chip drains the cell in weeks; compute before you believe. For more looks the fast chip wins, for fewer the one that sleeps well.",
        chart=lambda guess: charts.lines(
            {chip.name: (_pauses, [life(chip, pause).m for pause in _pauses]) for chip in (nordic, esp)}, x="One look every so many seconds (s)", y="Battery life (years)", log="xy",
            guess=(60, guess * life(esp).m), upright={"a look a minute": 60}, title=f"{say(esp.tdp / nordic.tdp, 'x')} the power, the same battery life"),
        then=f"""
All the cell's energy is worth {say((cell * Infrastructure.Grids.US_Average.carbon_intensity).to('g'))} of CO₂ from an American plug. Of such a device nearly all carbon was spent when it was made (Gupta et al., 2022); of a rack that works day and night, the smaller part was.

## Explore

Better programs come: move η to 0.5. At which pause do the two live equally long now? Then say which of them you would build into a light switch (a look a second), and which into a smoke detector (a look an hour).
""",
    ))
    return (q6,)


@app.cell(hide_code=True)
def _(q6, this):
    this.wait(q6)
    pause = mo.ui.slider(steps=[1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 900, 3600], value=60, label="One look every … seconds", show_value=True, full_width=True)
    eta = mo.ui.slider(steps=[0.08, 0.18, 0.3, 0.4, 0.5, 0.6], value=0.18, label="η of the program", show_value=True, full_width=True)
    mo.vstack([pause, eta])
    return eta, pause


@app.cell(hide_code=True)
def _(answer, esp, eta, life, nordic, pause, person):
    mo.vstack([lesson.stats({
        f"{chip.name} lives": f"{life(chip, pause.value, eta.value).m:.2g} years", f"{chip.name}, a look": answer(chip, 1, person, eta.value).latency,
    }) for chip in (nordic, esp)])
    return


@app.cell(hide_code=True)
def _(h100, joules, noise, q6, stm, this):
    _chips = {"STM32L4R5": stm, "Raspberry Pi 5": Hardware.RaspberryPi_5, "H100": h100}
    _each = {name: joules(chip, 64, noise) for name, chip in _chips.items()}
    (q7 := this.ask(
        7, f"A model and a chip not seen so far: {noise.name} listens to a machine. 64 answers are asked for at once (int8, η = {this.eta:g}). Order by **energy of one answer**, least first: " + ", ".join(f"{name} ({say(chip.tdp)}; {say(chip.peak('int8'))})" for name, chip in _chips.items()) + ".",
        order=list(_chips), after=q6, because="Finish the sentence: the first one wins because",
        slips={"of their power": sorted(_chips, key=lambda name: _chips[name].tdp.m_as("W")), "of their speed": sorted(_chips, key=lambda name: -_chips[name].peak("int8").m_as("TFLOP/s"))},
    ).reveal(
        sorted(_each, key=lambda name: _each[name].m),
        why=f"{', '.join(f'{name} {say(each)}' for name, each in _each.items())}. One way to finish the sentence: *the first one wins because its launch is cheap once 64 share it, and its arithmetic takes less energy than that of the small chip; the H100's is the cheapest of all, behind a launch that is still too dear.* Neither the smallest nor the fastest chip is the thriftiest; the one that fits is.",
    ))
    return (q7,)


@app.cell(hide_code=True)
def _(q1, q2, q3, q4, q5, q6, q7, this):
    this.close(q1, q2, q3, q4, q5, q6, q7)
    return


if __name__ == "__main__":
    app.run()
