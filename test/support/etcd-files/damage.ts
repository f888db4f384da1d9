import type { SeededChoice } from "../seeded-choice.js";

const PAGE = 4096;
const EDGES = [0, 1, 2, 3, 0xff, 0xfff, 0xffff, 0x7fffffff, 0xffffffff];

/** Changes a few bytes of a database: at random, and where they mean most. Checksums of the metas are made right again. */
export function damage(bytes: Buffer, choice: SeededChoice): string {
  const done: string[] = [];
  for (let i = choice.below(4); i >= 0; i--) done.push(damageOnce(bytes, choice));
  return done.join(", ");
}

function damageOnce(bytes: Buffer, choice: SeededChoice): string {
  const pages = Math.floor(bytes.length / PAGE);
  const page = choice.below(pages) * PAGE;
  const count = Math.min(bytes.readUInt16LE(page + 10), 200);
  const element = page + 16 + 16 * choice.below(Math.max(1, count));
  switch (choice.below(8)) {
    case 0: {
      const at = choice.below(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << choice.below(8));
      return `a bit at ${at}`;
    }
    case 1:
      bytes.writeUInt16LE(choice.of([1, 2, 4, 16, choice.below(0x10000)]), page + 8);
      return `the kind of page ${page / PAGE}`;
    case 2:
      bytes.writeUInt16LE(choice.of([0, 1, count + 1, 0xffff, choice.below(0x10000)]), page + 10);
      return `the count of page ${page / PAGE}`;
    case 3:
      bytes.writeUInt32LE(anyNumber(choice, pages), page + 12);
      return `the length of page ${page / PAGE}`;
    case 4: {
      const field = element + 4 * choice.below(4);
      bytes.writeUInt32LE(anyNumber(choice, pages), field);
      return `an element of page ${page / PAGE} at ${field}`;
    }
    case 5: {
      bytes.copy(bytes, page, PAGE * choice.below(pages), PAGE * (1 + choice.below(pages)));
      if (page >= 2 * PAGE) bytes.writeUInt32LE(page / PAGE, page);
      return `page ${page / PAGE} is another one`;
    }
    case 6: {
      bytes.writeUInt32LE(choice.below(pages), element + 8);
      bytes.writeUInt32LE(0, element + 12);
      return `an element of page ${page / PAGE} leads elsewhere`;
    }
    default: {
      // Both metas, so that the change counts.
      const field = choice.of([8, 16, 32, 40, 48]);
      const value = anyNumber(choice, pages);
      for (const meta of [16, PAGE + 16]) {
        bytes.writeUInt32LE(value, meta + field);
        bytes.writeBigUInt64LE(fnv1a(bytes.subarray(meta, meta + 56)), meta + 56);
      }
      return `field ${field} of the metas is ${value}`;
    }
  }
}

function anyNumber(choice: SeededChoice, pages: number): number {
  return choice.of([choice.below(pages), choice.of(EDGES), choice.below(2 ** 32)]);
}

function fnv1a(bytes: Buffer): bigint {
  return bytes.reduce(
    (hash, byte) => BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n),
    0xcbf29ce484222325n,
  );
}
