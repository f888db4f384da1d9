"""Runs a command and prints, as JSON on standard error's last line, what it took.

    measure.py COMMAND…      wall and CPU in seconds, peak memory in bytes
"""
import json
import resource
import subprocess
import sys
import time

started = time.monotonic()
code = subprocess.run(sys.argv[1:]).returncode
wall = time.monotonic() - started
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"code": code, "wall": wall, "user": used.ru_utime, "system": used.ru_stime, "peak": used.ru_maxrss * 1024}), file=sys.stderr)
