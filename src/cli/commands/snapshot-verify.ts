import { UsageError } from "../../errors.js";
import { quoted } from "../../quoted.js";
import type { ReadSelection } from "../../snapshots/read-selection.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";
import { text, toggle } from "../flags.js";
import { chosenStore, eitherStoreGroups } from "../input/chosen-store.js";

export const snapshotVerify = command({
  argument: "[NAME|latest]",
  groups: {
    "What to check": {
      "read-data": { ...toggle, describe: "Read every file and check its SHA-256" },
      "read-data-subset": {
        ...text,
        describe: "Read some files: 5% at random, or 2/10, the second of ten groups",
      },
    },
    ...eitherStoreGroups,
  },
  examples: [
    ["$0 snapshot verify latest --store s3://bucket/prefix", "files and sizes of the newest"],
    [
      "$0 snapshot verify Full-00000000-00009002-1565021494 --store s3://bucket/prefix --read-data",
      "every byte of one",
    ],
    ["$0 snapshot verify latest --store s3://bucket/prefix --read-data-subset 5%", "a sample"],
  ],
  async run(args, session) {
    const { verifyStoredSnapshot } = await import("../../operations/snapshots/verify.js");
    const selection = readSelection(args["read-data"] === true, args["read-data-subset"]);
    const damaged = await verifyStoredSnapshot(
      {
        store: chosenStore(args, session),
        snapshot: String(args._[0] ?? "latest"),
        selection,
      },
      session,
    );
    return damaged === 0 ? ExitCode.done : ExitCode.damaged;
  },
});

function readSelection(all: boolean, subset: string | undefined): ReadSelection {
  if (subset === undefined) return { kind: all ? "all" : "none" };
  const [, percent] = /^(\d+(?:\.\d+)?)%$/.exec(subset) ?? [];
  if (percent !== undefined && Number(percent) > 0 && Number(percent) <= 100) {
    return { kind: "percent", percent: Number(percent) };
  }
  const [, slice, slices] = /^(\d+)\/(\d+)$/.exec(subset) ?? [];
  const [n, t] = [Number(slice), Number(slices)];
  if (n >= 1 && n <= t) return { kind: "slice", slice: n, slices: t };
  throw new UsageError(`--read-data-subset ${quoted(subset)} is neither a share nor a group`, {
    hint: "write 5%, or 2/10 for the second of ten groups",
  });
}
