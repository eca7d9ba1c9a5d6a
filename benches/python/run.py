"""Runs one plan, which comes as JSON on standard input, and prints what it took as JSON."""

import json
import resource
import sys
import time

from models import LOOPS, MODELS, client, die_with_parent

if __name__ == "__main__":
    die_with_parent()
    order = json.load(sys.stdin)
    if order["model"] in LOOPS:
        client(order["plan"])
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    outcomes = MODELS[order["model"]](order["plan"])
    wall_s = time.perf_counter() - start
    at_start = {
        "cpu_s": before.ru_utime + before.ru_stime,
        "voluntary": before.ru_nvcsw,
        "involuntary": before.ru_nivcsw,
    }
    json.dump({"wall_s": wall_s, "at_start": at_start, "outcomes": outcomes}, sys.stdout)
