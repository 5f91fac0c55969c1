# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="11 · Design space")

with app.setup(hide_code=True):
    from types import SimpleNamespace

    import marimo as mo
    import numpy as np

    from mlsysim import Q_, Engine, Hardware, Infra, Models, Systems
    from mlsysim.core.search import pareto
    from mlsysim.evaluation.validate.rows import read
    from mlsysim.learn import charts, lesson, say


@app.cell(hide_code=True)
def _():
    (this := lesson.open("11_design_space"))
    return (this,)


@app.cell
def _():
    llama, small, unseen = Models.Language.Llama3_70B, Models.Language.Llama3_8B, Models.Language.Qwen3_32B
    return llama, small, unseen


@app.cell
def _(llama, this):
    shelf = ["A100", "H100", "H200", "B200", "MI300X", "MI325X", "Gaudi3", "L40S", "L4", "V100", "T4"]
    chips = {name: Hardware.Cloud[name] for name in shelf} | {"RTX 4090": Hardware.Workstation.RTX_4090}
    formats = ["fp16", "fp8", "int8", "int4"]
    tariff, life, node = Infra.Grids.US_Average.electricity_price, Q_(3, "year"), Systems.Nodes.DGX_H100
    # what a server and its cooling draw for each watt of its boards
    around = (node.power / (8 * node.accelerator.tdp)).m_as("") * Infra.Facilities.Hyperscale.pue

    def look(model=llama, power=None, prices=(), eta=this.eta):
        """Every design, as columns: device, format, batch, seconds a step, US cents a million tokens."""
        points = Engine.sweep(
            model, list(chips.values()), precisions=formats, batch_sizes=range(1, 1025), seq_lens=[2048], efficiency=eta, stack="ideal")
        cost = {name: dict(prices).get(name, chip.unit_cost) / life + chip.tdp * around * (power or 0 * tariff) for name, chip in chips.items()}
        each, size = len(points) // len(chips), points.column("batch_size")
        hour, step = np.repeat([cost[name].m_as("USD/s") for name in chips], each), points.column("latency")
        return SimpleNamespace(fits=points.column("feasible"), step=step, batch=size, rate=size / step, price=1e8 * hour * step / size,
            device=np.repeat(list(chips), each), format=points.column("precision").astype(str),
            buy=np.repeat([chip.unit_cost.m_as("USD") for chip in chips.values()], each))

    def best(space, by, limit=1.0, **only):
        """The design with the least of `by` that fits and keeps the limit (seconds a step)."""
        good = np.all([space.fits, space.step <= limit, *(getattr(space, name) == value for name, value in only.items())], axis=0)
        return np.argmin(np.where(good, by, np.inf)) if good.any() else None

    all70 = look()
    return all70, around, best, chips, formats, life, look, tariff


@app.cell(hide_code=True)
def _(all70, best, chips, llama, this):
    _held = all70.batch[best(all70, -all70.batch, device="H200", format="fp16")]
    _left = chips["H200"].memory.capacity - Engine.solve(llama, chips["H200"], seq_len=2048).weights
    (q1 := this.ask(
        1, f"From lesson 3: {llama.name} in fp16 ({llama.parameters / 1e9:.1f} billion weights) lies on one H200 with {say(chips['H200'].memory.capacity)}, all of it usable. "
        f"It has {llama.layers} layers with {llama.key_heads} KV heads of {llama.head_dim}. How many users with 2,048 tokens each fit beside the weights?",
        unit="users",
        slips={"a key and a value for every one of the heads": _held * llama.key_heads / llama.heads, "the weights take no room": chips["H200"].memory.capacity / _left * _held},
    ).reveal(
        _held, why="After the weights little is left, and the cache of each user comes out of that. So a format with fewer bits for a weight is also a way to more users, and the best batch depends on the format. Hold on to this.",
        formula=f"{say(_left)} ÷ {say(_left / _held)} = **{_held:.0f} users**",
    ))
    return (q1,)


