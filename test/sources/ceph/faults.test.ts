import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { InterruptedError } from "../../../src/errors.js";
import { CephCluster } from "../../../src/sources/ceph/cluster.js";
import { CephError } from "../../../src/sources/ceph/errors.js";
import { packNames } from "../../../src/sources/ceph/name-batch.js";
import { tellMonitors } from "../../support/ceph/client.js";
import { fateOf } from "../../support/ceph/fates.js";
import { NEVER, objectName, objectOf, STUCK } from "../../support/ceph/load.js";
import { DevCluster } from "../../support/servers/dev-cluster.js";
import { runProcess } from "../../support/program/processes.js";

const ENDINGS = fileURLToPath(new URL("../../support/ceph/endings.js", import.meta.url));
const NAMES = Array.from({ length: 2000 }, (_, i) => `object ${i}`);
const BATCH = packNames(NAMES.map(objectName));

let dev: DevCluster;
test.before(async () => {
  dev = await DevCluster.start(["faults"]);
  const cluster = await CephCluster.connect(dev.options(), NEVER);
  const pool = await cluster.openPool("faults");
  await pool.write(
    NAMES.map((name) => objectOf(name, { data: [Buffer.from(name)] })),
    NEVER,
  );
  await cluster.close();
});
test.after.always(() => dev?.down());

/** A process that waits for this cluster ends without a crash. */
async function endsSoon(t: ExecutionContext, ending: string, code: number): Promise<void> {
  const result = await runProcess(process.execPath, [ENDINGS, "faults", ending], { env: dev.env });
  t.deepEqual({ ...result, stdout: "" }, { code, signal: null, stdout: "", stderr: "" });
}

test.serial("with the OSD down, every call times out", async (t) => {
  const cluster = await CephCluster.connect(dev.options({ opTimeoutSeconds: 5 }), NEVER);
  const pool = await cluster.openPool("faults");
  t.teardown(() => dev.start("osd.0"));
  await dev.stop("osd.0");

  const write = await fateOf(pool.write([objectOf("new")], NEVER));
  t.true(write.error instanceof CephError && write.error.code === "CEPH_TIMEOUT");
  t.is(
    (write.error as CephError).message,
    'ceph: write "new" in pool "faults": no answer in time (ETIMEDOUT)',
  );
  t.regex((write.error as CephError).hint ?? "", /OSDs may be down, or the cluster or a pool full/);

  const remove = await fateOf(pool.remove(packNames([objectName("other")]), NEVER));
  t.is((remove.error as CephError).code, "CEPH_TIMEOUT");

  const listed = pool.list({ slices: 4, pageSize: 100, signal: NEVER });
  const list = await fateOf(listed.next());
  t.is((list.error as CephError).code, "CEPH_TIMEOUT");

  const { errno } = await pool.stat(packNames([objectName("object 0")]), NEVER);
  t.deepEqual([...errno], [-110]);

  const reads = pool.read([packNames([objectName("object 0")])], {
    memoryBytes: 8 << 20,
    signal: NEVER,
  });
  const { value } = await reads.next();
  t.is(value?.failures[0]?.error.errnoName, "ETIMEDOUT");
  await cluster.close();
});

test.serial("with the OSD down, an abort or a close ends calls at once", async (t) => {
  const cluster = await CephCluster.connect(dev.options(STUCK), NEVER);
  const pool = await cluster.openPool("faults");
  t.teardown(() => dev.start("osd.0"));
  await dev.stop("osd.0");

  // The OSD may still do these when it is back: on objects that no other test uses.
  const late = packNames(NAMES.map((name) => objectName(`late ${name}`)));
  const stop = new AbortController();
  const { signal } = stop;
  setMaxListeners(0, signal);
  const read = async (): Promise<void> => {
    for await (const _ of pool.read([BATCH], { memoryBytes: 64 << 20, signal })) t.fail();
  };
  const fates = [
    fateOf(read()),
    fateOf(pool.list({ slices: 8, pageSize: 100, signal }).next()),
    fateOf(
      pool.write(
        NAMES.map((name) => objectOf(`late ${name}`)),
        signal,
      ),
    ),
    fateOf(pool.stat(BATCH, signal)),
    fateOf(pool.remove(late, signal)),
  ];
  setTimeout(() => stop.abort(), 500);
  for (const { error } of await Promise.all(fates)) {
    t.true(error instanceof InterruptedError, `${error}`);
  }

  await endsSoon(t, "close while stuck", 0);
  await endsSoon(t, "exit while stuck", 7);

  const stat = fateOf(pool.stat(BATCH, NEVER));
  const close = await fateOf(cluster.close());
  t.is(close.error, undefined);
  t.true((await stat).error instanceof InterruptedError);
});

