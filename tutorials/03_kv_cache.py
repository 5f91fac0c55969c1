# /// script
# requires-python = ">=3.11"
# dependencies = ["mlsysim", "marimo>=0.25"]
#
# [tool.uv.sources]
# mlsysim = { path = "..", editable = true }
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="3 · The KV cache")

with app.setup(hide_code=True):
    import marimo as mo

    from mlsysim import ContinuousBatchingModel, Engine, Hardware, Models
    from mlsysim.learn import charts, lesson, say


@app.cell(hide_code=True)
def _():
    (this := lesson.open("03_kv_cache"))
    return (this,)


@app.cell
def _():
    shelf = Models.Language
    five = {m.name: m for m in (shelf.Phi3_mini, shelf.Llama2_7B, shelf.Llama3_8B, shelf.Llama3_70B, shelf.DeepSeek_V3)}
    llama, llama2 = shelf.Llama3_8B, shelf.Llama2_7B
    h100, h200, l4 = Hardware.H100, Hardware.H200, Hardware.L4
    return five, h100, h200, l4, llama, llama2


@app.cell
def _(h100, llama, this):
    def step(chip=h100, context=2048, batch=1, model=llama):
        """One step of decoding: each user of the batch gets one token more."""
        return Engine.solve(model, chip, batch_size=batch, seq_len=context, efficiency=this.eta)

    def cache(model):
        """What one token of one user keeps in memory."""
        return step(Hardware.B200, 4096, 1, model).kv_cache / 4096

    def filled(model, chip, context=4096):
        """A chip with as many users of that context as fit beside the weights."""
        return ContinuousBatchingModel().solve(model, chip, seq_len=context, max_seq_len=context, efficiency=this.eta)

    def users(model, chip, context):
        """How many of them there are."""
        return int(filled(model, chip, context).paged_batch)

    def full(chip, context):
        """A step with as many users as fit."""
        return step(chip, context, users(llama, chip, context)).latency

    return cache, filled, full, step, users


@app.cell(hide_code=True)
def _(step, this):
    (q1 := this.ask(
        1, f"From lesson 0: 8 users with 2,048 tokens each write together on an H100, Llama 3 8B; a step for one user takes {say(step().latency)}. How many times the tokens a second of a single user do all 8 get together?",
        unit="x",
        slips={"users share what one user gets": 1, "every user needs the weights for himself, and the cache too": 1 / 8},
    ).reveal(
        step(batch=8).throughput / step().throughput,
        why="The weights are read once for all eight. What each user adds is small but not nothing: keys and values of 2,048 tokens, the **KV cache**. This lesson is about that part.",
        formula=f"weights {say(step().traffic - step().kv_cache)} once, and {say(step().kv_cache)} for each user",
    ))
    return (q1,)


@app.cell(hide_code=True)
def _(cache, five, q1, this):
    _size = sorted(five, key=lambda name: five[name].parameters)
    (q2 := this.ask(
        2, "To write its next token, a model looks back at all tokens so far; so that it need not compute them again, it keeps a key and a value of each. "
        "Order by the memory that **one token of one user** takes, least first: " + ", ".join(f"{name} ({say(five[name].parameters / 1e9)} billion)" for name in _size) + ". All fp16.",
        order=_size, after=q1,
        slips={"of their sizes": _size, "of their sizes, with the experts first": [_size[-1], *_size[:-1]]},
    ).reveal(
        sorted(five, key=lambda name: cache(five[name])),
        why="A token keeps one key and one value for each *KV head* of each layer. Parameters do not enter. Newer models let several heads share a key and a value; DeepSeek-V3 keeps one short compressed vector a layer.",
        formula="2 (key, value) × layers × KV heads × size of a head × 2 bytes: " + "; ".join(
            f"{m.name}: 2 × {m.layers} × {m.key_heads} × {m.head_dim} × 2 B = **{say(cache(m).to('kB'))}**" for m in list(five.values())[1:3]),
        chart=lambda _: charts.ranked({name: cache(m).to("kB") for name, m in five.items()}, x="KV cache of one token (kB)", title="Size does not decide; sharing of heads does"),
    ))
    return (q2,)


