# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="7 · Geography is a systems variable")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import Q_, Engine, Fleet, Hardware, Infra, Models, Systems
    from mlsysim import solvers as s
    from mlsysim.evaluation.validate import read
    from mlsysim.learn import charts, lesson, say


@app.cell(hide_code=True)
def _():
    (this := lesson.open("07_geography"))
    return (this,)


@app.cell
def _():
    places, prices = Infra.Grids, Infra.Prices
    cluster, larger = Systems.Clusters.Research_256, Fleet(name="512 H100", node=Systems.Nodes.DGX_H100, count=64, fabric=Systems.Fabrics.InfiniBand_NDR)
    llama, h100 = Models.Language.Llama3_8B, Hardware.H100
    return cluster, h100, larger, llama, places, prices


@app.cell
def _(cluster, h100, llama, this):
    def run(place, days=30, on=cluster, **how):
        """Energy, carbon and water of a month on 256 H100, somewhere; yearly averages, lifecycle."""
        return s.SustainabilityModel().solve(on, days, place, basis="lifecycle", **how)

    def bill(place):
        """Its cost: 2.5 times the accelerators, over three years, and electricity."""
        return s.EconomicsModel().solve(cluster, 30, datacenter=place, infrastructure_multiplier=2.5)

    def write(batch):
        """The energy of a board for a million tokens that it writes."""
        step = Engine.solve(llama, h100, batch_size=batch, seq_len=2048, efficiency=this.eta)
        return (1e6 * h100.tdp * step.latency / batch).to("kWh"), step

    return bill, run, write


@app.cell(hide_code=True)
def _(h100, llama, this, write):
    _energy, _step = write(1)
    (q1 := this.ask(
        1, f"From lesson 0: {llama.name} writes for one user with 2,048 tokens on an H100, a board of {say(h100.tdp)}; a step takes {say(_step.latency)}. How much energy do a **million tokens** take?",
        unit="kWh", slips={"only the operations count": _energy * (_step.compute_time / _step.latency), "watts are taken for watt-hours": Q_(h100.tdp.m_as("W") / 1e3, "kWh"), "joules are divided by a thousand only": 3.6 * _energy},
    ).reveal(
        _energy, why="Energy is power × time, and a board that waits for its memory draws nearly as much as one that computes. What the energy does to the climate, and to the bill, is decided somewhere else: at the other end of the cable.",
        formula=f"{say(h100.tdp)} × {say(_step.latency)} × 10⁶ ÷ 3.6·10⁶ J = **{say(_energy)}**",
    ))
    return (q1,)


@app.cell(hide_code=True)
def _(places, q1, run, this):
    _poland, _quebec = run(places.Poland), run(places.Quebec)
    _shown = {places[name].name: run(places[name]).carbon for name in ("Poland", "India", "Germany", "US_Average", "UK", "France", "Sweden", "Quebec")}
    (q2 := this.ask(
        2, "256 H100 train for a month. The same machines, the same code; only the address changes. On Poland's grid, how many times the CO₂ of the same run on **Quebec's**? (Yearly averages, with everything that building and feeding the power stations emits.)",
        unit="x", within=1.4, after=q1,
        slips={
            "a grid is as dirty as its dirtiest power station: coal against water": places.Coal.carbon_intensity / places.Hydro.carbon_intensity,
            "carbon follows the price of power": places.Poland.electricity_price / places.Quebec.electricity_price,
            "the building makes the difference": Infra.Facilities.Typical.pue / Infra.Facilities.Hyperscale.pue,
        },
    ).reveal(
        _poland.carbon / _quebec.carbon,
        why=f"The energy is the same, {say(_quebec.energy)}; what a kWh emits is not. Poland burns much coal, but not only coal; Quebec lives on water, and dams and turbines emit something, too.",
        formula=f"GPUs × kW × hours × PUE × grid: {say(_quebec.energy)} × {say(places.Quebec.carbon_intensity)} = {say(_quebec.carbon)}; × {say(places.Poland.carbon_intensity)} = **{say(_poland.carbon)}**",
        chart=lambda guess: charts.ranked(_shown, x="CO₂ of one run (t)", guess={places.Poland.name: guess * _quebec.carbon}, title=f"One run: {say(_quebec.carbon)} or {say(_poland.carbon)}, by address"),
    ))
    return (q2,)