@app.cell(hide_code=True)
def _(all70, chips, formats, llama, q1, this):
    _runs = {name: int((all70.fits & (all70.format == name)).sum()) for name in formats}
    (q2 := this.ask(
        2, f"A design is a device, a number format and a batch: {len(chips)} devices × {len(formats)} formats × 1,024 batches = {len(all70.fits):,} designs to write with {llama.name} on one device, 2,048 tokens a user. **What share of them fits** in memory at all?",
        unit="%", within=1.4, after=q1,
        slips={"one format in four is small enough": 0.25, "half of them": 0.5, "a batch always fits": 1.0},
    ).reveal(
        all70.fits.mean(),
        why="Most devices cannot hold the weights in any format, and the rest fill up with users long before a batch of 1,024. A limit is checked first, and it throws away nearly everything.",
        chart=lambda _: charts.ranked(_runs, x="Designs that fit", title=f"Fewer bits, more designs: {all70.fits.sum():,} fit of {len(all70.fits):,}"),
    ))
    return (q2,)


@app.cell(hide_code=True)
def _(all70, chips, formats, q2, this):
    _fit = all70.fits
    _on = (_where := np.flatnonzero(_fit))[pareto(np.stack([all70.step[_where], all70.price[_where]], axis=1))]
    _many = list(dict.fromkeys(all70.device[_on]))
    (q3 := this.ask(
        3, f"Two things are wanted: a quick step, and cheap tokens (device price over three years). A design that another beats in **both** can be dropped. How many of the {len(_fit):,} are left? (η = {this.eta:g})",
        unit="designs", within=1.5, after=q2,
        slips={"one for each device": len(chips), "one for each device and format": len(chips) * len(formats), "one for each batch": 1024, "half of those that fit": _fit.sum() / 2},
    ).reveal(
        len(_on),
        why="What is left is a line through the cloud, from the quickest design to the cheapest, the **Pareto front**. A line is about as long as the longest side of the box, here the batch, however many designs the box holds. "
        f"{len(chips) - len(_many)} of {len(chips)} devices are not on it at all.",
        formula=lambda guess: f"you kept one in {say(len(_fit) / max(guess, 1))}, the search keeps one in **{say(len(_fit) / len(_on))}**",
        chart=lambda _: charts.front(
            [1e3 * all70.step[_fit], all70.price[_fit]], x="One step (ms)", y="A million tokens (US cents)", log="xy",
            kinds=[name if name in _many else "others" for name in all70.device[_fit]],
            names=[f"{d}, {f}, batch {b:.0f}" for d, f, b in zip(all70.device[_fit], all70.format[_fit], all70.batch[_fit], strict=True)],
            title=f"{len(_on)} of {len(_fit):,} designs are worth a second look"),
        then="Nobody can tell you *the* best design: only you know what a quicker step is worth. A search shows what you choose between.",
    ))
    return (q3,)


@app.cell(hide_code=True)
def _(all70, best, formats, q3, this):
    _limit, _on = 0.05, all70.device == "H200"
    _first = best(all70, -all70.rate, _limit, device="H200", format="fp16")
    _second = best(all70, -all70.rate, _limit, device="H200", batch=all70.batch[_first])
    _both = best(all70, -all70.rate, _limit, device="H200")
    _third = best(all70, -all70.rate, _limit, device="H200", format=all70.format[_second])

    _curve = {name: _on & (all70.format == name) & all70.fits & (all70.batch < 260) for name in ("fp16", "fp8", "int4")}
    (q4 := this.ask(
        4, f"You tune one H200 by hand, one knob after the other, and no step may take longer than 50 ms. First the batch, in fp16: {all70.batch[_first]:.0f} is the largest. Then, with that batch, the format: {all70.format[_second]} is the fastest, "
        f"{say(all70.rate[_second], 'tokens')} a second. A search turns **both knobs at once**. How many times as many tokens a second does it find? (η = {this.eta:g})",
        unit="x", within=1.25, after=q3, why=["fewer bits make room for a batch that the first knob never saw", "the search knows faster kernels", "the order of the knobs does not matter"],
        slips={"the order of the knobs does not matter": 1, "as many times as the batch grows": all70.batch[_both] / all70.batch[_first], "four times fewer bytes, four times the speed": 4},
    ).reveal(
        all70.rate[_both] / all70.rate[_second], cause="fewer bits make room for a batch that the first knob never saw",
        why=f"{all70.format[_both]} with a batch of {all70.batch[_both]:.0f} writes {say(all70.rate[_both], 'tokens')} a second. At the small batch {all70.format[_second]} wins, since it fetches the fewest bytes; "
        f"at the large one arithmetic counts too, and {all70.format[_second]} computes in 16 bits. Go round once more, and the batch in {all70.format[_second]} gives {say(all70.rate[_third], 'tokens')} a second.",
        chart=lambda guess: charts.lines(
            {name: (all70.batch[c], all70.rate[c], all70.step[c] <= _limit) for name, c in _curve.items()}, x="Batch (users)", y="Tokens a second", log="x",
            dots={"one knob at a time": ([all70.batch[_first], all70.batch[_second]], [all70.rate[_first], all70.rate[_second]])},
            guess=(all70.batch[_both], guess * all70.rate[_second]), title="The hand-tuned path stops below the hill", subtitle="Hollow: a step takes longer than 50 ms"),
    ))
    return (q4,)


