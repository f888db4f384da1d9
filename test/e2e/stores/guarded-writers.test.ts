import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { S3Store } from "../../../src/snapstore/s3/store.js";
import { ForgettingProxy } from "../../support/network/forgetting-proxy.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newBucket, s3Config } from "../../support/stores/s3-buckets.js";

const WRITER = fileURLToPath(new URL("../../support/election/guarded-writer.js", import.meta.url));
const TTL_MS = "4000";

/** Two leaders with a store on radosgw; what each has written. */
async function writers(t: ExecutionContext) {
  const etcd = await EtcdServer.start();
  const bucket = await newBucket();
  const store = new S3Store(s3Config(bucket));
  const children: ChildProcess[] = [];
  t.teardown(async () => {
    for (const child of children) child.kill("SIGKILL");
    await store.close();
    await etcd.stop();
  });
  const start = (identity: string, endpoint = etcd.endpoint): ChildProcess => {
    const args = [WRITER, endpoint, identity, TTL_MS, bucket];
    const child = spawn(process.execPath, args, { stdio: "inherit" });
    children.push(child);
    return child;
  };
  const written = async (identity: string): Promise<number> => {
    let count = 0;
    let cursor: string | undefined;
    do {
      const page = await store.list(`${identity}/`, { cursor });
      count += page.objects.length;
      cursor = page.next;
    } while (cursor !== undefined);
    return count;
  };
  const writes = async (identity: string): Promise<void> => {
    const before = await written(identity);
    while ((await written(identity)) <= before + 2) await sleep(200);
  };
  return { etcd, start, written, writes };
}

test("a leader that is stopped, and continued when another one writes, writes at most what it had sent", async (t) => {
  const { start, written, writes } = await writers(t);
  const one = start("one");
  await writes("one");
  const other = start("other");
  one.kill("SIGSTOP");
  await writes("other");
  const before = await written("one");
  one.kill("SIGCONT");
  await writes("other");
  const after = await written("one");
  // The call that was under way.
  t.true(after <= before + 1, `${before}, then ${after}`);
  other.kill("SIGKILL");
  await writes("one");
});

test("a leader that has lost etcd writes nothing more once another one writes", async (t) => {
  const { etcd, start, written, writes } = await writers(t);
  const proxy = await ForgettingProxy.start(etcd.endpoint);
  t.teardown(() => proxy.close());
  start("one", proxy.endpoint);
  await writes("one");
  start("other");
  proxy.forgetsNew = true;
  proxy.forget();
  await writes("other");
  const before = await written("one");
  await writes("other");
  t.is(await written("one"), before);
});
