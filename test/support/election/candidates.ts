import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { newFolder } from "../folders.js";

const PROGRAM = fileURLToPath(new URL("candidate.js", import.meta.url));
const MOST_WAIT_MS = 120_000;

/** A leadership as its process has seen it, by the clock that all processes share, ns. */
interface Term {
  readonly identity: string;
  readonly first: bigint;
  readonly last: bigint;
}

/** Processes that campaign for one key. */
export class Candidates {
  readonly #ttlMs: number;
  readonly #log = join(newFolder(), "leaders");
  readonly #processes = new Map<string, ChildProcess>();

  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs;
  }

  start(identity: string, endpoint: string): void {
    const args = [PROGRAM, endpoint, "leader", identity, String(this.#ttlMs), this.#log];
    this.#processes.set(identity, spawn(process.execPath, args, { stdio: "inherit" }));
  }

  signal(identity: string, signal: NodeJS.Signals): void {
    this.#processes.get(identity)?.kill(signal);
  }

  stop(): void {
    for (const child of this.#processes.values()) child.kill("SIGKILL");
  }

  /** All leaderships, in the order in which they began. */
  get terms(): Term[] {
    const found = new Map<string, { first: bigint; last: bigint }>();
    if (!existsSync(this.#log)) return [];
    for (const line of readFileSync(this.#log, "utf8").trim().split("\n")) {
      const [name = "", time = "0"] = line.split(" ");
      const at = BigInt(time);
      const { first, last } = found.get(name) ?? { first: at, last: at };
      found.set(name, { first: at < first ? at : first, last: at > last ? at : last });
    }
    return [...found]
      .map(([name, times]) => ({ identity: name.split("-")[0] ?? "", ...times }))
      .sort((a, b) => (a.first < b.first ? -1 : 1));
  }

  /** Pairs of leaderships that held at the same time. */
  get overlaps(): [Term, Term][] {
    const { terms } = this;
    return terms.flatMap((one, i) => {
      const next = terms[i + 1];
      return next !== undefined && one.last >= next.first ? [[one, next] as [Term, Term]] : [];
    });
  }

  /** Resolves with who leads, once someone does since this call and is not one of `except`. */
  async nextLeader(except: readonly string[] = []): Promise<string> {
    const since = process.hrtime.bigint();
    const begun = performance.now();
    while (performance.now() - begun < MOST_WAIT_MS) {
      const found = this.terms.find(
        ({ identity, last }) => last > since && !except.includes(identity),
      );
      if (found !== undefined) return found.identity;
      await sleep(100);
    }
    throw new Error(
      `no process but ${except.join()} leads: ${readFileSync(this.#log, "utf8").slice(-500)}`,
    );
  }
}
