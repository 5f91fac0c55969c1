# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="14 · Custom hardware and solvers")

with app.setup(hide_code=True):
    import marimo as mo
    import yaml

    from mlsysim import Q_, Engine, Fleet, Hardware, Models, Systems
    from mlsysim.core.errors import MLSysError
    from mlsysim.learn import charts, lesson, say
    from mlsysim.solvers import ContinuousBatchingModel, EconomicsModel


@app.cell(hide_code=True)
def _():
    (this := lesson.open("14_custom_hardware_and_solvers"))
    return (this,)


@app.cell
def _():
    mine = """\
name: X1
release_year: 2027
compute: {peak_flops: 1200 TFLOP/s}   # dense, fp16
memory: {capacity: 144 GB, bandwidth: 5 TB/s}
tdp: 1000 W
"""
    llama, llama2, unseen, h100 = Models.Language.Llama3_8B, Models.Language.Llama2_7B, Models.Language.Phi4, Hardware.H100
    return h100, llama, llama2, mine, unseen


@app.cell
def _():
    wall = """\
from mlsysim import Engine
from mlsysim.core import units as u
from mlsysim.core.solver import Result, Solver
from mlsysim.hardware.types import HardwareNode
from mlsysim.models.types import Workload

class Kept(Result):
    fetch: u.Seconds = "ms"
    recompute: u.Seconds = "ms"

class FetchOrRecompute(Solver):
    walls = (23,)
    def solve(self, model: Workload, hardware: HardwareNode, *, prompt: u.Count, link: u.Bandwidth, efficiency: u.Fraction = 0.5) -> Kept:
        read = Engine.solve(model, hardware, seq_len=prompt, phase="prefill", efficiency=efficiency)
        return Kept(fetch=read.si("kv_cache") / link, recompute=read.si("latency"))
"""
    exec(wall, _made := {})  # what is shown below is what runs
    own = _made["FetchOrRecompute"]()
    return own, wall


@app.cell
def _(llama, mine, this):
    def chip(old="", new="", text=mine):
        """The chip of a YAML file, with one text in place of another; raises what is wrong with it."""
        return Hardware.from_spec(yaml.safe_load(text.replace(old, new) if old else text))

    def decode(hardware, batch=1, model=llama, context=2048):
        return Engine.solve(model, hardware, batch_size=batch, seq_len=context, efficiency=this.eta)

    def users(hardware, model, context):
        return int(ContinuousBatchingModel().solve(model, hardware, seq_len=context, max_seq_len=context).paged_batch)

    def rate(hardware, model, context):
        """Tokens a second of a card with as many users as fit, all writing."""
        return decode(hardware, users(hardware, model, context), model, context).throughput

    def revisions(card, model, context):
        """What a card gains from twice of one of its numbers."""
        more = {"FLOPS": (card.compute, "compute", "peak_flops"), "bandwidth": (card.memory, "memory", "bandwidth"), "capacity": (card.memory, "memory", "capacity")}
        twice = {name: card.replace(**{part: old.replace(**{field: 2 * getattr(old, field)})}) for name, (old, part, field) in more.items()}
        return {name: (rate(new, model, context) / rate(card, model, context)).m_as("") for name, new in twice.items()}

    return chip, decode, rate, revisions, users


@app.cell(hide_code=True)
def _(chip, decode, llama, mine, this):
    _now = decode(x1 := chip())
    (q1 := this.ask(
        1, f"From lesson 0, on a chip that does not exist yet. This file is all that is needed to ask about it:\n\n```yaml\n{mine}```\n\n{llama.name} writes for one user with 2,048 tokens, on this chip, in fp16. How long is a step?",
        unit="ms", slips={"only operations count": _now.compute_time, "bytes are read as bits": 8 * _now.latency, "a weight is one byte": 0.5 * _now.latency},
    ).reveal(
        _now.latency, why="Five lines describe a chip well enough to ask every question of this course. No Python is needed, and nobody else's file changes.",
        formula=f"{say(_now.traffic)} ÷ {say(x1.memory.bandwidth)} = **{say(_now.memory_time)}**",
    ))
    return q1, x1