@app.cell(hide_code=True)
def _(bill, places, q2, run, this):
    _here, _there = bill(places.US_Average), bill(places.Quebec)
    _cleaner = 1 - run(places.Quebec).carbon / run(places.US_Average).carbon
    _tariff = 1 - places.Quebec.electricity_price / places.US_Average.electricity_price
    (q3 := this.ask(
        3, f"Move that run from the average grid of the United States to Quebec. The carbon falls by {say(_cleaner, '%')}, and a kWh costs {say(_tariff, '%')} less. By what share does the **whole bill** fall? (It counts 2.5 times the accelerators over three years, and electricity.)",
        unit="%", within=1.5, after=q2, why=["electricity is a small part of the bill", "buildings there waste more", "emitting carbon costs nothing"],
        slips={"the bill follows the price of power": _tariff, "the bill follows the carbon": _cleaner, "electricity is a tenth of the bill, as on the slide": 0.1 * _tariff},
    ).reveal(
        1 - _there.tco / _here.tco, cause="electricity is a small part of the bill",
        why=f"Electricity is {say(_here.energy_share, '%')} of what this month costs. Nearly all the rest is machines, which cost the same everywhere. Who chooses a place for the money and who chooses it for the climate look at two different numbers.",
        formula=f"{say(_here.energy_share, '%')} × {say(_tariff, '%')} = **{say(1 - _there.tco / _here.tco, '%')}**; {say(_here.tco)} → {say(_there.tco)}",
        chart=lambda guess: charts.stack(
            {name: {"machines and all around them": (each.tco - each.energy_cost).m_as("USD") / 1e3, "electricity": each.energy_cost.m_as("USD") / 1e3} for name, each in (("United States", _here), ("Quebec", _there))},
            x="Bill (thousand USD)", guess={"Quebec": (1 - guess / 100) * _here.tco.m_as("USD") / 1e3}, title="The two bills look the same, and that is the finding"),
    ))
    return (q3,)


@app.cell(hide_code=True)
def _(places, q3, run, this):
    def _all(place=places.US_Average, pue=Infra.Facilities.Typical.pue, **how):
        done = run(place, pue=pue, **how)
        return done.carbon + done.embodied

    _saved = {
        "move to Quebec": _all() - _all(places.Quebec), "a building with PUE 1.04": _all() - _all(pue=Infra.Facilities.LiquidCooled.pue),
        "code that is done 1.3 times sooner": _all() - _all(days=30 / 1.3), "keep the GPUs for six years": _all() - _all(lifetime_years=6)}
    _names = list(_saved)
    (q4 := this.ask(
        4, f"The run stands in an average building (PUE {Infra.Facilities.Typical.pue:g}: so many kWh for each that reaches the machines) on the average grid of the United States; its GPUs are kept for three years. Which measure saves most CO₂, making the GPUs included? Order them, the largest first.",
        order=sorted(_names), after=q3, slips={"of those who can program": [_names[n] for n in (2, 0, 1, 3)], "of those who think that making chips is the worst part": [_names[n] for n in (3, 0, 1, 2)]},
    ).reveal(
        sorted(_saved, key=_saved.get, reverse=True),
        why=f"Each measure touches one factor of the product. The grid is the factor that can change by ten. Making the GPUs is {say(run(places.Poland).embodied_share, '%')} of this run's carbon in Poland, and {say(run(places.Quebec).embodied_share, '%')} in Quebec: "
        "the cleaner the place, the more the chips themselves weigh. \"Five percent\", as a slide says, holds on one grid only.",
        chart=lambda guess: charts.ranked(_saved, x="CO₂ saved (t)", title="The address saves most", subtitle="Your order: " + ", ".join(guess)),
    ))
    return (q4,)


@app.cell(hide_code=True)
def _(places, q4, run, this):
    _dry, _wet = Infra.Facilities.Microsoft, Infra.Facilities.LiquidCooled
    _water = run(places.US_Average, facility=_wet).water / run(places.US_Average, facility=_dry).water
    (q5 := this.ask(
        5, f"Cooling by warm water brings the PUE from {_dry.pue:g} ({_dry.name}) to {_wet.pue:g} ({_wet.name}). How many times the **water** does the site evaporate?",
        unit="x", within=1.4, after=q4,
        slips={"less energy is less water": _wet.pue / _dry.pue, "water does not change": 1},
    ).reveal(
        _water, why="A building that evaporates water need not run compressors. What it saves in electricity it pays in water; the two published rates say how much. Where water is scarce, the better PUE can be the worse choice.",
        formula=f"{say(_wet.wue)} ÷ {say(_dry.wue)} of the machines' energy: {say(run(places.US_Average, facility=_dry).water)} → {say(run(places.US_Average, facility=_wet).water)}",
    ))
    return (q5,)


@app.cell(hide_code=True)
def _(cluster, places, prices, q5, this):
    _us, _fr = places.US_Average, places.France
    _price = s.PlacementOptimizer().solve(cluster, 30, regions=[_us, _fr]).breakeven_carbon_price
    (q6 := this.ask(
        6, f"A kWh costs {say(100 * _us.electricity_price.m_as('USD/kWh'))} cents in the United States and emits {say(_us.carbon_intensity.m_as('g/kWh'))} g; in France it costs {say(100 * _fr.electricity_price.m_as('USD/kWh'))} cents and emits {say(_fr.carbon_intensity.m_as('g/kWh'))} g. "
        "From which price of a tonne of CO₂ on does the run cost less in **France**?",
        unit="USD/t", within=1.15, after=q5,
        slips={
            "the market price decides": prices.EU_ETS.carbon, "the whole price of power in France is set against the carbon": _fr.electricity_price / (_us.carbon_intensity - _fr.carbon_intensity),
            "what France still emits is forgotten": (_fr.electricity_price - _us.electricity_price) / _us.carbon_intensity,
        },
    ).reveal(
        _price, why="What is paid more for a kWh, over what is emitted less. Machines, days and PUE cancel: the answer is the same for one GPU and for a hundred thousand."
        f" A tonne costs {say(prices.EU_ETS.carbon.to('USD/t'))} on the European market.",
        formula="(price there − price here) ÷ (grid here − grid there)",
        then="""
## Explore

Choose a place, and find the price of carbon at which its carbon costs as much as its electricity. Do it for the United States, for Quebec and for Sweden. What can a price of carbon say to a place that is clean already?
""",
    ))
    return (q6,)