@app.cell(hide_code=True)
def _(cache, filled, h100, llama, llama2, q2, this, users):
    _two = {m.name: filled(m, h100) for m in (llama, llama2)}
    _small = _two[llama2.name]
    (q3 := this.ask(
        3, f"With a tenth of its memory held in reserve, an H100 holds {users(llama, h100, 4096)} users of Llama 3 8B at 4,096 tokens each. How many users of **Llama 2 7B**, a smaller model?",
        unit="users", after=q2,
        slips={
            "a smaller model leaves more room, in proportion": users(llama, h100, 4096) * (llama.parameters / llama2.parameters),
            "keys are counted and values forgotten": 2 * users(llama2, h100, 4096),
        },
    ).reveal(
        users(llama2, h100, 4096),
        why=f"Its weights are a little smaller, but each token takes {say(cache(llama2) / cache(llama), 'x')} the memory. After the weights, the cache is all that counts.",
        formula=f"({say(h100.memory.capacity - _small.reserve)} − {say(_small.weights)}) ÷ ({say(cache(llama2).to('kB'))} × 4,096) = **{users(llama2, h100, 4096)} users**",
        chart=lambda guess: charts.stack(
            {name: {"weights": now.weights.m_as("GB"), "users": now.paged_batch * now.sequence.m_as("GB"), "reserve": now.reserve.m_as("GB")} for name, now in _two.items()},
            x="Memory (GB)", limit=h100.memory.capacity.m_as("GB"), notes={name: f"{now.paged_batch:.0f} users" for name, now in _two.items()},
            title=f"The smaller model serves {users(llama2, h100, 4096)} users, the larger {users(llama, h100, 4096)}"),
    ))
    return (q3,)


@app.cell(hide_code=True)
def _(filled, full, h100, llama, q3, this, users):
    _full = h100.memory.capacity - filled(llama, h100).reserve
    (q4 := this.ask(
        4, f"Those {users(llama, h100, 4096)} users with 4,096 tokens fill the H100, and one step takes {say(full(h100, 4096))}. Instead, {users(llama, h100, 32768)} users with **32,768** tokens fill it. How long is a step?",
        unit="ms", after=q3, within=1.15,
        slips={
            "8 times the context takes 8 times as long": 8 * full(h100, 4096),
            "8 times fewer users are 8 times as quick": full(h100, 4096) / 8,
        },
    ).reveal(
        full(h100, 32768),
        why="A full chip reads everything that lies in its memory once a step, whoever owns it. So a full chip always takes as long as it takes to read itself.",
        formula=f"{say(_full)} ÷ {say(h100.memory.bandwidth)} = {say((_full / h100.memory.bandwidth).to('ms'))}; a little is left over: **{say(full(h100, 32768))}**",
    ))
    return (q4,)


@app.cell(hide_code=True)
def _(full, h100, h200, llama, q4, this, users):
    _contexts = [4096, 8192, 16384, 32768]
    (q5 := this.ask(
        5, f"An H200 is an H100 with more and faster memory: {say(h200.memory.capacity)} instead of {say(h100.memory.capacity)}, {say(h200.memory.bandwidth)} instead of {say(h100.memory.bandwidth)}. Filled with users of 32,768 tokens, how long is its step?",
        unit="ms", after=q4, within=1.1,
        why=["it holds more bytes for each byte a second", "more users need more operations", "larger memories are slower"],
        slips={
            "the bandwidth alone counts": full(h100, 32768) * (h100.memory.bandwidth / h200.memory.bandwidth),
            "a full chip is a full chip": full(h100, 32768),
            "the users alone count": full(h100, 32768) * (h200.memory.capacity / h100.memory.capacity),
        },
    ).reveal(
        full(h200, 32768), cause="it holds more bytes for each byte a second",
        why=f"The faster chip steps more slowly, because it holds more: {users(llama, h200, 32768)} users instead of {users(llama, h100, 32768)}. All together they still get "
        f"{say(users(llama, h200, 32768) / full(h200, 32768) * full(h100, 32768) / users(llama, h100, 32768), 'x')} the tokens a second.",
        chart=lambda guess: charts.lines(
            {chip.name: (_contexts, [full(chip, n).m_as("ms") for n in _contexts]) for chip in (h100, h200)},
            x="Context (tokens)", y="Step with full memory (ms)", log="x", guess=(32768, guess), title="A full chip takes as long as reading itself"),
        then="""
## Explore

How many heads share a key and a value is the model's design. Find the context at which **one** user with a key and a value for every head no longer fits beside the weights. How many users does the model have there as it is?
""",
    ))
    return (q5,)