@app.cell(hide_code=True)
def _(chip, decode, q1, this, x1):
    _names = {"the peak": ("1200 T", "2400 T"), "the capacity": ("144 GB", "288 GB"), "the bandwidth": ("5 TB", "10 TB"), "the power": ("1000 W", "2000 W")}
    _wrong = {name: chip(*change) for name, change in _names.items()}
    _seen = [n for n, c in _wrong.items() if any(abs(decode(c, b).latency / decode(x1, b).latency - 1) > 0.05 for b in (1, 8, 32))]
    (q2 := this.ask(
        2, "The chip is built, and a laboratory measures decode of the same model with 1, with 8 and with 32 users. **All three times agree** with the file. Yet one of its numbers is wrong by a factor of two. Which number is it **certainly not**?", after=q1,
        options=list(_names), because="I would find the wrong one by measuring", slips={"the peak": "The measurements would be the same if it were wrong: in all three, the clock of the bytes is the slower one.", "the capacity": "Nothing was measured that nearly fills the memory.", "the power": "No time depends on it; a meter would tell."},
    ).reveal(
        _seen[0], why="A measurement tests only the number that limits it. Three agreeing points look like proof, and all three tested the same number. A long prompt would test the peak, the largest batch that fits the capacity, a meter the power.",
        chart=lambda _: charts.roofline(
            [x1, _wrong["the peak"].replace(name="X1, peak wrong")], [decode(x1, b) for b in (1, 8, 32)], efficiency=this.eta, title="Where the dots are, both chips are the same chip", subtitle="Decode with 1, 8 and 32 users"),
    ))
    return (q2,)


@app.cell(hide_code=True)
def _(chip, decode, q2, this, x1):
    _tries = {"5000": ("5 TB/s", "5000"), "5000 GB": ("5 TB/s", "5000 GB"), "5 Tb/s": ("5 TB/s", "5 Tb/s"), "5,0 TB/s": ("5 TB/s", "'5,0 TB/s'"), "1200 TFLOP": ("1200 TFLOP/s", "1200 TFLOP"), "2400 TFLOP/s (the figure with sparsity)": ("1200 T", "2400 T")}
    _said = dict.fromkeys(_tries, "accepted, and nothing is said")
    for _name, _change in _tries.items():
        try:
            _said[_name] = "; ".join(decode(chip(*_change)).notes) or _said[_name]
        except MLSysError as _error:
            _said[_name] = f"refused: {_error}"
    _refused, _slow = sum(said.startswith("refused") for said in _said.values()), decode(chip(*_tries["5 Tb/s"])).latency / decode(x1).latency
    (q3 := this.ask(
        3, "The data sheet says 5 TB/s and, dense, 1,200 TFLOP/s. Someone types one of these six instead: for the bandwidth " + ", ".join(f"`{n}`" for n in list(_tries)[:4]) + "; for the peak "
        + ", ".join(f"`{n}`" for n in list(_tries)[4:]) + ". **How many of the six are refused?**",
        unit="entries", within=1.05, after=q2, slips={"units catch every wrong number": len(_tries), "only a number without a unit is refused": 1, "only a number of the wrong kind is refused": 3},
    ).reveal(
        _refused, why=f"A unit tells the *kind* of a number, never its value. Terabits a second are a bandwidth, so they pass, with a note, and decode is {say(_slow, 'x')} as slow. The sparse figure is a peak like any other; not even a note can be made of it.",
        then=lesson.table(["typed", "what happens"], [[name, said] for name, said in _said.items()]).text,
    ))
    return (q3,)


