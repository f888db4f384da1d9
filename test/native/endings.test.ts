import { fileURLToPath } from "node:url";
import test from "ava";
import { dropPools, makePools } from "../support/ceph/client.js";
import { runProcess } from "../support/program/processes.js";

const PROGRAM = fileURLToPath(new URL("../support/ceph/endings.js", import.meta.url));
const RUNS = 3;

let pools: string[] = [];
test.before(async () => {
  pools = await makePools(1);
});
test.after.always(() => dropPools(pools));

for (const [ending, code, said] of [
  ["exit", 7, /^$/],
  ["uncaught exception", 1, /Error: on purpose/],
  ["SIGTERM", null, /^$/],
  ["exit in a handler of SIGTERM", 9, /^$/],
  ["close", 0, /^$/],
  ["close and exit", 7, /^$/],
  ["nothing left to do", 0, /^$/],
  ["two connections, one closed", 7, /^$/],
  ["workers terminated", 0, /^$/],
  ["workers terminated beside a load", 0, /^$/],
  ["exit beside workers", 7, /^$/],
] as const) {
  test.serial(`no crash in the middle of thousands of operations: ${ending}`, async (t) => {
    for (let run = 0; run < RUNS; run++) {
      const end = await runProcess(process.execPath, [PROGRAM, pools[0] ?? "", ending]);
      t.is(end.code, code, end.stderr);
      t.is(end.signal, code === null ? "SIGTERM" : null);
      t.regex(end.stderr, said);
    }
  });
}