@app.cell(hide_code=True)
def _(around, best, chips, life, look, q4, small, tariff, this):
    _bought, _owned = look(small), look(small, power=tariff)
    _cheap, _best = best(_bought, _bought.price, 0.05), best(_owned, _owned.price, 0.05)
    _each = {name: best(_owned, _owned.price, 0.05, device=name) for name in ("RTX 4090", "MI300X", "L4", "B200", "H100")}
    _bill = (chips["RTX 4090"].tdp * around * life * tariff).to("USD")
    (q5 := this.ask(
        5, f"You have a million dollars, and want as many tokens of {small.name} as it buys in three years, at no more than 50 ms a step. A search over device prices says: {_bought.device[_cheap]}, a gaming card of {say(chips['RTX 4090'].unit_cost)}. "
        f"Now **electricity** comes out of the million, too, at {say(100 * tariff.m_as('USD/kWh'))} cents a kWh, with {say(around, 'x')} the watts of a board for servers and cooling. What does the search say now?",
        options=["an RTX 4090", "an MI300X", "an L4", "a B200"], after=q4,
        slips={
            "an RTX 4090": f"One card draws {say(chips['RTX 4090'].tdp)}; in three years, servers and cooling included, that costs {say(_bill)}, more than the card.",
            "an L4": "It draws the least, but it also writes the least: what counts is the energy of a token.",
            "a B200": "It writes the most for each device, and costs more than it writes.",
        },
    ).reveal(
        f"an {_owned.device[_best]}",
        why="Nothing about the cards has changed. The first search answered another question: the price of *buying*. A cost that is left out of an objective is a cost that the search believes to be zero, and it will go where that cost is largest.",
        chart=lambda _: charts.ranked(
            {name: _owned.price[where] for name, where in _each.items()}, x="A million tokens, bought and powered (US cents)", highlight=["MI300X"], title="With power counted, the gaming card is not the cheapest"),
        then=f"""
The decks' exercise of a $1 million budget expects an H100 in int8 with a batch of 16 to 32. Here the H100 is {say(_owned.price[_each['H100']] / _owned.price[_best], 'x')} as dear a token as the winner, and the best batch is {_owned.batch[_best]:.0f}.

## Explore

List prices are one quotation each, and they age. At a limit of 50 ms, raise the price of the MI300X until it loses. Which design takes its place? Then go back, and find the limit below which no design in 8 bits is cheapest any more.
""",
    ))
    return (q5,)


@app.cell(hide_code=True)
def _(q5, this):
    this.wait(q5)
    asks = mo.ui.slider(start=10000, stop=40000, step=1000, value=15000, label="Price of an MI300X (USD)", show_value=True, full_width=True)
    limit = mo.ui.slider(steps=[6, 8, 10, 15, 20, 30, 50, 100], value=50, label="Limit for one step (ms)", show_value=True, full_width=True)
    cents = mo.ui.slider(start=0, stop=40, step=2, value=8, label="Electricity (US cents a kWh)", show_value=True, full_width=True)
    mo.vstack([asks, limit, cents])
    return asks, cents, limit