@app.cell(hide_code=True)
def _(decode, llama, q3, rate, revisions, this, users, wall, x1):
    _card = x1.replace(name="small card", memory=x1.memory.replace(capacity="24 GB", bandwidth="0.5 TB/s"), compute=x1.compute.replace(peak_flops="150 TFLOP/s"))
    _gain, _sizes = {f"twice the {name}": gain for name, gain in revisions(_card, llama, 4096).items()}, [20, 24, 28, 32, 40, 48, 64, 96, 128]
    _lines = {name: [rate(_card.replace(memory=_card.memory.replace(capacity=Q_(n, "GB"), bandwidth=bandwidth)), llama, 4096).m_as("1/s") for n in _sizes]
              for name, bandwidth in {"as it is": "0.5 TB/s", "twice the bandwidth": "1 TB/s"}.items()}
    (q4 := this.ask(
        4, f"Your own small card: 150 TFLOP/s, 0.5 TB/s, 24 GB, a tenth of it in reserve. It serves {llama.name} in fp16 to as many users with 4,096 tokens as fit ({users(_card, llama, 4096)}), and all of them write. The next revision may **double one number**. Which gives the most tokens a second?",
        options=list(_gain), after=q3, slips={"twice the bandwidth": f"Decode is memory-bound, and twice the bandwidth gives {say(_gain['twice the bandwidth'], 'x')}. Something gives more.", "twice the FLOPS": f"The arithmetic waits for bytes already: {say(_gain['twice the FLOPS'], 'x')}."},
    ).reveal(
        max(_gain, key=_gain.get), why=f"Twice the capacity gives {say(_gain['twice the capacity'], 'x')}, twice the bandwidth {say(_gain['twice the bandwidth'], 'x')}. A full card always takes as long as reading itself; what counts is how much of that reading is users, and not weights.",
        formula=f"tokens a second = bandwidth ÷ cache of a user × (1 − {say(decode(_card).weights)} ÷ usable capacity); up to 1.5 × the weights, capacity gains more",
        chart=lambda _: charts.lines({name: (_sizes, line) for name, line in _lines.items()}, x="Capacity (GB)", y="Tokens a second", log="x", upright={"your card": 24, "twice its capacity": 48}, title="At first, bytes to hold beat bytes a second"),
        then=f"""
## A wall of your own

A chip is data. A wall is a class. This one asks: a user was away, and the KV cache was sent to another machine; is it **fetched** over a link sooner than the prompt is read again?

```python
{wall}```

`400 Gbps` for `link` arrives inside as bytes a second, a plain number. So the body is bare arithmetic, and no unit can be forgotten in it.
""",
    ))
    return (q4,)


@app.cell(hide_code=True)
def _(h100, llama, llama2, own, q4, this):
    def _speed(model, eta=this.eta):
        return (_done := own.solve(model, h100, prompt=8192, link="1 GB/s", efficiency=eta)).fetch / _done.recompute * Q_(1, "GB/s")

    _models = {m.name: m for m in (llama2, llama, Models.Language.Qwen3_14B, Models.Language.Llama3_70B)}
    (q5 := this.ask(
        5, f"Ask it. {llama.name} on an H100 (η = {this.eta:g}), 8,192 tokens. From which link speed on is fetching quicker than reading the prompt again?",
        unit="GB/s", within=1.3, after=q4, slips={"as fast as the memory": h100.memory.bandwidth, "the whole peak is reached": _speed(llama, 1.0), "a key and a value for every one of the heads": llama.heads / llama.key_heads * _speed(llama)},
    ).reveal(
        _speed(llama), why="A cache is small beside the work that made it. A plain network card is enough, which is why machines that read prompts and machines that write can be different ones.",
        formula="cache of a token ÷ (2 × parameters ÷ (η × peak)); the length of the prompt nearly cancels",
        chart=lambda guess: charts.ranked(
            {name: _speed(model) for name, model in _models.items()}, x="Link speed from which fetching wins (GB/s)", log=True, guess={llama.name: Q_(guess, "GB/s")},
            level={"InfiniBand NDR": Systems.Fabrics.InfiniBand_NDR.bandwidth}, title="The larger the model, the slower the link may be"),
        then="""
## Explore

Write into the file. Change **one** field so that a prompt of 2,048 tokens takes half the time and decode stays as it is. Then one so that only the number of users changes. Then make one of the mistakes from above, and read what it says.
""",
    ))
    return (q5,)


