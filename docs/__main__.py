"""Build the documentation.

python -m docs                 # into build/docs/site: open index.html, no server is needed
python -m docs --out FOLDER    # into FOLDER/site
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from docs.site import build

if __name__ == "__main__":
    about = argparse.ArgumentParser(prog="python -m docs", description="Build the documentation.")
    about.add_argument("--out", type=Path, default=Path("build/docs"), help="a folder to build in")
    try:
        made = build(about.parse_args().out)
    except RuntimeError as error:
        sys.exit(f"docs: {error}")
    sys.stdout.write(f"{made / 'index.html'}\n")
