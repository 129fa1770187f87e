"""Runs a snippet in a fresh interpreter that sees this checkout, and reads the JSON it prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def run_fresh(code: str, *arguments: str) -> Any:
    """Run `code` with `arguments` in a new process on one thread, and return its last line as JSON.

    Raises:
        RuntimeError: The process ended with an error; its standard error is in the message.
    """
    paths = [str(ROOT / "src"), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, *arguments]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise RuntimeError(f"a measuring process ended with {finished.returncode}:\n{finished.stderr}")
    return json.loads(finished.stdout.splitlines()[-1])
