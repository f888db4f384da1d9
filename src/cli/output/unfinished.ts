import { stat } from "node:fs/promises";
import { join } from "node:path";
import { MANIFEST_NAME } from "../../archive/format.js";
import { BackupToolError, withHint } from "../../errors.js";
import type { OperationContext } from "../../operations/context.js";
import { quoted } from "../../quoted.js";
import { counted } from "./quantities.js";

/**
 * Runs `create` or `convert`. If it fails after its first file was begun, the error also says how far it came and what
 * to do with the folder and the snapshot.
 */
export async function adviseOnUnfinished<T>(
  folder: string | undefined,
  context: OperationContext,
  run: (context: OperationContext) => Promise<T>,
): Promise<T> {
  let begun = false;
  let snapshot: string | undefined;
  const read = { objects: 0, records: 0 };
  const report: OperationContext["report"] = (event) => {
    if (event.type === "file-created") begun = true;
    else if (event.type === "snapshot-begun") snapshot = event.snapshot;
    else if (event.type === "progress" && (event.unit === "objects" || event.unit === "records")) {
      read[event.unit] = event.done;
    }
    context.report(event);
  };
  const { signal, passphrase, stateFolder } = context;
  try {
    return await run({ signal, passphrase, stateFolder, report });
  } catch (error) {
    if (!begun || !(error instanceof BackupToolError)) throw error;
    const objects = counted(read.objects, "ceph object", "ceph objects");
    const records = counted(read.records, "etcd record", "etcd records");
    const left = [`${objects} and ${records} had been read`];
    if (folder !== undefined) {
      left.push(
        (await isWhole(folder))
          ? `the backup in ${quoted(folder)} is complete: keep that folder`
          : `the backup in ${quoted(folder)} is unfinished: remove that folder and create it again`,
      );
    }
    if (snapshot !== undefined) {
      left.push(
        `snapshot ${snapshot} is unfinished: backuptool snapshot prune-incomplete removes it`,
      );
    }
    throw withHint(error, { hint: left.join("; ") });
  }
}

/** The folder may be complete when a store fails at its last file. */
function isWhole(folder: string): Promise<boolean> {
  return stat(join(folder, MANIFEST_NAME)).then(
    (found) => found.isFile(),
    () => false,
  );
}