@app.cell(hide_code=True)
def _(q5, this):
    this.wait(q5)
    context = mo.ui.slider(steps=[1024, 4096, 16384, 32768, 65536, 131072], value=4096, label="Context (tokens of each user)", show_value=True, full_width=True)
    heads = mo.ui.radio(["8 KV heads, as it is", "32 KV heads, one for every head", "1 KV head for all"], value="8 KV heads, as it is", label="Llama 3 8B with")
    mo.vstack([context, heads])
    return context, heads


@app.cell(hide_code=True)
def _(cache, context, h100, heads, llama, users):
    _model = llama.replace(kv_heads=int(heads.value.split()[0]))
    _each = cache(_model) * context.value
    _fit = users(_model, h100, context.value)
    mo.vstack([
        lesson.stats({"cache of one user": _each.to("GB"), "users that fit": str(_fit)}),
        mo.md(f"""
## A fallacy

**"At 128K tokens, the cache of one user fills an 80 GB chip."** With a key and a value for each of the 32 heads it is {say((cache(llama.replace(kv_heads=32)) * 131072).to('GB'))}, and {users(llama.replace(kv_heads=32), h100, 131072) or 'no'} such user fits beside the weights and the reserve.
With the 8 that this model has it is {say((cache(llama) * 131072).to('GB'))}: {users(llama, h100, 131072)} users fit. Ask for the number of KV heads before you believe such a sentence.
"""),
    ])
    return


@app.cell(hide_code=True)
def _(cache, filled, h100, llama, q5, this):
    _now, _token = filled(llama, h100), cache(llama).m_as("B")
    _room = (h100.memory.capacity - _now.reserve - _now.weights).m_as("B")
    alone, shared = _room // (3500 * _token), (_room - 3000 * _token) // (500 * _token)
    (q6 := this.ask(
        6, f"Every request starts with the same 3,000 tokens of instructions and adds 500 of its own; {alone:.0f} users of Llama 3 8B fit on the H100. Now the 3,000 are kept **once for all**. How many fit?",
        unit="users", after=q5,
        slips={"each user needs the whole of it": alone, "sharing saves half": 2 * alone},
    ).reveal(
        shared, why="Each further user costs 500 tokens instead of 3,500. (A step still reads the shared part once, if the software sees that it is shared.)",
        formula=f"(memory − weights − 3,000 tokens) ÷ 500 tokens = **{shared:,.0f}**, {say(shared / alone, 'x')} as many",
    ))
    return (q6,)


@app.cell(hide_code=True)
def _(cache, l4, q6, this, users):
    _qwen, _phi = Models.Language.Qwen2_5_7B, Models.Language.Phi3_mini
    (q7 := this.ask(
        7, f"A chip and a model not seen so far: an L4 ({say(l4.memory.capacity)}), 4,096 tokens each. {_qwen.name} has {_qwen.layers} layers with {_qwen.key_heads} KV heads of {_qwen.head_dim}, {_phi.name} has {_phi.layers} with {_phi.key_heads} of {_phi.head_dim}. Users of the first divided by users of the second?",
        unit="x", after=q6, because="It is so because",
        slips={"twice the parameters leave room for half the users": 0.5, "a cache is a cache": 1},
    ).reveal(
        users(_qwen, l4, 4096) / users(_phi, l4, 4096),
        why=f"{users(_qwen, l4, 4096)} users against {users(_phi, l4, 4096)}: the larger model leaves less room, but its token takes {say(cache(_qwen).to('kB'))} instead of {say(cache(_phi).to('kB'))}.",
    ))
    return (q7,)


@app.cell(hide_code=True)
def _(q1, q2, q3, q4, q5, q6, q7, this):
    this.close(q1, q2, q3, q4, q5, q6, q7)
    return


if __name__ == "__main__":
    app.run()
