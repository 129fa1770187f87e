"""A peer's side of the conversation: requests are lines on standard input, answers are lines of JSON.

A request is a number of calls and the name of a workload, as `5 mul 1e5`. The answer holds the seconds of each of these
calls, before which one goes untimed, and how far the results of the very first call were from the right ones.
To try a peer by hand: `echo "5 mul 1e5" | .bench-env/crypten/bin/python -m benchmarks.peers.crypten_peer`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable

# The seconds of each of so many calls of the workload of this name, and the error of the first results.
Measure = Callable[[str, int], tuple[list[float], float]]


def answer(measure: Measure) -> None:
    """Answer the requests on standard input until it ends."""
    # What the peer itself prints goes where errors go, so that only answers are on standard output.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        for request in sys.stdin:
            calls, _, name = request.strip().partition(" ")
            seconds, error = measure(name, int(calls))
            print(json.dumps({"seconds": seconds, "error": error}), file=answers, flush=True)
