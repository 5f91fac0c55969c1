"""The documentation: what is told in prose here, and what is read out of the code and its data.

`python -m docs` writes a site that loads nothing from elsewhere. Pages are made when it is built:
`reference` reads walls, equations, solvers and public names, `shelves` the registries, `doors`
commands and tools, `repository` what stands in the clone as Markdown.
"""
