import { statSync } from "node:fs";
import { readInputFileSync } from "../../files/input-file.js";

/** A small file that others replace or rewrite at any time, such as a mounted secret. */
export class ChangingFile {
  readonly path: string;
  #version: string | undefined;

  constructor(path: string) {
    this.path = path;
  }

  /** The content at the first call, after each change and after an error; otherwise undefined. Throws Node's errors. */
  readIfChanged(): Buffer | undefined {
    const known = this.#version;
    this.#version = undefined;
    // Before the content: a change during the read is seen at the next call.
    const version = fileVersion(this.path);
    const content = version === known ? undefined : readInputFileSync(this.path);
    this.#version = version;
    return content;
  }
}

function fileVersion(path: string): string {
  const stats = statSync(path, { bigint: true });
  // A pipe can be read once.
  if (!stats.isFile()) return "pipe";
  const { dev, ino, size, mtimeNs, ctimeNs } = stats;
  return [dev, ino, size, mtimeNs, ctimeNs].join(":");
}
