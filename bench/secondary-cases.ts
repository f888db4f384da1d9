import { writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { Transform } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { env } from "../test/support/program/backuptool.js";
import { freePort } from "../test/support/servers/etcd-server.js";
import { emptyBucket, newBucket, storeFields } from "../test/support/stores/s3-buckets.js";
import type { Case, Scale } from "./cases.js";
import { fillPool } from "./fill.js";
import { measureTool, type ToolMeasure } from "./measure.js";

const LARGE_MIB = 4;
/** Few: what gets through is work for the same two cores. */
const MIDDLE_BYTES = 64 << 20;
/** Less than a hundredth of what the primary takes. */
const TRICKLE_BYTES = 512 << 10;

/** What a secondary that is of no use costs, beside create to the primary alone. */
export function secondaryCasesOf(folder: string, scale: Scale): Case[] {
  const megabytes = scale.largeObjects * LARGE_MIB;
  const ceph = ["--cephconf", env("CEPH_CONF"), "--keyring", env("CEPH_KEYRING_ADMIN")];
  const from = [...ceph, "--skip-etcd", "--include-pool", "btrdbhot", "--archive-size", "256MiB"];
  const credentials = join(folder, "secondary.json");
  const withStores = {
    env: {
      AWS_APPLICATION_CREDENTIALS_JSON: credentials,
      SECONDARY_AWS_APPLICATION_CREDENTIALS_JSON: credentials,
    },
    // The secondary is left behind.
    codes: [0, 3],
  };
  let bucket = "";
  const create = async (...second: string[]): Promise<ToolMeasure> => {
    const store = ["--store", `s3://${bucket}/first`];
    const measured = await measureTool(["create", ...store, ...second, ...from], withStores);
    await emptyBucket(bucket);
    return measured;
  };
  const beside = (what: string, secondary: () => Promise<Broken>): Case => ({
    name: `create with a secondary that ${what}`,
    unit: "MiB",
    goal: 1 / 1.1,
    peer: "primary alone",
    least: "seal",
    bytes: () => megabytes << 20,
    prepare: async () => {
      await fillPool("btrdbhot", scale.largeObjects, LARGE_MIB << 20);
      bucket = await newBucket();
      writeFileSync(credentials, JSON.stringify(storeFields()));
    },
    run: async () => {
      const alone = await create();
      const { endpoint, end } = await secondary();
      const place = ["--secondary-store", `s3://${bucket}/second`];
      const ours = await create(...place, "--secondary-store-endpoint-override", endpoint);
      end();
      const rate = megabytes / ours.wall;
      return { ours, ourRate: rate, wholeRate: rate, peerRate: megabytes / alone.wall };
    },
  });
  return [
    beside("refuses connections", async () => ({
      endpoint: `http://127.0.0.1:${await freePort()}`,
      end: () => {},
    })),
    beside("never answers", () => listening(() => {})),
    beside("hangs in the middle", () => listening(passing(MIDDLE_BYTES))),
    beside("takes a trickle", () => listening(passing(Number.POSITIVE_INFINITY, TRICKLE_BYTES))),
  ];
}

interface Broken {
  readonly endpoint: string;
  end(): void;
}

async function listening(serve: (outside: Socket) => void): Promise<Broken> {
  const open = new Set<Socket>();
  const server: Server = createServer((socket) => {
    open.add(socket.on("error", () => {}).on("close", () => open.delete(socket)));
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    end: () => {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}

/** Passes bytes on to radosgw: so many of all connections together, and so many a second. */
function passing(total: number, perSecond = Number.POSITIVE_INFINITY): (outside: Socket) => void {
  const { hostname, port } = new URL(env("S3_ENDPOINT"));
  let left = total;
  let free = performance.now();
  const pace = async (bytes: number): Promise<void> => {
    left -= bytes;
    if (left <= 0) await new Promise(() => {});
    if (perSecond === Number.POSITIVE_INFINITY) return;
    free = Math.max(free, performance.now()) + (1000 * bytes) / perSecond;
    await sleep(free - performance.now());
  };
  return (outside) => {
    const inside = connect(Number(port), hostname);
    const slow = new Transform({
      transform: (piece: Buffer, _encoding, done) =>
        void pace(piece.length).then(() => done(null, piece)),
    });
    outside.pipe(slow).pipe(inside).pipe(outside);
    inside.on("error", () => outside.destroy());
    outside.on("close", () => inside.destroy());
  };
}
