import { UsageError } from "../../errors.js";

/** A passphrase: the bytes of a file, of a variable, of typed text or of the output of a command. */
export interface Passphrase {
  /** The bytes for a new key slot. Undefined when the rule rejects the passphrase. */
  readonly form: Uint8Array | undefined;
  readonly rejection: UsageError | undefined;
  /** Other forms that earlier versions made of the same bytes: they open the backups of those versions. */
  readonly former: readonly Uint8Array[];
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
/**
 * Characters that cannot be typed, or not the same way again: controls, line separators, noncharacters and invisible
 * ones. Characters that this Unicode version does not know are among them: their NFC may change. The joiners are keys of
 * some keyboards.
 */
const UNTYPABLE =
  /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Cn}\u{FFF9}-\u{FFFD}]|(?![\u{200C}\u{200D}])\p{Default_Ignorable_Code_Point}/u;

/** Applies the rule for passphrases from any source: docs/format.md, "The bytes of a passphrase". */
export function passphraseOf(given: Uint8Array): Passphrase {
  const form = formOf(given);
  const rejection = form instanceof UsageError ? form : undefined;
  const present = form instanceof UsageError ? undefined : form;
  const former: Uint8Array[] = [];
  for (const bytes of [given, firstLine(given)]) {
    const same = (other: Uint8Array | undefined) =>
      other !== undefined && Buffer.compare(bytes, other) === 0;
    if (bytes.length > 0 && !same(present) && !former.some(same)) former.push(bytes);
  }
  return { form: present, rejection, former };
}

function formOf(given: Uint8Array): Uint8Array | UsageError {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(given);
  } catch {
    return isUtf16(given)
      ? new UsageError("the passphrase is UTF-16 text", { hint: "save it as UTF-8" })
      : new UsageError("the passphrase is not UTF-8 text", {
          hint: "write a key of random bytes as hexadecimal or base64 text",
        });
  }
  const line = text.replace(/\r?\n$/, "");
  if (line === "") return new UsageError("the passphrase is empty");
  if (line.includes("\n")) {
    return new UsageError("the passphrase has more than one line", {
      hint: "give one line; earlier versions took the first line of a file or a command",
    });
  }
  const untypable = UNTYPABLE.exec(line)?.[0].codePointAt(0);
  if (untypable !== undefined) {
    const point = untypable.toString(16).toUpperCase().padStart(4, "0");
    return new UsageError(
      `the passphrase contains U+${point}, a character that cannot be typed the same way`,
    );
  }
  return Buffer.from(line.normalize("NFC"));
}

function isUtf16([first, second]: Uint8Array): boolean {
  return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
}

/** The part of a file, or of the output of a command, that earlier versions used. */
function firstLine(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(LINE_FEED);
  const line = end < 0 ? bytes : bytes.subarray(0, end);
  return line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
}
