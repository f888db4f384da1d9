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
  ["throw", "a callback that throws is an uncaught exception, and no other callback is lost"],
  ["throw at close", "callbacks that throw while the connection is closed are all called"],
  ["close", "a callback may close the connection, and every other is still called once"],
  ["start after close", "what is started after the close is answered with ECANCELED at once"],
  ["start from a callback", "a callback may start the next call"],
  ["lose the buffers", "buffers live until the operation on them is over"],
] as const) {
  test(claim, async (t) => {
    for (let run = 0; run < 3; run++) {
      const args = ["--expose-gc", PROGRAM, pools[0] ?? "", what];
      const { code, signal, stderr } = await runProcess(process.execPath, args);
      t.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: "" });
    }
  });
}
