"""The places of a module that can be changed a little: `benchmarks.mutants` tries them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from mlsysim.core.errors import WrongUnit
from mlsysim.core.units import unit_of

SWAPS = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
}
EXTREMES = {"maximum": "minimum", "minimum": "maximum", "max": "min", "min": "max"}
WORDS = {"fp16": "int8", "decode": "prefill"}  # defaults that are words
UNITS = {"hour": "day", "day": "hour", "year": "day"}
NO_UNITS = {"min", "operations", "FLOPs"}  # names of methods and fields that read like units


class Site(NamedTuple):
    """A place that can be changed: bytes `start` to `end` of `file`, and what may stand there."""

    kind: str
    file: str
    within: str  # the function or class
    line: int
    start: int
    end: int
    options: tuple[str, ...]

    @property
    def room(self) -> str:
        """`equations`, `grading`; modules that stand beside the rooms are one room."""
        parts = self.file.split("/")
        return parts[0] if parts[0] == "grading" else parts[1] if len(parts) > 2 else "beside"


def sites_of(file: str, source: bytes) -> Iterator[Site]:
    """Every place of a module, except inside f-strings, docstrings and annotations."""
    reader = _Reader(source)
    reader.visit(ast.parse(source))
    for kind, within, line, start, end, options in reader.found:
        yield Site(kind, file, within, line, start, end, options)


class _Reader(ast.NodeVisitor):
    """Walks a module and notes places; positions are bytes, as in `ast`."""

    def __init__(self, source: bytes) -> None:
        self.source, self.starts = source, [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.found: list[tuple[str, str, int, int, int, tuple[str, ...]]] = []
        self.defaults: set[ast.expr] = set()
        self.within: list[str] = []

    def _span(self, node: Any) -> tuple[int, int]:
        first = self.starts[node.lineno - 1] + node.col_offset
        return first, self.starts[node.end_lineno - 1] + node.end_col_offset

    def _text(self, node: ast.expr) -> str:
        return self.source[slice(*self._span(node))].decode()

    def _note(self, kind: str, node: Any, *new: str, place: tuple[int, int] | None = None) -> None:
        self._add(kind, node.lineno, place or self._span(node), new)

    def _add(self, kind: str, line: int, place: tuple[int, int], new: tuple[str, ...]) -> None:
        self.found.append((kind, ".".join(self.within), line, *place, new))

    def _note_sign(self, kind: str, left: ast.expr, sign: Any, right: ast.expr) -> None:
        """The sign between two operands: not in a comment, nor in a bracket."""
        if swap := SWAPS.get(type(sign)):
            first = self._span(left)[1]
            between = self.source[first : self._span(right)[0]]
            between = re.sub(rb"#[^\n]*", lambda comment: b" " * len(comment[0]), between)
            start = first + between.index(swap[0].encode())
            line = left.end_lineno or left.lineno
            line += between[: start - first].count(b"\n")
            self._add(kind, line, (start, start + len(swap[0])), (swap[1],))

    def _definition(self, node: Any) -> None:
        self.within.append(node.name)
        self.generic_visit(node)
        self.within.pop()

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _definition  # noqa: N815 - ast calls them

    # ---- what is left out --------------------------------------------------------------------

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Positions inside f-strings are not those of the file."""

    def visit_Assign(self, node: ast.Assign) -> None:
        if ast.unparse(node.targets[0]) != "__all__":
            self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value:
            self.defaults.add(node.value)
            self.visit(node.value)

    def visit_arguments(self, node: ast.arguments) -> None:
        for default in filter(None, (*node.defaults, *node.kw_defaults)):
            self.defaults.add(default)
            self.visit(default)

    # ---- what is changed ---------------------------------------------------------------------

    def visit_BinOp(self, node: ast.BinOp) -> None:
        self._note_sign("+ - * /", node.left, node.op, node.right)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._note_sign("and/or", left, node.op, right)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for left, sign, right in zip(operands, node.ops, operands[1:], strict=False):
            self._note_sign("compare", left, sign, right)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            start = self._span(node)[0]
            self._note("dropped not", node, "", place=(start, start + len("not")))
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if len(node.body) == 1 and isinstance(node.body[0], ast.Raise) and not node.orelse:
            self._note("guard", node.test, "False")
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        body, test, other = map(self._text, (node.body, node.test, node.orelse))
        self._note("other branch", node, f"({other}) if ({test}) else ({body})")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        if name in EXTREMES:
            end = self._span(node.func)[1]
            self._note("max/min", node.func, EXTREMES[name], place=(end - len(name), end))
        if name == "where" and len(node.args) == 3:
            new = f"{self._text(node.args[2])}, {self._text(node.args[1])}"
            start, end = self._span(node.args[1])[0], self._span(node.args[2])[1]
            self._note("other branch", node.args[1], new, place=(start, end))
        for given in (*node.args, *(keyword.value for keyword in node.keywords)):
            self._note_unit(given)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        value, is_default = node.value, node in self.defaults
        if isinstance(value, bool):
            self._note("default" if is_default else "bool", node, str(not value))
        elif isinstance(value, (int, float)):
            new = (repr(n) for n in (value * 2, value + 1, value * 0) if n != value)
            self._note("default" if is_default else "number", node, *new)
        elif is_default and value in WORDS:
            self._note("default", node, f'"{WORDS[value]}"')
        elif is_default:
            self._note_unit(node)

    def _note_unit(self, node: ast.expr) -> None:
        if isinstance(node, ast.Constant) and (new := _other_unit(node.value)):
            self._note("unit", node, f'"{new}"')


def _other_unit(text: object) -> str | None:
    """Another unit of the same dimension, for a text that is a unit."""
    if not isinstance(text, str):
        return None
    for new in (UNITS.get(text, ""), text[1:], f"k{text}"):
        try:
            old, other = unit_of(text), unit_of(new)
        except WrongUnit:
            continue
        known = text not in NO_UNITS and not old.dimensionless
        if known and old != other and old.is_compatible_with(other):
            return new
    return None
