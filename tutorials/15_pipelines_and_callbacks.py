# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="15 · Pipelines and callbacks")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import Fleet, Hardware, Literature, Models, Pipeline, Systems
    from mlsysim import solvers as s
    from mlsysim.core.errors import MLSysError
    from mlsysim.core.pipeline import OWN
    from mlsysim.learn import charts, lesson, say


@app.cell(hide_code=True)
def _():
    (this := lesson.open("15_pipelines_and_callbacks"))
    return (this,)


@app.cell
def _():
    llama, small, unseen = Models.Language.Llama3_70B, Models.Language.Llama3_8B, Models.Language.Qwen3_14B
    stage = """\
from mlsysim.core import units as u
from mlsysim.core.solver import Result, Solver

class Days(Result):
    duration_days: u.Days = "day"

class Calendar(Solver):
    walls = (15,)
    def solve(self, training_time: u.Seconds, setup: u.Days = "7 day") -> Days:
        return Days(duration_days=training_time + setup)
"""
    exec(stage, _made := {})  # what is shown below is what runs
    calendar = _made["Calendar"]()
    return calendar, llama, small, stage, unseen


@app.cell
def _(calendar, llama, this):
    def fleet(servers=64, node=Systems.Nodes.DGX_H100, fabric=Systems.Fabrics.InfiniBand_NDR):
        return Fleet(name="ours", node=node, count=servers, fabric=fabric)

    given = {
        "model": llama, "fleet": fleet(), "batch_size": 1024, "seq_len": 4096, "tensor_parallel": 8, "pipeline_parallel": 4, "zero_stage": 1, "sequence_parallel": True,
        "recompute": "selective", "microbatch": 1, "tokens": 1.4e12, "efficiency": this.eta, "electricity_price": "0.10 USD/kWh", "pue": 1.12, "infrastructure_multiplier": 2.5}
    faults = {"checkpoint_time": "60 s", "restart_time": "10 min", "mtbf": "48 hour"}
    short = Pipeline([s.DistributedModel(), s.EconomicsModel()])
    whole = Pipeline([s.DistributedModel(), s.ReliabilityModel(), s.EconomicsModel()])

    def paid(**other):
        """The bill of the short chain."""
        return short.run(**{**given, **other})["EconomicsModel"].tco

    def told(chain, **more):
        """What a chain's explanation says of where the days come from."""
        line = next(line for line in chain.explain(**{**given, **more}).splitlines() if "requires" in line and "duration_days" in line)
        return "duration_days" + line.partition("duration_days")[2].rstrip(",")

    def bill(**other):
        """The bill of the whole chain."""
        return whole.run(**{**given, **faults, **other})["EconomicsModel"].tco

    return bill, faults, fleet, given, paid, short, told, whole


@app.cell(hide_code=True)
def _(bill, faults, given, llama, this, whole):
    _good = [whole.run(**{**given, **faults, "mtbf": each})["ReliabilityModel"].goodput for each in ("48 hour", "24 hour")]
    (q1 := this.ask(
        1, f"From lesson 12, with failures that are twice as many. 512 H100 train {llama.name}; every 48 hours something in the cluster fails. A checkpoint takes 60 seconds, a restart 10 minutes, and checkpoints are as far apart as is best. Now it fails **every 24 hours**. By how many percent does the bill of the training rise?",
        unit="%", within=1.4, slips={"twice the failures are twice the bill": 1.0, "checkpoints are √2 as frequent, so the bill rises by that": 2**0.5 - 1, "all that failures cost doubles": _good[0] / (2 * _good[0] - 1) - 1},
    ).reveal(
        bill(mtbf="24 hour") / bill() - 1, why="What failures cost is small, and its larger part grows only with the square root of their number. The bill hears the difference.",
        formula=f"useful share of the time: {say(_good[0], '%')} → {say(_good[1], '%')}",
    ))
    return (q1,)


@app.cell(hide_code=True)
def _(paid, q1, short, this, told):
    _shares = [0.25, 0.3, 0.4, 0.5, 0.6, 0.7]
    (q2 := this.ask(
        2, "Two solvers in a chain: the first works out a training run, the second its bill.\n\n```python\nchain = Pipeline([DistributedModel(), EconomicsModel()])\nchain.run(duration_days=30, ...)\n```\n\n"
        "The chain could find the days by itself, but somebody once typed 30. Now the share of the peak that is reached falls **from 0.5 to 0.25**, and nothing else changes. By what factor does the bill change?",
        unit="x", within=1.05, after=q1, slips={"a slower run costs more": paid(efficiency=0.25) / paid(efficiency=0.5), "half the work costs half": 0.5, "half the speed costs twice": 2},
    ).reveal(
        paid(duration_days=30, efficiency=0.25) / paid(duration_days=30, efficiency=0.5), why="What is typed goes before what flows. The first solver still finds how long the training takes, and the second bills the 30 days that stand in the call. No error, no warning: just a bill that has gone deaf.",
        formula=f"`chain.explain()` says so: *{told(short, duration_days=30)}*; without the 30 it says *{told(short)}*",
        chart=lambda guess: charts.lines(
            {"30 days typed": (_shares, [paid(duration_days=30, efficiency=x).m_as("USD") / 1e6 for x in _shares]), "days that flow": (_shares, [paid(efficiency=x).m_as("USD") / 1e6 for x in _shares])},
            x="Share of the peak inside a GPU (η)", y="Bill (million USD)", guess=(0.25, guess * paid(duration_days=30, efficiency=0.5).m_as("USD") / 1e6), title="One of the two bills does not hear the training"),
        then=f"Take the 30 out, and the same change makes the bill {say(paid(efficiency=0.25) / paid(efficiency=0.5), 'x')} as large. So ask of every chain which numbers flow, and which ones you typed.",
    ))
    return (q2,)


