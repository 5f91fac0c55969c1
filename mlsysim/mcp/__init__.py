"""The MCP server: the solvers as tools that an agent calls (`mlsysim mcp`).

A tool is a function of this package. Its input schema is read from the function's signature, whose
words are the vocabulary of `core.units` (`arguments`); its output schema from the fields of the
Result that it returns (`answers`). Arguments are checked where they always are, at the solver's
door, and a mistake comes back as a tool error with the sentence that a person would read. The
server reads the registries and no other file.
"""