test.serial("with the monitor down, a connect times out, and an abort ends it", async (t) => {
  t.teardown(() => dev.start("mon.a"));
  await dev.stop("mon.a");
  const options = dev.options({ connectTimeoutSeconds: 2 });
  const { error } = await fateOf(CephCluster.connect(options, NEVER));
  t.is((error as CephError).code, "CEPH_CONNECT");
  t.regex((error as CephError).message, /as "client.admin" with ".*ceph.conf": no monitor answers/);
  t.regex((error as CephError).hint ?? "", /mon_host/);

  const stop = new AbortController();
  setTimeout(() => stop.abort(), 300);
  const aborted = await fateOf(CephCluster.connect(dev.options(STUCK), stop.signal));
  t.true(aborted.error instanceof InterruptedError);
  await endsSoon(t, "abort while connecting", 0);
  await endsSoon(t, "exit while connecting", 7);
});

test.serial("a listing of a pool that is removed meanwhile fails", async (t) => {
  await tellMonitors(
    { prefix: "osd pool create", pool: "brief", pg_num: 4, pool_type: "replicated", size: 1 },
    dev.env,
  );
  const cluster = await CephCluster.connect(dev.options(), NEVER);
  t.teardown(() => cluster.close());
  const pool = await cluster.openPool("brief");
  await pool.write(
    NAMES.map((name) => objectOf(name)),
    NEVER,
  );
  const listed = pool.list({ slices: 1, pageSize: 100, signal: NEVER });
  await listed.next();
  await tellMonitors(
    { prefix: "osd pool delete", pool: "brief", pool2: "brief", yes_i_really_really_mean_it: true },
    dev.env,
  );
  const rest = async (): Promise<void> => {
    for await (const _ of listed);
  };
  const { error } = await fateOf(rest());
  t.is((error as CephError).code, "CEPH_POOL_NOT_FOUND");
  t.regex((error as CephError).message, /"brief"/);
});

test.serial("a full cluster rejects writes at once; reads and removals succeed", async (t) => {
  // The OSD applies the highest of them.
  for (const level of ["nearfull", "backfillfull", "full"]) {
    await tellMonitors({ prefix: `osd set-${level}-ratio`, ratio: 0.00001 }, dev.env);
    t.teardown(() => tellMonitors({ prefix: `osd set-${level}-ratio`, ratio: 0.9 }, dev.env));
  }
  const cluster = await CephCluster.connect(dev.options(STUCK), NEVER);
  t.teardown(() => cluster.close());
  const pool = await cluster.openPool("faults");
  // The OSD reports to the monitors from time to time. Overwriting still succeeds when it is full.
  let error: unknown;
  for (let i = 0; i < 200 && error === undefined; i++) {
    const write = await fateOf(pool.write([objectOf(`more ${i}`, { data: [BATCH.bytes] })], NEVER));
    error = write.error;
    await sleep(100);
  }
  t.is((error as CephError).code, "CEPH_FULL");
  t.regex((error as CephError).hint ?? "", /ceph df/);
  const one = packNames([objectName("object 0")]);
  t.deepEqual([...(await pool.stat(one, NEVER)).size], [8]);
  t.deepEqual(await pool.remove(one, NEVER), [0]);
});
