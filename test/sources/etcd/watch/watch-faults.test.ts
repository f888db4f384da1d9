import test, { type ExecutionContext } from "ava";
import { changesDigest } from "../../../../src/archive/delta/changes-digest.js";
import { ScriptedEtcd } from "../../../support/servers/scripted-etcd.js";
import { CollectedLog } from "../../../support/watch/collected-log.js";

type Options = Partial<Parameters<typeof CollectedLog.start>[1]>;
type Script = (send: Sender, startRevision: number) => void;

/** Sends answers of a watch. */
class Sender {
  constructor(
    readonly etcd: ScriptedEtcd,
    readonly call: {
      write(answer: object): boolean;
      end(): void;
      on(event: "drain", listener: () => void): unknown;
    },
  ) {}

  created(): this {
    return this.answer({ created: true });
  }

  /** A put of each revision. */
  puts(...revisions: number[]): this {
    return this.answer({ events: revisions.map((revision) => put(revision)) });
  }

  end(): void {
    this.call.end();
  }

  answer(answer: object): this {
    this.call.write(this.message([], answer));
    return this;
  }

  message(events: readonly object[], answer: object = {}): object {
    return { header: this.etcd.header, watch_id: "0", events, ...answer };
  }
}

function put(mod_revision: number, value = `${mod_revision}`, key = "key") {
  const kv = { key: Buffer.from(key), mod_revision, value: Buffer.from(value) };
  return { type: "Put", kv };
}

async function scripted(t: ExecutionContext, ...scripts: Script[]): Promise<ScriptedEtcd> {
  const etcd = await ScriptedEtcd.start();
  t.teardown(() => etcd.stop());
  let watches = 0;
  etcd.watch = (call, startRevision) => {
    const script = scripts[Math.min(watches++, scripts.length - 1)];
    script?.(new Sender(etcd, call), startRevision);
  };
  return etcd;
}

async function watch(
  t: ExecutionContext,
  etcds: ScriptedEtcd | readonly ScriptedEtcd[],
  options: Options = {},
): Promise<CollectedLog> {
  const endpoints = [etcds].flat().map(({ endpoint }) => endpoint);
  const log = await CollectedLog.start({ endpoints }, { after: 90, ...options });
  t.teardown(() => log.stop());
  return log;
}

const revisions = (log: CollectedLog) => log.revisions.map(({ revision }) => revision);

test("a hole that stays ends the watch, and nothing after it is handed over", async (t) => {
  const etcd = await scripted(t, (send) => send.created().puts(91, 92).puts(95));
  const log = await watch(t, etcd);
  const ended = await log.end();
  t.is(ended.reason, "hole");
  t.deepEqual(ended.hole, { from: 93, to: 94 });
  t.deepEqual(revisions(log), [91, 92]);
});

test("a hole of one stream alone is filled by the next", async (t) => {
  const starts: number[] = [];
  const etcd = await scripted(
    t,
    (send) => send.created().puts(91).puts(93),
    (send, start) => {
      starts.push(start);
      send.created().puts(91, 92, 93);
    },
  );
  const log = await watch(t, etcd);
  await log.until(93);
  t.deepEqual(revisions(log), [91, 92, 93]);
  t.deepEqual(starts, [91]);
});

test("revisions that come again are dropped, and with other changes they end the watch", async (t) => {
  const etcd = await scripted(t, (send) => {
    send.created().puts(91, 92).puts(92).puts(91, 92, 93).puts(93, 94);
    send.answer({ events: [put(93, "other")] });
  });
  const log = await watch(t, etcd);
  const ended = await log.end();
  t.is(ended.reason, "restored");
  t.regex(ended.message, /revision 93 has other changes/);
  t.deepEqual(revisions(log), [91, 92, 93, 94]);
});