@app.cell(hide_code=True)
def _(bill, faults, paid, q2, stage, this, told, whole):
    (q3 := this.ask(
        3, "The days flow again. Then `ReliabilityModel` goes between the two: it knows how much time failures cost. Whose time does `EconomicsModel` bill now?", after=q2,
        options=["that of ReliabilityModel with the failures in it", "that of DistributedModel because it comes first", "none: two answers are refused"],
        slips={"that of DistributedModel because it comes first": "The nearest stage that has something to say about the days is heard.", "none: two answers are refused": "They are not the same thing: one is a training time, the other the time from start to end, and that is asked for first."},
    ).reveal(
        "that of ReliabilityModel with the failures in it" if "ReliabilityModel" in told(whole, **faults) else "that of DistributedModel because it comes first",
        why=f"A training time feeds the days that are paid for; an elapsed time, failures included, does it better. The bill grows by {say(bill() / paid() - 1, '%')}, and nobody had to type how.",
        formula=f"`chain.explain()`: *{told(whole, **faults)}*",
        then=f"""
## A stage of your own

A field flows where one stage *produces* a name that a later one *accepts*, or where a result says what it feeds. So a class of your own (lesson 14) is a stage like any other. This one adds a week of setting up:

```python
{stage}
chain = Pipeline([DistributedModel(), Calendar(), EconomicsModel()])
```
""",
    ))
    return (q3,)


@app.cell(hide_code=True)
def _(bill, q3, this):
    _pulls = {"the share of the peak is halved": bill(efficiency=this.eta / 2), "electricity costs twice as much": bill(electricity_price="0.20 USD/kWh"),
        "failures are twice as many": bill(mtbf="24 hour"), "cooling takes 18 % on top instead of 12 %": bill(pue=1.18)}
    _names = list(_pulls)
    _low, _high = Literature.Efficiency.MPT_70B_H100_512.value, Literature.Efficiency.MPT_7B_A100_8.value
    (q4 := this.ask(
        4, "Which changes move the bill of this training? Order them, the largest first.", order=sorted(_pulls), after=q3,
        slips={"of what one hears about large clusters": [_names[n] for n in (2, 0, 1, 3)], "of what one hears about power": [_names[n] for n in (1, 3, 0, 2)]},
    ).reveal(
        sorted(_pulls, key=_pulls.get, reverse=True), why=f"The five factors of the Iron Law multiply, but they are not equal levers: one can move by a factor, the others by percents. The first really does move: published runs reached from {say(_low, '%')} (MPT 70B on 512 H100) to {say(_high, '%')} (MPT 7B on 8 A100) of the peak.",
        chart=lambda _: charts.ranked(
            {name: 100 * (after / bill() - 1) for name, after in _pulls.items()}, x="The bill rises by (%)", title="The money hears one number, and it is not the failures"),
    ))
    return (q4,)


