"""`python -m grading -h`: the grader's commands, one a process."""

from __future__ import annotations

import gc
import os
import sys

if __name__ == "__main__":
    gc.disable()  # what a command reads it keeps to the end, and a judge has its own process
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # no matrix is large here, and threads spin
    from grading.commands import main

    code = main()
    gc.freeze()  # or all of it is searched once more
    sys.exit(code)
