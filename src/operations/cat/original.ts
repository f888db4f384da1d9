import { CborWriter } from "../../archive/cbor.js";
import { type OriginalBackup, recordOf } from "../../archive/original/original-backup.js";
import { encodeRecord } from "../../archive/records.js";
import { TAR_END } from "../../archive/tar/tar-header.js";
import type { OperationContext } from "../context.js";
import { reportFindings, writeOriginalObject } from "../open/original-objects.js";
import { TarOutput, writeTo } from "./tar-output.js";

/** Writes an archive of the original tool as a tar of this format. */
export async function catOriginal(
  backup: OriginalBackup,
  output: NodeJS.WritableStream,
  context: OperationContext,
): Promise<{ complete: boolean }> {
  const { report, signal } = context;
  const out = new TarOutput(output, signal);
  const batch = new CborWriter();
  for (const message of backup.summary.gaps) report({ type: "warning", message });
  for (let number = 0; number < backup.summary.archives.length; number++) {
    for await (const item of backup.items(number, { signal })) {
      if (item.kind === "object") {
        if (item.occurrence === "first") await writeOriginalObject(out, item, item.mtime ?? 0n);
      } else {
        for (const page of item.pages) {
          batch.reset();
          for (const pair of page) encodeRecord(batch, recordOf(pair));
          out.records(batch.view());
        }
      }
      await out.ready();
    }
  }
  await writeTo(output, TAR_END, signal);
  const whole = await reportFindings(backup, report);
  return { complete: backup.summary.gaps.length === 0 && whole };
}