test("one revision in several fragments is one revision, also when the stream breaks between them", async (t) => {
  const events = (...names: string[]) => ({ events: names.map((name) => put(92, name, name)) });
  const etcd = await scripted(t, (send) => {
    send
      .created()
      .puts(91)
      .answer({ fragment: true, ...events("a", "b") });
    send.etcd.watch = (call) =>
      new Sender(send.etcd, call)
        .created()
        .puts(91)
        .answer({ fragment: true, ...events("a") })
        .answer({ fragment: true, ...events("b", "c") })
        .answer(events("d"));
    setTimeout(() => send.end(), 100);
  });
  const log = await watch(t, etcd);
  await log.until(92);
  t.deepEqual(
    log.revisions.map(({ changes }) => changes.length),
    [1, 4],
  );
});

test("a stream of fragments that a member left open is not handed over in part", async (t) => {
  const etcd = await scripted(t, (send) => {
    send.created().answer({ fragment: true, events: [put(91, "a", "a")] });
  });
  etcd.revision = 90;
  const log = await watch(t, etcd, { limits: { checkMs: 50, stuckMs: 200 } });
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.deepEqual(revisions(log), []);
  etcd.revision = 91;
  t.is((await log.end()).reason, "stuck");
  t.deepEqual(revisions(log), []);
});

test("a watch that sends nothing of what etcd has is stuck, and the next endpoint is tried", async (t) => {
  const silent = await scripted(t, (send) => send.created().puts(91));
  const mute = await scripted(t, () => {});
  const good = await scripted(t, (send, start) => {
    send.created().puts(...Array.from({ length: 101 - start }, (_, i) => start + i));
  });
  const limits = { checkMs: 50, stuckMs: 200 };
  const log = await watch(t, [silent, mute, good], { limits });
  await log.until(100);
  t.deepEqual(
    revisions(log),
    Array.from({ length: 10 }, (_, i) => 91 + i),
  );
  t.is(log.problems.filter((problem) => /sends nothing after 91/.test(problem)).length, 2);
  const all = await watch(t, [silent, mute], { limits });
  t.is((await all.end()).reason, "stuck");
});

test("fragments are a sign of life, and a member that sends none is asked for whole answers", async (t) => {
  const divided: boolean[] = [];
  let sub = 0;
  const etcd = await scripted(
    t,
    (send) => {
      send.created();
      const timer = setInterval(() => {
        // Longer than a watch may be silent in all.
        if (++sub < 30) send.answer({ fragment: true, events: [put(91, "a", `${sub}`)] });
        else clearInterval(timer);
      }, 50);
    },
    (send) => send.created().puts(91),
  );
  const { watch: script } = etcd;
  etcd.watch = (call, start, fragment) => {
    divided.push(fragment);
    script(call, start, fragment);
  };
  etcd.revision = 91;
  const log = await watch(t, etcd, { limits: { checkMs: 20, stuckMs: 1000 } });
  await log.until(91);
  t.is(sub, 30);
  t.deepEqual(divided, [true, false]);
});

test("a consumer that is busy holds etcd back", async (t) => {
  let sent = 0;
  const etcd = await scripted(t, (send) => {
    send.created();
    const value = "x".repeat(1 << 20);
    const more = (): void => {
      while (sent < 300 && ++sent)
        if (!send.call.write(send.message([put(90 + sent, value)]))) break;
    };
    send.call.on("drain", more);
    more();
  });
  etcd.revision = 390;
  const log = await watch(t, etcd);
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  log.onBatch = () => held;
  let before = -1;
  // Until nothing more is sent.
  while (before !== sent) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 700));
  }
  t.true(sent > 0 && sent < 100, `${sent}`);
  release();
  await log.until(390);
  t.is(log.revisions.length, 300);
});

test("a watch without news is not stuck", async (t) => {
  const etcd = await scripted(t, (send) => send.created());
  etcd.revision = 90;
  const log = await watch(t, etcd, { limits: { checkMs: 20, stuckMs: 60 } });
  await new Promise((resolve) => setTimeout(resolve, 600));
  t.deepEqual(log.problems, []);
});