@app.cell(hide_code=True)
def _(calendar, fleet, given, q4, small, this):
    _events, _kept = [], {}
    def _listen(event, details):
        _events.append((event, details.get("stage", "")))
        if event == "on_stage_end":
            _kept[details["stage"]] = details["result"]
    _chain = Pipeline([s.DistributedModel(), calendar, s.EconomicsModel()], callbacks=[_listen])
    try:
        _told = str(_chain.run(**{**given, "fleet": fleet(32, Systems.Nodes.Trn2, Systems.Fabrics.EFA_v3)}))
    except MLSysError as _error:
        _told = str(_error)
    _at = {name: [n for n, (_, stage) in enumerate(_events) if stage == name] for name in _chain.stages}
    try:
        Pipeline([s.DistributedModel(), s.ServingModel()]).run(batch_size=512, seq_len=4096, model=small, hardware=Hardware.H100, fleet=fleet())
    except MLSysError as _error:
        batch_refused = str(_error)
    (q5 := this.ask(
        5, "A chain has three stages: training, calendar, bill. A **callback** of yours is called at the end of each stage, and keeps its result. This time the last stage fails: no price is known for the chip. What do you have?", after=q4,
        options=["two results that the callback kept and none from run", "two results from run and none in the callback", "nothing at all", "three results of which the last is empty"],
        slips={"two results from run and none in the callback": "What raises returns nothing.", "nothing at all": "The callback heard of each stage as it ended.", "three results of which the last is empty": "Nothing is made up: an unknown price is an error, not an empty result."},
    ).reveal(
        "two results that the callback kept and none from run" if len(_kept) == 2 else "nothing at all",
        why=f"The error comes through: *{_told}* What ended before it, the callback has: " + ", ".join(_kept) + ". So a log is written while things happen, and not at the end.",
        chart=lambda _: charts.gantt([(name, "failed" if name not in _kept else "solved", at[0], at[-1]) for name, at in _at.items()], x="Event, counted from the start", title=f"{len(_events)} events; two of them bring a result"),
        then="""
## A log in eight lines

```python
import json

class Log:
    def on_stage_end(self, stage, result, seconds):
        with open("runs.jsonl", "a") as file:
            print(json.dumps({"stage": stage, "seconds": seconds, "said": str(result)}), file=file)

    def on_error(self, stage, error):
        print(stage, "failed:", error)

Pipeline([...], callbacks=[Log()]).run(...)
```

Put the call of your own tracker in the place of `print`. If the tracker itself fails, the run goes on, and warns you. The other hooks are `on_start`, `on_stage_start` and `on_end`.

## Explore

Build a chain. See whose days reach the bill with `Calendar` and without it. Then take `CheckpointModel` and `ReliabilityModel` in both orders: each wants something that the other finds. What is it?
""",
    ))
    return batch_refused, q5


@app.cell(hide_code=True)
def _(q5, this):
    this.wait(q5)
    boxes = mo.ui.multiselect(options=["DistributedModel", "CheckpointModel", "ReliabilityModel", "Calendar", "EconomicsModel", "SustainabilityModel"], value=["DistributedModel", "ReliabilityModel", "EconomicsModel"], label="Stages", full_width=True)
    order = mo.ui.radio(["CheckpointModel before ReliabilityModel", "ReliabilityModel before CheckpointModel"], value="CheckpointModel before ReliabilityModel", label="Order")
    mo.vstack([boxes, order])
    return boxes, order


@app.cell(hide_code=True)
def _(batch_refused, boxes, calendar, order):
    _line = ["DistributedModel", *order.value.split(" before "), "Calendar", "EconomicsModel", "SustainabilityModel"]
    _chosen = [name for name in _line if name in boxes.value] or ["Calendar"]
    _now = Pipeline([calendar if name == "Calendar" else getattr(s, name)() for name in _chosen])
    _flow = [[edge.producer, edge.field, edge.consumer] for edge in _now.edges] or [["", "nothing flows", ""]]
    mo.vstack([
        lesson.stats({"stages": str(len(_chosen)), "walls": ", ".join(map(str, _now.walls)), "wires": str(len(_now.edges))}),
        lesson.table(["from", "flows", "to"], _flow),
        lesson.table(["must be typed", "for"], [[gap.input, gap.stage] for gap in _now.gaps] or [["nothing", ""]]),
        mo.md(f"""
## A fallacy

**"Same name, same thing."** Every stage says `bandwidth`, and one means a link, another a memory. So these words never flow: {", ".join(f"`{word}`" for word in sorted(OWN))}. And a chain that trains and then serves refuses `batch_size=512`: *{batch_refused}*
"""),
    ])
    return


@app.cell(hide_code=True)
def _(bill, fleet, q5, this, unseen):
    _base = {"model": unseen, "fleet": fleet(8, Systems.Nodes.DGX_A100), "pipeline_parallel": 1, "batch_size": 512, "tokens": 2e11}
    _saves = {"electricity at half the price": bill(**_base, electricity_price="0.05 USD/kWh"), "half the failures": bill(**_base, mtbf="96 hour"), "two GPUs for a layer and not eight": bill(**{**_base, "tensor_parallel": 2})}
    (q6 := this.ask(
        6, f"A model and a chip not seen so far: {unseen.name} trains on 64 A100, with eight of them sharing each layer; the other prices stay as they are. What saves most of **this** bill?",
        options=list(_saves), because="The bill hears it because", after=q5, slips={"electricity at half the price": f"It saves {say(1 - _saves['electricity at half the price'] / bill(**_base), '%')}.", "half the failures": f"It saves {say(1 - _saves['half the failures'] / bill(**_base), '%')}."},
    ).reveal(
        min(_saves, key=_saves.get), why=f"It saves {say(1 - _saves['two GPUs for a layer and not eight'] / bill(**_base), '%')}, and it is a setting, not a purchase. One way to finish: *the bill hears it because time flows from the split into every dollar.*",
    ))
    return (q6,)


@app.cell(hide_code=True)
def _(q1, q2, q3, q4, q5, q6, this):
    this.close(q1, q2, q3, q4, q5, q6)
    return


if __name__ == "__main__":
    app.run()
