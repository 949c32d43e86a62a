"""Checks this implementation against the vectors and its four programs against one another.

selfcheck.py --vectors FILE [--only NAME …]
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time

import selfcheck_devices
import selfcheck_jobs
import selfcheck_peers
import selfcheck_units
import selfcheck_vectors
from link import event
from selfcheck_programs import Programs

PARTS = (selfcheck_vectors, selfcheck_units, selfcheck_devices, selfcheck_jobs, selfcheck_peers)


async def main(args) -> int:
    with open(args.vectors) as file:
        vectors = json.load(file)
    checks = []
    for name, function in (one for part in PARTS for one in vars(part).items()):
        if name.startswith("vector_"):
            checks.append((name, lambda f=function: f(vectors)))
        elif name.startswith("unit_"):
            checks.append((name, function))
        elif name.startswith("job_"):
            checks.append((name, function))
    failed = 0
    for name, function in checks:
        if args.only and name not in args.only:
            continue
        began = time.monotonic()
        folder = tempfile.mkdtemp(prefix="second-")
        problem = None
        try:
            if name.startswith("job_"):
                programs = Programs(folder)
                try:
                    await asyncio.wait_for(function(programs), 180)
                finally:
                    await programs.close()
            else:
                function()
        except Exception as found:
            problem, failed = f"{type(found).__name__}: {found}", failed + 1
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        event("check", name=name, good=problem is None, problem=problem,
              seconds=round(time.monotonic() - began, 2))
    event("selfcheck", good=failed == 0, failed=failed)
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", required=True, metavar="FILE")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="only these checks")
    sys.exit(asyncio.run(main(parser.parse_args())))
