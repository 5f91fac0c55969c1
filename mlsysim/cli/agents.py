"""The solvers for an agent: `mcp`."""

from __future__ import annotations

from mlsysim.cli.app import Folders
from mlsysim.core.errors import MLSysError


def mcp(folders: Folders = None) -> None:
    """Serve the solvers to an agent, over standard input and output (the extra: mcp).

    mlsysim mcp --registry mine
    """
    try:
        from mlsysim.mcp.server import serve
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "anyio"):
            raise
        raise MLSysError("it takes the MCP SDK, version 2: pip install 'mcp>=2'") from None
    serve()
