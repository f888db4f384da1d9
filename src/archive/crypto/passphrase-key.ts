import { argon2id, hash } from "argon2";
import { BackupToolError } from "../../errors.js";
import { damaged } from "../errors.js";
import { KEY_BYTES } from "../format.js";

/** Costs of Argon2id (RFC 9106). */
export interface KdfCost {
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
}

/** The costs of `--kdf`. */
export const KDF_COSTS = {
  // For machines with little memory: the second choice of RFC 9106 (section 4).
  "low-memory": { memoryKiB: 64 << 10, passes: 3, lanes: 4 },
  moderate: { memoryKiB: 256 << 10, passes: 3, lanes: 4 },
  sensitive: { memoryKiB: 1 << 20, passes: 4, lanes: 4 },
} as const satisfies Record<string, KdfCost>;

export type KdfName = keyof typeof KDF_COSTS;

/** The most that a header can make a reader spend: twice the memory and passes of `sensitive`. */
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
  throw damaged(
    `its key slot asks for ${cost.memoryKiB} KiB of memory, ${cost.passes} passes and ${cost.lanes} lanes of Argon2id, outside of what this program accepts (${KDF_CEILING.memoryKiB} KiB, ${KDF_CEILING.passes}, ${KDF_CEILING.lanes})`,
    { file },
  );
}

/** What a derivation costs: KiB of memory times passes. */
export function kdfWork({ memoryKiB, passes }: KdfCost): number {
  return memoryKiB * passes;
}

/**
 * How many times all slots of one header can be tried within the work that one slot may cost. Throws DAMAGED when they
 * cannot be tried once.
 *
 * @param unproven work already spent on headers that are not known to be authentic
 */
export function checkKdfCosts(costs: readonly KdfCost[], file: string, unproven = 0): number {
  for (const cost of costs) checkKdfCost(cost, file);
  const ceiling = kdfWork(KDF_CEILING);
  const once = costs.reduce((sum, cost) => sum + kdfWork(cost), 0);
  if (once === 0) return 1;
  const sum = once + unproven;
  if (sum <= ceiling) return Math.floor((ceiling - unproven) / once);
  const before = unproven === 0 ? "" : `, after ${unproven} already spent`;
  throw damaged(
    `its ${costs.length} key slots together ask for ${sum - unproven} KiB of memory times passes of Argon2id${before}, outside of what this program accepts (${ceiling})`,
    { file },
  );
}

/** The cost of the key slots of a header, which are tried one after the other. */
export interface KdfDemand {
  /** File with the header. */
  readonly file: string;
  readonly slots: number;
  /** Of the largest slot. */
  readonly memoryKiB: number;
  /** Of all slots. */
  readonly passes: number;
}

/** Undefined when the slots cost no more than one of cost `sensitive`. */
export function unusualDemand(costs: readonly KdfCost[], file: string): KdfDemand | undefined {
  const { sensitive } = KDF_COSTS;
  const memoryKiB = Math.max(0, ...costs.map((cost) => cost.memoryKiB));
  const work = costs.reduce((sum, cost) => sum + kdfWork(cost), 0);
  if (memoryKiB <= sensitive.memoryKiB && work <= kdfWork(sensitive)) return undefined;
  const passes = costs.reduce((sum, cost) => sum + cost.passes, 0);
  return { file, slots: costs.length, memoryKiB, passes };
}

/** The 32 byte key that opens a passphrase slot. Runs off the main thread. Throws NOT_ENOUGH_MEMORY. */
export async function derivePassphraseKey(
  passphrase: Uint8Array,
  salt: Uint8Array,
  cost: KdfCost,
): Promise<Uint8Array> {
  try {
    return await hash(Buffer.from(passphrase), {
      type: argon2id,
      raw: true,
      salt: Buffer.from(salt),
      memoryCost: cost.memoryKiB,
      timeCost: cost.passes,
      parallelism: cost.lanes,
      hashLength: KEY_BYTES,
    });
  } catch (error) {
    throw isDenied(error) ? notEnoughMemory(cost, error) : error;
  }
}

/** Whether Argon2 got no memory, or no threads, which need memory too. Its errors have no codes. */
function isDenied(error: unknown): boolean {
  return (
    error instanceof Error && /^(Memory allocation error|Threading failure)$/.test(error.message)
  );
}

function notEnoughMemory({ memoryKiB, lanes }: KdfCost, cause: unknown): BackupToolError {
  const needed = `${Math.ceil(memoryKiB / 1024)} MiB`;
  return new BackupToolError(
    "NOT_ENOUGH_MEMORY",
    `Argon2id needs ${needed} of memory and ${lanes} threads to derive the key from the passphrase, and the system denied them`,
    { cause, hint: "raise the limit of this process (ulimit -v, a container's), or free memory" },
  );
}
