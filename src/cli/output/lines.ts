import type {
  BackupDetails,
  ObjectPlace,
  OperationEvent,
  OriginalDetails,
} from "../../operations/events.js";
import { quoted } from "../../quoted.js";
import { formatSize } from "../../size-text.js";
import { checkLines } from "./check-lines.js";
import { counted } from "./quantities.js";
import type { EventLines } from "./event-lines.js";
import { printable } from "../../printable.js";
import { goDuration } from "./go-duration.js";
import { historyLines } from "./history-lines.js";
import { memberLines } from "./member-lines.js";
import { snapshotLines } from "./snapshot-lines.js";
import { statusLines } from "./status-lines.js";

const NOTHING: EventLines = {};

/** The lines of an event: those of the original tool, byte for byte, and those of this one. */
export function linesOf(event: OperationEvent): EventLines {
  switch (event.type) {
    case "keys-start":
      return out("generating (enc/dec)ryption keys from passphrase...");
    case "keys-done":
      return out(`done ${goDuration(event.elapsedMs)}`);
    case "key-slots": {
      const { file, slots, memoryKiB, passes } = event;
      const memory = formatSize(memoryKiB * 1024);
      const cost = `${memory} of memory and ${counted(passes, "pass", "passes")} of Argon2id`;
      const demand = counted(slots, "key slot asks", "key slots ask");
      return {
        err: [`warning: ${file}: its ${demand} for up to ${cost}, more than --kdf sensitive`],
      };
    }
    case "backup-opened":
      return { err: [openedLine(event)] };
    case "incremental-skipped":
      return out("skipping incremental metadata");
    case "ceph-skipped":
      return out("skipping ceph backup");
    case "etcd-skipped":
      return out("skipping etcd backup");
    case "pools":
      return out(
        `this backup will include ${event.pools.length} pools:`,
        ...event.pools.map(poolLine),
      );
    case "file-created":
      return out(`creating new file ${event.name}`);
    case "ceph-done": {
      const { included, unchanged, vanished, deleted } = event;
      const line = `CEPH DONE; included ${included} ceph objects (skipped ${unchanged} unchanged)`;
      return {
        out: [line],
        err: [
          ...note(vanished, "object was", "objects were", "deleted while the pools were read"),
          ...note(deleted, "object", "objects", "of the base no longer exist: recorded as deleted"),
        ],
      };
    }
    case "etcd-done":
      return {
        out: [`ETCD DONE; included ${event.included} etcd records`],
        err: note(event.deleted, "key", "keys", "of the base no longer exist: recorded as deleted"),
      };
    case "etcd-snapshot":
      return { err: [`raw snapshot of etcd: ${rawSnapshotText(event)}`] };
    case "inspected":
      return out(
        `archive contains ${event.objects} ceph objects and ${event.records} etcd records`,
        `the following ${event.pools.length} pools are referenced:`,
        ...event.pools.map(poolLine),
        ...(event.details === undefined ? [] : detailLines(event.details)),
        ...(event.original === undefined ? [] : originalLines(event.original)),
      );
    case "suspects": {
      const [one, other] = event.objects.map(objectPath);
      return {
        err: [`suspect: ceph objects ${one} and ${other} begin with the same ${event.bytes} bytes`],
      };
    }
    case "converted": {
      const { objects, records, unchanged, deleted } = event;
      return {
        out: [`CONVERT DONE; included ${objects} ceph objects and ${records} etcd records`],
        err: [
          ...note(unchanged, "object of the base was", "objects of the base were", "kept"),
          ...note(deleted, "key", "keys", "of the base no longer exist: recorded as deleted"),
        ],
      };
    }
    case "etcd-keys-deleted":
      if (event.dryRun) return out(`would delete ${counted(event.count, "etcd key", "etcd keys")}`);
      return {
        out: ["deleted etcd keys"],
        err: note(event.count, "etcd key was", "etcd keys were", "deleted"),
      };
    case "object-deleted": {
      const verb = event.dryRun ? "would delete" : "deleted";
      return out(`${verb} ceph object ${objectPath(event)}`);
    }
    case "cleared":
      return out("done");
    case "connecting-etcd":
      return out("connecting etcd");
    case "connecting-ceph":
      return out("connecting ceph");
    case "restored": {
      const { objects, skippedObjects, records } = event;
      return {
        out: [
          `Restore complete: restored ${objects} ceph objects, skipped ${skippedObjects} ceph objects and restored  ${records} etcd records`,
        ],
        err: [
          ...note(event.removedObjects, "object", "objects", "removed, as the backup says"),
          ...note(event.removedKeys, "etcd key", "etcd keys", "removed, as the backup says"),
          ...note(
            event.expiredRecords,
            "etcd record was",
            "etcd records were",
            "left out: their lease had expired, or --leases is drop",
          ),
        ],
      };
    }
    case "note":
      return { err: [event.message] };
    case "warning":
      return { err: [`warning: ${event.message}`] };
    case "missing":
      return { err: [`missing: ceph object ${objectPath(event)}: ${event.reason}`] };
    case "progress":
      return NOTHING;
    case "check":
    case "checked":
      return checkLines(event);
    case "status":
      return statusLines(event);
    case "etcd-history":
    case "etcd-goes-on":
    case "history-compacted":
    case "base-compared":
    case "delta-range":
    case "deltas-verified":
    case "etcd-snapshot-made":
    case "etcd-data-dir-made":
      return historyLines(event);
    case "etcd-cluster":
    case "etcd-quarantine":
    case "founder-restored":
    case "member-removed":
    case "member-added":
    case "member-settings":
    case "member-waiting":
    case "member-promoted":
    case "member-joined":
      return memberLines(event);
    default:
      return snapshotLines(event);
  }
}

