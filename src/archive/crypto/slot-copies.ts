import { BackupToolError } from "../../errors.js";
import { type BackupFiles, withFile } from "../backup-files.js";
import { BackupKeys, type PassphraseKeys } from "./backup-keys.js";
import { ArchiveError } from "../errors.js";
import { INDEX_NAME, METADATA_NAME } from "../format.js";
import { encodePassphraseSlot, type Header, readHeader } from "../header.js";
import type { Manifest } from "../manifest/manifest.js";

interface SlotCopy {
  readonly file: string;
  readonly header: Header;
}

/**
 * Why no key slot of METADATA.bin opened. Every sealed file has a copy of the slots. Equal copies are not damaged, so the
 * passphrase is wrong. When a copy differs, one of the two is damaged: that of METADATA.bin if the other opens. The copy is
 * reported but not used: an attacker who changed the slots and the manifest may have changed more.
 */
export async function whyNotOpened(
  error: unknown,
  files: BackupFiles,
  manifest: Manifest,
  header: Header,
  passphrase: PassphraseKeys,
): Promise<unknown> {
  if (!(error instanceof BackupToolError)) return error;
  if (error.code !== "WRONG_PASSPHRASE" && error.code !== "NOT_ENOUGH_MEMORY") return error;
  const copies = await readCopies(files, manifest, header);
  const differing = copies.filter((copy) => !sameSlots(copy.header, header));
  const damagedSlot = ({ file, header: copy }: SlotCopy, what: string, hint: string) => {
    const message = `${differingSlot(header, copy)} is not the one of ${file}, ${what}`;
    return new ArchiveError("DAMAGED", message, { file: METADATA_NAME, cause: error, hint });
  };
  for (const copy of differing) {
    if (!(await opens(passphrase, copy.header, copy.file))) continue;
    const hint = "take METADATA.bin from another copy of the backup";
    return damagedSlot(copy, "which opens with this passphrase", hint);
  }
  const [other] = differing;
  if (other !== undefined) {
    const hint = "one of the two files is damaged; check the passphrase too";
    return damagedSlot(other, "and neither opens with this passphrase", hint);
  }
  if (error.code !== "WRONG_PASSPHRASE") return error;
  const [same] = copies;
  const hint =
    same === undefined
      ? "check the passphrase; if it is right, METADATA.bin is damaged: the backup has no other file to compare its key slots with"
      : `check the passphrase; the key slots are the same in ${same.file}, so damage is unlikely`;
  return new ArchiveError("WRONG_PASSPHRASE", "no key slot opens with this passphrase", {
    file: METADATA_NAME,
    cause: error.cause,
    hint,
  });
}

/** Headers of this backup in other files, as far as they can be read. */
async function readCopies(
  files: BackupFiles,
  manifest: Manifest,
  own: Header,
): Promise<SlotCopy[]> {
  const archives = manifest.files.filter(({ name }) => name.startsWith("ARCHIVE"));
  const names = [INDEX_NAME, archives[0]?.name, archives.at(-1)?.name];
  const copies: SlotCopy[] = [];
  for (const file of new Set(names)) {
    if (file === undefined) continue;
    try {
      const header = await withFile(files, file, (opened) => readHeader(opened, file));
      const id = Buffer.from(header.backupId);
      if (id.equals(own.backupId) || id.toString("hex") === manifest.id) {
        copies.push({ file, header });
      }
    } catch (error) {
      // A damaged or missing file says nothing about METADATA.bin.
      if (!(error instanceof ArchiveError)) throw error;
    }
  }
  return copies;
}

async function opens(passphrase: PassphraseKeys, header: Header, file: string): Promise<boolean> {
  try {
    await BackupKeys.open(passphrase, header, file);
    return true;
  } catch (error) {
    // The slot does not open, costs too much, or needs more memory than there is.
    if (error instanceof BackupToolError) return false;
    throw error;
  }
}

function sameSlots(one: Header, other: Header): boolean {
  return Buffer.compare(one.slotBytes, other.slotBytes) === 0;
}

/** Names the slot that differs, for messages. */
function differingSlot(own: Header, copy: Header): string {
  const [ours, theirs] = [own, copy].map(({ passphraseSlots }) =>
    passphraseSlots.map((slot) => Buffer.from(encodePassphraseSlot(slot)).toString("hex")),
  );
  const at = theirs?.findIndex((slot, i) => ours?.[i] !== undefined && ours[i] !== slot) ?? -1;
  return at < 0 ? "its list of key slots" : `its key slot ${at + 1}`;
}
