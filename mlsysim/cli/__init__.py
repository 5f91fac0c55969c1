"""The command line: the course (`learn`), the solvers (`solve`, `eval`), and what they rest on.

Exit codes: 0 an answer, 1 an answer that is "no" (it does not fit; a value has no source),
2 a malformed question, 3 a system that breaks a constraint. A mistake costs one line.
"""

from __future__ import annotations

from mlsysim.cli import agents, course, decks, desk, entries, plot, step, system, validation
from mlsysim.cli.app import Console, app, main

app.command()(course.learn)
app.command(short_help="Can a grader read your answers.json?")(course.check)
app.command(short_help="One A4 page: the law, the walls, chips and models.")(course.cheatsheet)
app.command(cls=step.Command, short_help="Which wall binds one step of a model on a device?")(
    step.solve
)
app.command(short_help="Any solver by its name, with name=value arguments.")(step.run)
app.command(short_help="Which devices, how many, and what do they cost?")(desk.plan)
app.command(short_help="Why is one device, fleet or system faster than another?")(desk.why)
app.command(short_help="Several devices, fleets or systems in one table.")(desk.compare)
app.command(short_help="Every point of a space of designs, and the best of them.")(desk.search)
app.command(short_help="The roofline of devices as a picture or a page.")(plot.plot)
app.command("eval", short_help="Does a whole system work, and what would help?")(system.eval_)
app.command()(system.schema)
app.command()(system.import_model)
app.command(short_help="Every device, model, stack, grid, price, node and fabric.")(entries.zoo)
app.command(short_help="Does every value in the registries have a source?")(entries.audit)
app.command(short_help="The numbers that the decks print, recomputed.")(decks.figures)
app.command(short_help="How far off are the answers from measurements?")(validation.validate)
app.command(short_help="Measure this machine: a device and its stack.")(validation.measure)
app.command(short_help="Serve the solvers to an agent (the extra: mcp).")(agents.mcp)

__all__ = ["Console", "app", "main"]
