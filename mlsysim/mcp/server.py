"""The protocol: tools and registry entries for one client over standard input and output.

Standard output belongs to the protocol, so nothing here prints.
"""

from __future__ import annotations

import json
from typing import Any

import anyio
from mcp import MCPError, stdio_server, types
from mcp.server import Server, ServerRequestContext

from mlsysim import __version__
from mlsysim.core.errors import MLSysError, UnknownName
from mlsysim.core.registry import LAYERS
from mlsysim.mcp.tools import Tool, catalog, tools

INSTRUCTIONS = """\
An analytical model of machine-learning systems: which wall binds, how long it takes, what it needs.
Write quantities with their unit ("80 GB", "50 ms", "400 g/kWh"); answers are {"value", "unit"}.
What does not fit is an answer: feasible is false and reason says why. A malformed question is an
error that says what would do. Names of models, devices and clusters come from zoo, and look_up
gives an entry's values, each with its source. Without a stack good to 2-5x: rank and bound
with it, and do not promise a latency. At a stack the notes say how far measurements lay.
"""
SCHEME, JSON = "mlsysim://", "application/json"
Context = ServerRequestContext[Any, Any]


def server() -> Server[Any]:
    """The server, over the registries as they are now."""
    table = tools()

    async def list_tools(_: Context, __: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_described(tool) for tool in table.values()])

    async def call_tool(_: Context, asked: types.CallToolRequestParams) -> types.CallToolResult:
        try:
            if asked.name not in table:
                raise UnknownName("tool", asked.name, table)
            found = table[asked.name].call(asked.arguments or {})
        except MLSysError as error:
            return types.CallToolResult(content=_text(str(error)), is_error=True)
        return types.CallToolResult(content=_text(_json(found)))

    async def list_resources(_: Context, __: Any) -> types.ListResourcesResult:
        entries = [(layer, name) for layer in LAYERS for name in sorted(catalog(layer))]
        resources = [
            types.Resource(name=name, uri=f"{SCHEME}{layer}/{name}", mime_type=JSON)
            for layer, name in entries
        ]
        return types.ListResourcesResult(resources=resources)

    async def read_resource(
        _: Context, asked: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        layer, _slash, name = asked.uri.removeprefix(SCHEME).partition("/")
        try:
            found = table["look_up"].call({"name": name, "layer": layer})
        except MLSysError as error:
            raise MCPError(types.INVALID_PARAMS, str(error)) from None
        contents = types.TextResourceContents(uri=asked.uri, text=_json(found), mime_type=JSON)
        return types.ReadResourceResult(contents=[contents])

    return Server(
        "mlsysim",
        version=__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_read_resource=read_resource,
    )


def _described(tool: Tool) -> types.Tool:
    hints = types.ToolAnnotations(read_only_hint=True, open_world_hint=False)
    return types.Tool(
        name=tool.name, description=tool.about, input_schema=tool.takes, annotations=hints
    )


def _json(found: Any) -> str:
    return json.dumps(found, allow_nan=False, separators=(",", ":"))


def _text(text: str) -> list[types.ContentBlock]:
    return [types.TextContent(text=text)]


def serve() -> None:
    """Serve one client until it hangs up."""
    anyio.run(_serve)


async def _serve() -> None:
    served = server()
    async with stdio_server() as (incoming, outgoing):
        await served.run(incoming, outgoing, served.create_initialization_options())
