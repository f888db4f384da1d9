import { tmpdir } from "node:os";
import type { OperationContext } from "../../../src/operations/context.js";
import { type CreateOptions, createBackup } from "../../../src/operations/create/create.js";
import { PASSPHRASE } from "./backuptool.js";

/** Makes a backup in this process, so that a test can act on its events at once. */
export async function createHere(
  source: Partial<CreateOptions> & Pick<CreateOptions, "outputDir">,
  report: OperationContext["report"],
): Promise<void> {
  await createBackup(
    {
      includePools: [],
      skipPools: [],
      keepGoing: false,
      archiveSize: 1 << 30,
      compressionLevel: 1,
      kdf: "low-memory",
      etcdMode: "records",
      spoolDir: tmpdir(),
      toolVersion: "test",
      ...source,
    },
    {
      signal: new AbortController().signal,
      report,
      passphrase: async () => Buffer.from(PASSPHRASE),
    },
  );
}
