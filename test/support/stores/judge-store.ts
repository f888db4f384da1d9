import { setMaxListeners } from "node:events";
import { ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import { FileThread } from "../../../src/threads/file-thread.js";
import { listSnapshots } from "../../../src/snapshots/catalog.js";
import { verifySnapshot } from "../../../src/snapshots/verify.js";
import type { SnapStore } from "../../../src/snapstore/store.js";
import { plainClient } from "./s3-buckets.js";

/** What a store holds, each byte of it read. */
export interface Verdict {
  /** Names of snapshots that are whole. */
  readonly whole: string[];
  readonly unfinished: string[];
  /** What looks complete and is not, and why. */
  readonly lies: string[];
}

export async function judgeStore(store: SnapStore): Promise<Verdict> {
  const { signal } = new AbortController();
  // Each file that is read listens.
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

/** Keys of the uploads that were begun in a bucket and neither completed nor aborted. */
export async function openUploads(bucket: string, prefix = ""): Promise<string[]> {
  const client = plainClient();
  const command = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix });
  const { Uploads = [] } = await client.send(command);
  client.destroy();
  return Uploads.map(({ Key = "" }) => Key);
}
