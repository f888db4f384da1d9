import { setMaxListeners } from "node:events";
import { ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import { FileThread } from "../../../src/threads/file-thread.js";
import { listSnapshots } from "../../../src/snapshots/catalog.js";
import { verifySnapshot } from "../../../src/snapshots/verify.js";
import type { SnapStore } from "../../../src/snapstore/store.js";
import { plainClient } from "./s3-buckets.js";

/** The content of a store, with every byte read. */
export interface Verdict {
  /** Names of intact snapshots. */
  readonly whole: string[];
  readonly unfinished: string[];
  /** Snapshots that look complete and are not, with the reason. */
  readonly lies: string[];
}

export async function judgeStore(store: SnapStore): Promise<Verdict> {
  const { signal } = new AbortController();
  // Each read adds a listener.
  setMaxListeners(0, signal);
  const verdict: Verdict = { whole: [], unfinished: [], lies: [] };
  const thread = new FileThread();
  try {
    for (const { name, state, problem } of await listSnapshots(store, signal)) {
      if (state === "unfinished") verdict.unfinished.push(name.text);
      if (state === "damaged") verdict.lies.push(`${name.text}: ${problem}`);
      if (state !== "complete") continue;
      const damages: string[] = [];
      await verifySnapshot(store, name.text, {
        selection: { kind: "all" },
        thread,
        signal,
        onProgress: () => {},
        onDamage: ({ file, reason }) => damages.push(`${name.text}/${file}: ${reason}`),
      });
      if (damages.length === 0) verdict.whole.push(name.text);
      verdict.lies.push(...damages);
    }
  } finally {
    await thread.close();
  }
  return verdict;
}

/** Keys of the unfinished uploads in a bucket. */
export async function openUploads(bucket: string, prefix = ""): Promise<string[]> {
  const client = plainClient();
  const command = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix });
  const { Uploads = [] } = await client.send(command);
  client.destroy();
  return Uploads.map(({ Key = "" }) => Key);
}