/** Such as `revision 9, compacted at 4, 1.2 GiB (1288490188 bytes)`. */
function rawSnapshotText(snapshot: NonNullable<BackupDetails["etcdSnapshot"]>): string {
  const { revision, compactRevision, bytes } = snapshot;
  const compacted = compactRevision === 0 ? "" : `, compacted at ${compactRevision}`;
  return `revision ${revision}${compacted}, ${formatSize(bytes)} (${bytes} bytes)`;
}

function out(...lines: string[]): EventLines {
  return { out: lines };
}

/** `"pool"/"object"`, with the namespace between them where there is one. */
function objectPath({ pool, namespace, name }: ObjectPlace): string {
  const parts = namespace.length === 0 ? [pool, name] : [pool, namespace, name];
  return parts.map(quoted).join("/");
}

function openedLine(event: Extract<OperationEvent, { type: "backup-opened" }>): string {
  const { id, kind, startedAt, finishedAt, etcdRevision, bases } = event;
  const etcd = etcdRevision === undefined ? "without etcd" : `etcd revision ${etcdRevision}`;
  const below = bases.length === 0 ? "" : `, with ${counted(bases.length, "base", "bases")}`;
  return `backup ${id}: ${kind}, ${startedAt} to ${finishedAt}, ${etcd}${below}`;
}

function note(count: number, one: string, many: string, words: string): string[] {
  return count === 0 ? [] : [`${counted(count, one, many)} ${words}`];
}

/** As the original prints it; only names that could act on the terminal are quoted. */
function poolLine(pool: string): string {
  const safe = quoted(pool);
  return ` - ${safe === `"${pool}"` ? pool : safe}`;
}

function detailLines(details: BackupDetails): string[] {
  const { sealedBytes, plainBytes } = details;
  const ratio = plainBytes === 0 ? 1 : sealedBytes / plainBytes;
  const rows: (readonly [string, string])[] = [
    ["backup", details.id],
    ["kind", details.kind],
    ["base", details.base ?? "none"],
    ["started", details.startedAt],
    ["finished", details.finishedAt],
    ["etcd revision", details.etcdRevision === undefined ? "none" : String(details.etcdRevision)],
    ...(details.etcdSnapshot === undefined
      ? []
      : [["etcd database", rawSnapshotText(details.etcdSnapshot)] as const]),
    ["object data", `${formatSize(details.objectBytes)} (${details.objectBytes} bytes)`],
    ["tar", `${formatSize(plainBytes)} (${plainBytes} bytes)`],
    [
      "sealed",
      `${formatSize(sealedBytes)} (${sealedBytes} bytes) in ${details.files} files, ${(100 * ratio).toFixed(1)}% of the tar`,
    ],
    ["deletions", `${details.deletedObjects} objects, ${details.deletedKeys} keys`],
    ["made by", `backuptool ${details.toolVersion}`],
    [
      "checked",
      details.checked === "full"
        ? "every chunk, file, count and size"
        : "METADATA.bin and INDEX.bin only",
    ],
  ];
  // Times and the version are text that the writer of the backup chose.
  return table(rows.map(([name, value]) => [name, printable(value)] as const));
}

function originalLines({ files, sealedBytes, objectBytes }: OriginalDetails): string[] {
  return table([
    ["made by", "the original BTrDB backup tool"],
    ["object data", `${formatSize(objectBytes)} (${objectBytes} bytes)`],
    ["sealed", `${formatSize(sealedBytes)} (${sealedBytes} bytes) in ${files} files`],
    ["checked", "every frame"],
  ]);
}

function table(rows: readonly (readonly [string, string])[]): string[] {
  return rows.map(([name, value]) => `${`${name}:`.padEnd(15)} ${value}`);
}
