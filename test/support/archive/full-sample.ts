import { createHash } from "node:crypto";
import { object, record, type SampleContents } from "./sample.js";

/** Fixed bytes that do not compress. */
export function noise(seed: string, length: number): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; parts.length * 32 < length; i++) {
    parts.push(createHash("sha256").update(`${seed} ${i}`).digest());
  }
  return Buffer.concat(parts).subarray(0, length);
}

/** A sample of everything that a full backup can hold. */
export const FULL_CONTENTS: SampleContents = {
  objects: [
    object("empty", ""),
    object("noise", noise("noise", 1600)),
    object("with/attributes", "data", {
      xattrs: [[Buffer.from("user.a"), Buffer.from([0, 255])]],
      omapHeader: Buffer.from("header"),
      omap: [[Buffer.from("k1"), Buffer.from("v1")]],
    }),
    object("paged", "data", {
      omap: [[Buffer.from("k1"), Buffer.from("v1")]],
      omapPages: [[[Buffer.from("k2"), Buffer.from("v2")]], [[Buffer.from("k3"), Buffer.alloc(0)]]],
    }),
    object("changed", "at last", { torn: 1 }),
    object("same", "by locator", { locator: Buffer.from("left"), namespace: Buffer.from("one") }),
    object(Buffer.from([0xff, 0x00, 0x2f]), "no UTF-8", { pool: "other pool", mtime: -1n }),
  ],
  leases: [{ id: 0x7fffffffffffffffn, grantedTtl: 60 }],
  records: [
    record("a", "1"),
    record("b", "2", 0x7fffffffffffffffn),
    record("c", noise("record", 40).toString("hex")),
  ],
};
