"""The grader: reads answers as data, judges them against the solvers. See `python -m grading -h`.

No learner's code runs here, and no learner's text is evaluated: a file is opened with care
(`reading`), a number is read by a strict grammar, a unit is looked up in a list, and the truth is a
solver call (`checks`). What the questions are is public; what is hidden is each learner's variant.
"""
