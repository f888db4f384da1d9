import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { basename, dirname, join, resolve } from "node:path";
import { UsageError } from "../errors.js";
import { quoted } from "../quoted.js";

/**
 * Holds a path of this machine, which need not exist, for one process at a time. The lock is a socket in Linux's abstract
 * namespace: the kernel releases it however the process ends, and no file is left.
 *
 * @throws UsageError when another process holds it
 */
export async function lockPath(path: string): Promise<{ release(): Promise<void> }> {
  const full = resolve(path);
  const name = join(await realpath(dirname(full)), basename(full));
  const server = createServer((socket) => socket.destroy());
  const digest = createHash("sha256").update(name).digest("hex").slice(0, 32);
  try {
    await listening(server, `\0backuptool-lock-${digest}`);
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE")) throw cause;
    throw new UsageError(`another process works on ${quoted(path)}`, {
      cause,
      hint: "wait until it has ended",
    });
  }
  server.unref();
  return { release: () => new Promise((done) => server.close(() => done())) };
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolved, rejected) => {
    server.once("error", rejected);
    server.listen(path, () => resolved());
  });
}