@app.cell(hide_code=True)
def _(all70, asks, best, cents, chips, limit, look):
    _space = look(power=Q_(cents.value / 100, "USD/kWh"), prices={"MI300X": Q_(asks.value, "USD")})
    _win = best(_space, _space.price, limit.value / 1e3)
    _per = [(name, best(_space, _space.price, limit.value / 1e3, device=name)) for name in chips]
    _left = {f"{name}, {_space.format[w]}, {_space.batch[w]:.0f}": _space.price[w] for name, w in _per if w is not None}
    _reached = {row.hardware.split("-")[0]: row.measured for row in read() if row.domain == "kernel_gemm" and row.model.startswith("MAMF")}
    _share = {name: _reached[name] / chips[name].peak("fp16").m_as("TFLOP/s") for name in ("MI300X", "B200", "Gaudi3")}
    _with = {name: look(eta=share) for name, share in _share.items()}
    _at = {name: space.price[best(space, space.price, 0.05, device=name)] for name, space in _with.items()}
    _mostly = {name: all70.price[best(all70, all70.price, 0.05, device=name)] for name in _share}
    mo.vstack([
        lesson.stats({"cheapest": str(_space.device[_win]), "format": str(_space.format[_win]), "batch": f"{_space.batch[_win]:.0f}", "a million tokens": say(_space.price[_win], "cents")}),
        charts.ranked(_left, x="A million tokens (US cents)", title=f"Best of each device within {limit.value} ms", highlight=[next(k for k in _left if k.startswith(str(_space.device[_win])))]),
        mo.md(f"""
## A fallacy

**"The search found the optimum."** It found the best of what it was told. All devices were given the same η. The best matrix product that somebody has measured reaches {", ".join(f"{say(share, '%')} of the peak on {name}" for name, share in _share.items())}.
Search again with these, at 50 ms: a million tokens costs {", ".join(f"{say(_at[name], 'cents')} instead of {say(_mostly[name], 'cents')} on {name}" for name in _share)}. {min(_at, key=_at.get)} still wins, so this answer does not hang on η. You know that only because you moved it.
"""),
    ])
    return


@app.cell(hide_code=True)
def _(best, look, q5, this, unseen):
    _space = look(unseen)
    _space.fits = _space.fits & (_space.buy <= 20_000)
    _win = best(_space, -_space.rate, 0.025)
    _named, _four = {"fp16": "16 bits (fp16)", "fp8": "8 bits (fp8)", "int4": "4 bits (int4)"}, best(_space, -_space.rate, 0.025, format="int4")
    (q6 := this.ask(
        6, f"A model not seen so far: {unseen.name} ({unseen.parameters / 1e9:.1f} billion), at most 25 ms a step, at most $20,000 for the device, and as many tokens a second as possible. Which format does the search choose?",
        options=list(_named.values()), because="The winner would change if", after=q5,
        slips={_named["fp16"]: "Its weights leave room for fewer users, and they take longest to fetch.", _named["int4"]: "It fetches the fewest bytes, but computes in 16 bits; at a batch that uses 25 ms, that is the slower clock."},
    ).reveal(
        _named[_space.format[_win]],
        why=f"On the {_space.device[_win]}, with a batch of {_space.batch[_win]:.0f}: {say(_space.rate[_win], 'tokens')} a second, and {say(_space.rate[_four], 'tokens')} a second with the best design in int4. One way to finish: *the winner would change if the limit fell so far that only small batches pass; then bytes decide alone.*",
        then="""
## In Python

```python
from mlsysim import DSE, Engine

space = {"hardware": ["MI300X", "H100", "B200"], "precision": ["fp16", "fp8", "int4"], "batch_size": range(1, 1025)}
found = DSE(space, ["minimize: latency", "maximize: throughput"], ["latency <= 50 ms"]).search_sweep(Engine.sweep, "Llama3_70B", seq_lens=[2048])
print(len(found["front"]), found["knee"]["params"], found["infeasible"][0]["reason"])
```

A limit needs its unit: `latency < 50` is refused. For a cost of your own, `DSE(...).search(f)` calls your function for each design; `executor=` takes a pool of processes, Dask or Ray, and the answer is the same. What no design here counts: servers, networks, licences, people.
""",
    ))
    return (q6,)


@app.cell(hide_code=True)
def _(q1, q2, q3, q4, q5, q6, this):
    this.close(q1, q2, q3, q4, q5, q6)
    return


if __name__ == "__main__":
    app.run()
