import { InterruptedError, UsageError } from "../errors.js";
import { readInputFile } from "../files/input-file.js";
import { warnIfOpenToOthers } from "../files/secret-files.js";
import { quoted } from "../quoted.js";
import type { SettingsContext } from "./setting.js";
import type { newPassphraseSettings, passphraseSettings } from "./declarations.js";
import { settingVariable } from "./environment.js";
import type { Values } from "./kinds.js";
import { passphraseFromCommand } from "./passphrase-command.js";

/** Of the backup that is read or created, or of the backup that is made from another. */
export type PassphraseName = "passphrase" | "new-passphrase";

export type PassphraseValues = Partial<
  Values<typeof passphraseSettings & typeof newPassphraseSettings>
>;

type PassphraseContext = SettingsContext & Parameters<typeof passphraseFromCommand>[2];

/**
 * The bytes of a passphrase: from its command, its file or its variable; undefined without any of them.
 *
 * @throws UsageError, InterruptedError, BackupToolError `PASSPHRASE_COMMAND`
 */
export async function givenPassphrase(
  name: PassphraseName,
  values: PassphraseValues,
  context: PassphraseContext,
): Promise<Uint8Array | undefined> {
  const { [`${name}-command` as const]: command, [`${name}-file` as const]: file } = values;
  if (command !== undefined) {
    return await passphraseFromCommand(`${name}-command`, command, context);
  }
  if (file !== undefined) return await fromFile(file, context);
  const given = context.env[settingVariable(name)];
  return given === undefined ? undefined : Buffer.from(given);
}

async function fromFile(path: string, { signal, warn }: PassphraseContext): Promise<Uint8Array> {
  try {
    const bytes = await readInputFile(path, signal);
    warnIfOpenToOthers("the passphrase file", path, warn);
    return bytes;
  } catch (cause) {
    if (cause instanceof InterruptedError) throw cause;
    throw new UsageError(`the passphrase file ${quoted(path)} cannot be read`, {
      cause,
      hint: cause instanceof Error ? cause.message : undefined,
    });
  }
}