@app.cell(hide_code=True)
def _(places, q6, this):
    this.wait(q6)
    where = mo.ui.dropdown(sorted(name for name in places if places[name].place), value="US_Average", label="Place", full_width=True)
    carbon = mo.ui.slider(steps=[0, 25, 50, 100, 150, 200, 300, 500, 1000, 1500, 2000, 3000], value=100, label="Price of CO₂ (USD a tonne)", show_value=True, full_width=True)
    pue = mo.ui.slider(start=1.04, stop=1.8, step=0.02, value=1.18, label="PUE", show_value=True, full_width=True)
    mo.vstack([where, carbon, pue])
    return carbon, pue, where


@app.cell(hide_code=True)
def _(bill, carbon, larger, places, pue, run, where, write):
    _now = run(places[where.value], pue=pue.value)
    _parts = {name: run(places[name], pue=pue.value) for name in dict.fromkeys(("Poland", "US_Average", "Sweden", "Quebec", where.value))}
    _power = _now.energy * places[where.value].electricity_price
    _one, _many = (write(batch)[0] * Infra.Facilities.Microsoft.pue for batch in (1, 64))
    mo.vstack([
        lesson.stats({"CO₂": _now.carbon, "at that price": (_now.carbon * Q_(carbon.value, "USD/t")).to("USD"), "electricity": _power.to("USD"), "making the GPUs": say(_now.embodied_share, "%") + " of the carbon"}),
        charts.stack({places[name].name: {"running": each.carbon.m_as("t"), "making the GPUs": each.embodied.m_as("t")} for name, each in _parts.items()}, x="CO₂ of one run (t)", title=f"{places[where.value].name} beside others, at a PUE of {pue.value:g}"),
        mo.md(f"""
## A fallacy

**"Geography is the single biggest lever."** A million tokens of question 1, written for one user at a time in Quebec, emit {say((_one * places.Quebec.carbon_intensity).to("g"))}. Written for 64 users at once, in **Poland**: {say((_many * places.Poland.carbon_intensity).to("g"))}. One setting of the server beat the move. Do both.
The decks ask for 512 H100 over 30 days: moving from Poland to Quebec saves {say(run(places.Poland, on=larger).carbon - run(places.Quebec, on=larger).carbon)}. Their 850 t, and 41 times, take all of Poland's power for coal, and eight boards' power for each GPU. Iowa, 412 t in the course's first index, is {say(run(places.Iowa).carbon)} on this basis.
All this is by yearly averages. What one more kWh emits at this hour, and what certificates change, is not in it.
"""),
    ])
    return


@app.cell(hide_code=True)
def _(places, q6, this):
    _row = next(row for row in read() if row.domain == "energy_carbon" and row.model == "LLaMA-65B" and row.metric == "carbon")
    _energy = (_row.noted("gpu_hours") * Q_(1, "hour") * Q_(_row.noted("W"), "W") * _row.noted("PUE")).to("MWh")
    _here = Q_(_row.measured, "t")
    (q7 := this.ask(
        7, f"A chip and a model not seen so far: LLaMA-65B took {_row.noted('gpu_hours'):,.0f} hours of A100. Its paper counts {_row.noted('W'):.0f} W a board and a PUE of {_row.noted('PUE'):g}, and says {_row.measured:.0f} t of CO₂. By the same count, how much on **India's** grid ({say(places.India.carbon_intensity.m_as('g/kWh'))} g a kWh)?",
        unit="t", within=1.15, after=q6, because="Its carbon is decided by … because",
        slips={"the place is forgotten": _here, "the whole server is counted, which the paper does not do": 1.82 * _energy * places.India.carbon_intensity, "the PUE is left out": _energy / _row.noted("PUE") * places.India.carbon_intensity},
    ).reveal(
        (_energy * places.India.carbon_intensity).to("t"), formula=f"{say(_energy)} × {say(places.India.carbon_intensity.m_as('g/kWh'))} g = **{say((_energy * places.India.carbon_intensity).to('t'))}**",
        why="The published figure is a calculation, and not a meter: hours × board × PUE × grid. With four numbers you can move any such figure to another place.",
    ))
    return (q7,)


@app.cell(hide_code=True)
def _(q1, q2, q3, q4, q5, q6, q7, this):
    this.close(q1, q2, q3, q4, q5, q6, q7)
    return


if __name__ == "__main__":
    app.run()
