import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const PAGE = fileURLToPath(new URL("../../../../docs/etcd-recovery.md", import.meta.url));

/** Lines that are typed on one machine. */
export interface Block {
  readonly machine: string;
  /** Lines that end with a backslash are joined. */
  readonly commands: readonly string[];
}

/** A section of docs/etcd-recovery.md that is typed from its first block to its last. */
export interface Walk {
  readonly title: string;
  readonly blocks: readonly Block[];
}

/** Every section with blocks. A block follows a line such as `On m1:`. */
export function readWalks(): Walk[] {
  const [, ...sections] = readFileSync(PAGE, "utf8").split(/^## /m);
  return sections
    .map((text) => ({ title: text.split("\n")[0] ?? "", blocks: blocksOf(text) }))
    .filter(({ blocks }) => blocks.length > 0);
}

function blocksOf(section: string): Block[] {
  const found = section.matchAll(/^On (m\d)[^\n]*:\n\n((?: {4}.*\n|\n(?= {4}))+)/gm);
  return Array.from(found, ([, machine = "", body = ""]) => {
    const text = body.replace(/^ {4}/gm, "").replace(/\\\n\s*/g, "");
    return { machine, commands: text.split("\n").filter((line) => line.trim() !== "") };
  });
}

/** The ids of the machines in the table of the page. */
export function machineIds(): Map<string, string> {
  const rows = readFileSync(PAGE, "utf8").matchAll(/^\| (m\d) +\|.*\| `([0-9a-f]{32})` +\|$/gm);
  return new Map(Array.from(rows, ([, name = "", id = ""]) => [name, id]));
}
