import { argon2id, hash } from "argon2";
import { ArchiveError } from "./errors.js";
import { KEY_BYTES } from "./format.js";

/** Costs of Argon2id (RFC 9106). */
export interface KdfCost {
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
}

/** What `--kdf` offers. */
export const KDF_COSTS = {
  moderate: { memoryKiB: 256 << 10, passes: 3, lanes: 4 },
  sensitive: { memoryKiB: 1 << 20, passes: 4, lanes: 4 },
} as const satisfies Record<string, KdfCost>;

export type KdfName = keyof typeof KDF_COSTS;

/** What a hostile header can make a reader spend: twice the memory and passes of `sensitive`. */
export const KDF_CEILING: KdfCost = { memoryKiB: 2 << 20, passes: 8, lanes: 16 };

/** Throws DAMAGED for costs above the ceiling or below what RFC 9106 allows. */
export function checkKdfCost(cost: KdfCost, file: string): void {
  const within =
    cost.passes >= 1 &&
    cost.passes <= KDF_CEILING.passes &&
    cost.lanes >= 1 &&
    cost.lanes <= KDF_CEILING.lanes &&
    cost.memoryKiB >= 8 * cost.lanes &&
    cost.memoryKiB <= KDF_CEILING.memoryKiB;
  if (within) return;
  throw new ArchiveError(
    "DAMAGED",
    `its key slot asks for ${cost.memoryKiB} KiB of memory, ${cost.passes} passes and ${cost.lanes} lanes of Argon2id, outside of what this program accepts (${KDF_CEILING.memoryKiB} KiB, ${KDF_CEILING.passes}, ${KDF_CEILING.lanes})`,
    { file },
  );
}

/**
 * How often the slots of one header, which are tried one after the other, can all be tried before they ask for more
 * work than one slot may. Throws DAMAGED when it is not once.
 */
export function checkKdfCosts(costs: readonly KdfCost[], file: string): number {
  for (const cost of costs) checkKdfCost(cost, file);
  const ceiling = KDF_CEILING.memoryKiB * KDF_CEILING.passes;
  const sum = costs.reduce((sum, { memoryKiB, passes }) => sum + memoryKiB * passes, 0);
  if (sum <= ceiling) return Math.floor(ceiling / sum);
  throw new ArchiveError(
    "DAMAGED",
    `its ${costs.length} key slots together ask for ${sum} KiB of memory times passes of Argon2id, outside of what this program accepts (${ceiling})`,
    { file },
  );
}

/** The 32 byte key that opens a passphrase slot. Runs off the main thread. */
export async function derivePassphraseKey(
  passphrase: Uint8Array,
  salt: Uint8Array,
  cost: KdfCost,
): Promise<Uint8Array> {
  return hash(Buffer.from(passphrase), {
    type: argon2id,
    raw: true,
    salt: Buffer.from(salt),
    memoryCost: cost.memoryKiB,
    timeCost: cost.passes,
    parallelism: cost.lanes,
    hashLength: KEY_BYTES,
  });
}
