"""Runs a program on a pseudo-terminal in the place of the user.

Standard input is JSON: argv, env, merge (stdout on the terminal too), and steps, each with what to
expect on the terminal and then what to type or which signal to send. Standard output is JSON: the exit
code, the bytes of the terminal and of the program's standard output, and whether the terminal's settings
are the same as before.
"""
import base64, fcntl, json, os, pty, re, select, signal, struct, sys, termios, time

job = json.load(sys.stdin)
deadline = time.monotonic() + job["timeoutMs"] / 1000
master, slave = pty.openpty()
before = termios.tcgetattr(slave)
out_read, out_write = os.pipe()
child = os.fork()
if child == 0:
    os.setsid()
    os.close(master)
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    for fd, target in ((slave, 0), (slave if job["merge"] else out_write, 1), (slave, 2)):
        os.dup2(fd, target)
    os.closerange(3, 1000)
    os.execvpe(job["argv"][0], job["argv"], {**os.environ, **job["env"]})
os.close(out_write)

screen = b""
output = b""
streams = {master, out_read}

def take(wait):
    global screen, output
    ready, _, _ = select.select(list(streams), [], [], wait)
    for fd in ready:
        try:
            data = os.read(fd, 65536)
        except OSError:
            data = b""
        if fd == master:
            screen += data
        else:
            output += data
        if not data:
            streams.discard(fd)

seen = 0
failed = None
for step in job["steps"]:
    pattern = re.compile(step["expect"].encode())
    while True:
        found = pattern.search(screen, seen)
        if found:
            seen = found.end()
            break
        if time.monotonic() > deadline or master not in streams:
            failed = step["expect"]
            break
        take(0.1)
    if failed:
        break
    if "type" in step:
        os.write(master, step["type"].encode())
    if "signal" in step:
        os.kill(child, getattr(signal, step["signal"]))

code = None
while code is None:
    pid, status = os.waitpid(child, os.WNOHANG)
    if pid:
        code = os.waitstatus_to_exitcode(status)
    elif failed or time.monotonic() > deadline:
        failed = failed or "its end"
        os.kill(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    else:
        take(0.05)
after = termios.tcgetattr(slave)
os.close(slave)
while streams:
    take(1)
json.dump(
    {
        "code": code,
        "failed": failed,
        "screen": base64.b64encode(screen).decode(),
        "stdout": base64.b64encode(output).decode(),
        "restored": before == after,
    },
    sys.stdout,
)