@app.cell(hide_code=True)
def _(mine, q5, this):
    this.wait(q5)
    (file := mo.ui.text_area(value=mine, label="Your chip (YAML)", rows=6, full_width=True))
    return (file,)


@app.cell(hide_code=True)
def _(chip, decode, file, llama, this, users, x1):
    try:
        _chip = chip(text=file.value)
        _read = Engine.solve(llama, _chip, seq_len=2048, phase="prefill", efficiency=this.eta)
        _seen = mo.vstack([lesson.stats({"one token": decode(_chip).latency, "a prompt of 2,048": _read.latency, "users with 4,096 that fit": str(users(_chip, llama, 4096))}),
            charts.roofline([_chip], [decode(_chip), decode(_chip, 32), _read], efficiency=this.eta, title=f"{_chip.name} with its steps")])
    except (MLSysError, yaml.YAMLError) as _error:
        _seen = mo.md(f"**{_error}**")
    try:
        EconomicsModel().solve(Fleet(name="mine", hw=x1, count=512), 30)
    except MLSysError as _error:
        _price = str(_error)
    _gaudi, _h100 = (EconomicsModel().solve(Fleet(name="shop", hw=each, count=512), 30, electricity_price="0.08 USD/kWh", infrastructure_multiplier=2.5) for each in (Hardware.Gaudi3, Hardware.H100))
    mo.vstack([_seen, mo.md(f"""
## A fallacy

**"An unknown price is no price."** Ask what 512 X1 cost in a month, and the answer is: *{_price}* A tool that put zero in its place would say {say(_gaudi.energy_cost)} for 512 Gaudi 3, the electricity alone, against {say(_h100.tco)} for 512 H100, and would
name a winner. With its list price it is {say(_gaudi.tco)}. It may still win, but by {say(_h100.tco / _gaudi.tco, 'x')}, not by {say(_h100.tco / _gaudi.energy_cost, 'x')}.
""")])
    return


@app.cell(hide_code=True)
def _(q5, revisions, this, unseen, x1):
    _card = x1.replace(name="card", memory=x1.memory.replace(capacity="64 GB", bandwidth="0.9 TB/s"), compute=x1.compute.replace(peak_flops="200 TFLOP/s"))
    _gain = {f"{name} × 2": gain for name, gain in revisions(_card, unseen, 2048).items()}
    (q6 := this.ask(
        6, f"A model and a card not seen so far: {unseen.name} ({unseen.parameters / 1e9:.1f} billion weights, fp16) on 200 TFLOP/s, 0.9 TB/s, 64 GB, a tenth in reserve, as many users with 2,048 tokens as fit. Which revision gives the most tokens a second?",
        options=list(_gain), because="It is so because", after=q5, slips={"capacity × 2": f"That was so where the weights filled most of the card. Here: {say(_gain['capacity × 2'], 'x')}.", "FLOPS × 2": "Bytes are the slower clock, with as many users as fit."},
    ).reveal(
        max(_gain, key=_gain.get), why=f"The weights take half of the card, no more: usable memory is beyond 1.5 times the weights, and there bandwidth gains {say(_gain['bandwidth × 2'], 'x')}, capacity {say(_gain['capacity × 2'], 'x')}.",
        then="To keep a chip, put its file into `mine/hardware/cloud/` and say `mlsysim solve Llama3_8B X1 --registry mine`. Such a file names the source of each number; `mlsysim audit` asks for it.",
    ))
    return (q6,)


@app.cell(hide_code=True)
def _(q1, q2, q3, q4, q5, q6, this):
    this.close(q1, q2, q3, q4, q5, q6)
    return


if __name__ == "__main__":
    app.run()
