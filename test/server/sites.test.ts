import test from "ava";
import { BackupToolError } from "../../src/errors.js";
import { runRetention } from "../../src/server/jobs/retention.js";
import { openLog } from "../../src/server/log.js";
import { Sites } from "../../src/server/sites.js";
import { LocalStore } from "../../src/snapstore/local/store.js";
import { newFolder } from "../support/folders.js";
import { forgeStream } from "../support/stores/forged-streams.js";

const { signal } = new AbortController();
const HOUR = 3600;

test("a store with too many deltas to list is no reason not to start, and retention makes room", async (t) => {
  const config = { provider: "Local", container: newFolder(), prefix: "" } as const;
  const store = new LocalStore(config);
  const start = Math.floor(Date.now() / 1000) - 100 * HOUR;
  const lengths = Array(20).fill(1);
  for (const i of [0, 1, 2]) {
    const time = start + i * 30 * HOUR;
    await forgeStream(store, { first: 5 + 20 * i, time, lengths, every: HOUR, base: 10 });
  }
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  const destination = { config, minChunkBytes: 5 << 20, maxParallelChunks: 1 };
  const sites = new Sites({
    stores: () => ({ primary: destination, secondary: undefined }),
    changed: () => {},
    retries: { maxRetries: 0, backoffMs: 1 },
    guard: { check: () => {}, confirm: async () => {} },
    log: openLog({ format: "text", level: "info", colour: false, write }),
    maxDeltas: 45,
    onRecovered: () => {},
    onRetry: () => {},
  });
  await sites.open(signal);
  t.regex(lines.join(""), /primary store cannot be listed.*45 deltas.*snapshot delete Etcd-/s);
  for (let i = 0; i < 5; i++) await sites.check(sites.primary, signal);
  const { error } = sites.primary;
  t.true(error instanceof BackupToolError && error.code === "STORE_OVERFLOW");
  t.deepEqual(sites.usable, [sites.primary]);
  const rules = {
    policy: { kind: "limit-based", maxBackups: 1 },
    timeZone: "UTC",
    streamPeriodMs: 24 * HOUR * 1000,
    periodMs: HOUR * 1000,
    hasRules: () => true,
    waitMs: 0,
  } as const;
  await runRetention(sites.usable, rules, { signal, report: () => {} }, () => {});
  await sites.check(sites.primary, signal);
  t.is(sites.primary.error, undefined);
  t.is(sites.primary.listing?.streams.length, 2);
  await sites.close();
});
