"""Runs a command and prints, as JSON on standard error's last line, what it took.

    measure.py [--since TEXT] COMMAND…      wall and CPU in seconds, peak memory in bytes

With --since, `work` and `workCpu` count from the first line of output that begins with TEXT, or from the start.
"""
import json
import os
import resource
import subprocess
import sys
import time


def cpu_of(pid):
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


command = sys.argv[1:]
since = command[1] if command[0] == "--since" else None
started = time.monotonic()
if since is None:
    code = subprocess.run(command).returncode
else:
    mark = None
    child = subprocess.Popen(command[2:], stdout=subprocess.PIPE)
    for line in child.stdout:
        if mark is None and line.startswith(since.encode()):
            mark = time.monotonic(), cpu_of(child.pid)
    code = child.wait()
ended = time.monotonic()
used = resource.getrusage(resource.RUSAGE_CHILDREN)
measured = {"code": code, "wall": ended - started, "user": used.ru_utime, "system": used.ru_stime, "peak": used.ru_maxrss * 1024}
if since is not None:
    if mark is None: sys.exit(f"no line of the output begins with {since!r}")
    marked, before = mark
    measured |= {"work": ended - marked, "workCpu": used.ru_utime + used.ru_stime - before}
print(json.dumps(measured), file=sys.stderr)
