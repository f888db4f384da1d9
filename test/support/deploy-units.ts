import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const UNITS = fileURLToPath(new URL("../../../deploy/systemd/", import.meta.url));

/** The values of `name=value` lines of a unit or a drop-in, in their order. */
export function valuesInUnit(text: string, name: string): string[] {
  return [...text.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].map(([, value = ""]) => value);
}

/** The drop-ins of a service, those for a prefix of its name included, in the order in which systemd reads them. */
export function dropInsOf(service: string): string[] {
  const base = service.replace(/\.service$/, "");
  const folders = [`${service}.d`];
  for (let at = base.indexOf("-"); at >= 0; at = base.indexOf("-", at + 1)) {
    folders.push(`${base.slice(0, at + 1)}.service.d`);
  }
  const all = readdirSync(UNITS);
  return folders
    .filter((folder) => all.includes(folder))
    .flatMap((folder) => readdirSync(join(UNITS, folder)).map((file) => join(folder, file)))
    .sort((a, b) => ((a.split("/")[1] ?? "") < (b.split("/")[1] ?? "") ? -1 : 1))
    .map((path) => readFileSync(join(UNITS, path), "utf8"));
}

/** The variables that a service of deploy/systemd gets from its drop-ins, with the specifiers of a machine. */
export function environmentOf(
  service: string,
  specifiers: Readonly<Record<string, string>>,
): Record<string, string> {
  const lines = dropInsOf(service).flatMap((text) => valuesInUnit(text, "Environment"));
  return Object.fromEntries(
    lines.map((line) => {
      const [name = "", ...value] = line.split("=");
      return [name, withSpecifiers(value.join("="), specifiers)];
    }),
  );
}

export function withSpecifiers(text: string, specifiers: Readonly<Record<string, string>>): string {
  return text.replace(/%(.)/g, (_, letter: string) => {
    const value = letter === "%" ? "%" : specifiers[letter];
    if (value === undefined) throw new Error(`%${letter} is not known to the tests`);
    return value;
  });
}
