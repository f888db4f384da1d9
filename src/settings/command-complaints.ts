import { StringDecoder } from "node:string_decoder";
import { printable } from "../printable.js";

/** Longest output to pass on, characters. */
const MAX_CHARACTERS = 64 << 10;

/**
 * Passes on the standard error of a shell command at once, escaped and bounded. Lines of the shell itself are left out:
 * they quote the command, which may hold a secret.
 */
export class CommandComplaints {
  readonly #ofShell: string;
  readonly #write: (text: string) => void;
  readonly #decoder = new StringDecoder("utf8");
  #rest = "";
  #lineBegun = false;
  #room = MAX_CHARACTERS;

  /** @param shell the path it was started by, which its lines begin with */
  constructor(shell: string, write: (text: string) => void) {
    this.#ofShell = `${shell}: `;
    this.#write = write;
  }

  add(bytes: Buffer): void {
    const lines = (this.#rest + this.#decoder.write(bytes)).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#endLine(line);
    // A question has no line end. The beginning of a possible line of the shell waits for the rest.
    const { length } = this.#ofShell;
    if (this.#rest === "") return;
    if (!this.#lineBegun && this.#ofShell.startsWith(this.#rest.slice(0, length))) return;
    this.#pass(this.#rest);
    this.#rest = "";
    this.#lineBegun = true;
  }

  end(): void {
    const rest = this.#rest + this.#decoder.end();
    if (rest !== "" || this.#lineBegun) this.#endLine(rest);
    this.#rest = "";
  }

  #endLine(line: string): void {
    if (this.#lineBegun || !line.startsWith(this.#ofShell)) this.#pass(line, "\n");
    this.#lineBegun = false;
  }

  #pass(text: string, end = ""): void {
    if (this.#room <= 0) return;
    this.#room -= text.length + end.length;
    this.#write(`${printable(text)}${end}`);
  }
}