test("what etcd reads again at its compacted revision is not taken, for it may be a part", async (t) => {
  // As of a member that was compacted at 92 while it read, after its check.
  const etcd = await scripted(t, (send) => {
    etcd.compacted = 92;
    send.created().puts(91).puts(92);
  });
  const log = await watch(t, etcd);
  const ended = await log.end();
  t.is(ended.reason, "compacted");
  t.is(ended.compactRevision, 92);
  t.deepEqual(revisions(log), []);
});

test("live events are taken also when they are compacted at once", async (t) => {
  const etcd = await scripted(t, (send) => {
    send.etcd.revision = 91;
    send.created().puts(91);
    setTimeout(() => {
      etcd.compacted = 92;
      etcd.revision = 92;
      send.puts(92);
      // Long enough for etcd to have no more to catch up with, whatever the load.
    }, 1500);
  });
  etcd.revision = 90;
  const log = await watch(t, etcd);
  await log.until(92);
  t.deepEqual(revisions(log), [91, 92]);
});

test("a cancellation ends the watch when it is compacted, and is tried again otherwise", async (t) => {
  const etcd = await scripted(
    t,
    (send) => send.created().answer({ canceled: true, cancel_reason: "a whim" }),
    (send) => send.created().puts(91).answer({ canceled: true, compact_revision: "95" }),
  );
  const log = await watch(t, etcd);
  t.like(await log.end(), { reason: "compacted", compactRevision: 95 });
  t.regex(log.problems[0] ?? "", /canceled: a whim/);
  t.deepEqual(revisions(log), [91]);
});

test("an endpoint of another cluster is passed over while the others have the history", async (t) => {
  const foreign = await scripted(t, (send) => send.created().puts(91, 92));
  foreign.clusterId = "5";
  const good = await scripted(
    t,
    (send) => send.created().puts(91).end(),
    (send) => send.created().puts(91, 92),
  );
  const log = await watch(t, [good, foreign]);
  await log.until(92);
  t.deepEqual(revisions(log), [91, 92]);
  t.true(log.problems.some((problem) => /is of cluster 5, not 11/.test(problem)));
});

test("a member that becomes another cluster under the watch ends it", async (t) => {
  const etcd = await scripted(t, (send) => {
    send.created().puts(91);
    etcd.clusterId = "18";
    send.puts(92);
  });
  const log = await watch(t, etcd);
  t.is((await log.end()).reason, "restored");
  t.deepEqual(revisions(log), [91]);
});

test("a term of Raft that goes back is a restore, found by the reads beside an idle watch", async (t) => {
  const etcd = await scripted(t, (send) => send.created());
  etcd.revision = 90;
  const log = await watch(t, etcd, { limits: { checkMs: 20 } });
  await new Promise((resolve) => setTimeout(resolve, 100));
  etcd.raftTerm = 4;
  const ended = await log.end();
  t.is(ended.reason, "restored");
  t.regex(ended.message, /raft term is 4, after 5/);
});

for (const deleted of [true, false]) {
  const [what, then] = deleted ? ["deletion", "goes on"] : ["put", "ends"];
  test(`a log ${then} without its last revision after a compaction of a ${what}`, async (t) => {
    let first: Sender | undefined;
    const etcd = await scripted(
      t,
      (send) => {
        first = send.created();
        send.answer({ events: [{ ...put(91), type: deleted ? "Delete" : "Put" }] });
      },
      // As if the compaction had taken revision 91 away.
      (send) => send.created().puts(92),
    );
    const log = await watch(t, etcd);
    await log.until(91);
    etcd.compacted = 91;
    first?.end();
    if (deleted) await log.until(92);
    else t.is((await log.end()).reason, "restored");
    t.deepEqual(revisions(log), deleted ? [91, 92] : [91]);
  });
}

test("a log of which only a digest is known does not go on after a compaction of its last revision", async (t) => {
  const etcd = await scripted(t, (send) => send.created().puts(92));
  etcd.compacted = 91;
  const overlap = { digest: changesDigest([]), digestOf: changesDigest };
  const log = await watch(t, etcd, { after: 91, overlap });
  t.like(await log.end(), { reason: "compacted", compactRevision: 91 });
  t.deepEqual(revisions(log), []);
});
