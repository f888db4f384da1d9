import { fileURLToPath } from "node:url";
import test from "ava";
import { dropPools, makePools } from "../support/ceph/client.js";
import { runProcess } from "../support/program/processes.js";

const PROGRAM = fileURLToPath(new URL("../support/ceph/callbacks.js", import.meta.url));

let pools: string[] = [];
test.before(async () => {
  pools = await makePools(1);
});
test.after.always(() => dropPools(pools));

for (const [what, claim] of [
  [
    "throw",
    "an exception of a callback is an uncaught exception, and all other callbacks are called",
  ],
  ["throw at close", "callbacks that throw during a close are all called"],
  ["close", "a callback may close the connection, and all others are called once"],
  ["start after close", "a call after the close ends with ECANCELED at once"],
  ["start from a callback", "a callback may start the next call"],
  ["lose the buffers", "buffers are kept until the operation on them is over"],
] as const) {
  test(claim, async (t) => {
    for (let run = 0; run < 3; run++) {
      const args = ["--expose-gc", PROGRAM, pools[0] ?? "", what];
      const { code, signal, stderr } = await runProcess(process.execPath, args);
      t.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: "" });
    }
  });
}
