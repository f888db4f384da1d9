import type { StoreConfig } from "../../snapstore/config.js";
import type { EtcdOptions } from "../../sources/etcd/cluster.js";
import type { OperationContext } from "../context.js";
import type { SpoolSettings } from "../create/raw-snapshot.js";
import { type CephChecks, checkCeph } from "./ceph.js";
import { AreaChecks, type Check } from "./check.js";
import { checkEtcd } from "./etcd.js";
import { checkFolder } from "./folder.js";
import { inOrder, type Part } from "./in-order.js";
import { checkStore } from "./store.js";

const OLDEST_NODE = [20, 19] as const;

interface DoctorOptions extends SpoolSettings {
  readonly toolVersion: string;
  /** Undefined: left out. */
  readonly etcd: EtcdOptions | undefined;
  readonly ceph: CephChecks | undefined;
  /** Where a backup would be written; undefined when it goes to a store alone. */
  readonly outputDir: string | undefined;
  /** Each throws when the settings are not those of a store; undefined where no setting names one. */
  readonly primary: (() => StoreConfig) | undefined;
  readonly secondary: (() => StoreConfig) | undefined;
}

/** Checks everything that a backup needs; resolves with the number of failed checks. */
export async function examine(
  options: DoctorOptions,
  { signal, report }: Pick<OperationContext, "signal" | "report">,
): Promise<number> {
  const counts = { ok: 0, warning: 0, failed: 0, skipped: 0 };
  await inOrder(areasOf(options, signal), (check) => {
    counts[check.state]++;
    report({ type: "check", ...check });
  });
  const { ok, warning, failed, skipped } = counts;
  report({ type: "checked", ok, warnings: warning, failed, skipped });
  return failed;
}

function areasOf(options: DoctorOptions, signal: AbortSignal): Part<Check>[] {
  const { etcd, ceph, outputDir, toolVersion, spoolDir } = options;
  const area =
    (name: string, run: (checks: AreaChecks) => Promise<void>): Part<Check> =>
    (report) =>
      run(new AreaChecks(name, report));
  const areas = [area("program", async (checks) => checkProgram(checks, toolVersion))];
  areas.push(
    ceph === undefined
      ? leftOut("ceph", "skip-ceph")
      : area("ceph", (checks) => checkCeph(checks, ceph, signal)),
    etcd === undefined
      ? leftOut("etcd", "skip-etcd")
      : area("etcd", (checks) => checkEtcd(checks, etcd, { spoolDir }, signal)),
  );
  if (outputDir !== undefined) {
    areas.push(area("folder", (checks) => checkFolder(checks, outputDir, signal)));
  }
  const places: Promise<string | undefined>[] = [];
  for (const role of ["primary", "secondary"] as const) {
    const configure = options[role];
    if (configure === undefined) continue;
    areas.push(
      area(`${role} store`, async (checks) => {
        const place = checkStore(checks, configure, signal);
        places.push(place);
        await place;
      }),
    );
  }
  areas.push(area("stores", (checks) => comparePlaces(checks, places)));
  return areas;
}

function leftOut(area: string, setting: string): Part<Check> {
  return async (report) => {
    report({ area, name: "all", state: "skipped", detail: "left out", settings: [setting] });
  };
}

/** This program, and the Node that runs it. */
function checkProgram(checks: AreaChecks, toolVersion: string): void {
  const { versions, platform, arch } = process;
  checks.ok("version", `backuptool ${toolVersion} on ${platform} ${arch}`);
  const [major = 0, minor = 0] = versions.node.split(".").map(Number);
  const [oldest, oldestMinor] = OLDEST_NODE;
  if (major > oldest || (major === oldest && minor >= oldestMinor)) {
    checks.ok("node", versions.node);
  } else {
    checks.failed("node", versions.node, `install Node ${OLDEST_NODE.join(".")} or later`);
  }
}

/** Checks that the secondary store is not in the place of the primary. */
async function comparePlaces(
  checks: AreaChecks,
  places: readonly Promise<string | undefined>[],
): Promise<void> {
  const [one, other] = await Promise.all(places);
  if (one === undefined || one !== other) return;
  checks.failed(
    "places",
    "primary and secondary are the same place",
    "keep the second copy elsewhere",
  );
}
