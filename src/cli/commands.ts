import { UsageError } from "../errors.js";
import { nearest } from "../nearest.js";
import { quoted } from "../quoted.js";
import type { Command, CommandDefinition } from "./command.js";

/** A command before its file is loaded. */
export interface CommandEntry {
  readonly name: string;
  readonly describe: string;
  load(): Promise<CommandDefinition>;
}

/** All commands in the order of the help. Only the chosen one is loaded: a run starts sooner. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: "create",
    describe: "Back up etcd and Ceph pools into a folder or stores",
    load: async () => (await import("./commands/create.js")).create,
  },
  {
    name: "inspect",
    describe: "Decrypt and check a backup; print what it holds",
    load: async () => (await import("./commands/inspect.js")).inspect,
  },
  {
    name: "clear",
    describe: "Delete all keys of etcd and the objects of pools",
    load: async () => (await import("./commands/clear.js")).clear,
  },
  {
    name: "restore",
    describe: "Restore a backup to etcd and Ceph pools",
    load: async () => (await import("./commands/restore.js")).restore,
  },
  {
    name: "cat",
    describe: "Write the decrypted tar to standard output",
    load: async () => (await import("./commands/cat.js")).cat,
  },
  {
    name: "convert",
    describe: "Convert an archive of the original BTrDB tool",
    load: async () => (await import("./commands/convert.js")).convert,
  },
  {
    name: "snapshot list",
    describe: "List the backups in the stores",
    load: async () => (await import("./commands/snapshot-list.js")).snapshotList,
  },
  {
    name: "snapshot verify",
    describe: "Check a backup in a store",
    load: async () => (await import("./commands/snapshot-verify.js")).snapshotVerify,
  },
  {
    name: "snapshot delete",
    describe: "Delete a backup that no other is based on",
    load: async () => (await import("./commands/snapshot-delete.js")).snapshotDelete,
  },
  {
    name: "snapshot hold",
    describe: "Protect a backup and its bases from deletion",
    load: async () => (await import("./commands/snapshot-hold.js")).snapshotHold,
  },
  {
    name: "snapshot release",
    describe: "End a hold",
    load: async () => (await import("./commands/snapshot-release.js")).snapshotRelease,
  },
  {
    name: "snapshot prune-incomplete",
    describe: "Delete what interrupted backups left in a store",
    load: async () => (await import("./commands/snapshot-prune.js")).snapshotPrune,
  },
  {
    name: "prune",
    describe: "Delete the backups that retention does not keep",
    load: async () => (await import("./commands/prune.js")).prune,
  },
  {
    name: "copy",
    describe: "Copy backups from one store to another",
    load: async () => (await import("./commands/copy.js")).copy,
  },
  {
    name: "server",
    describe: "Make backups on schedule, keep two stores in step",
    load: async () => (await import("./commands/server.js")).server,
  },
  {
    name: "status",
    describe: "Say how old the newest restorable backups are",
    load: async () => (await import("./commands/status.js")).status,
  },
  {
    name: "delta verify",
    describe: "Check the deltas of etcd: proven, delayed, lost",
    load: async () => (await import("./commands/delta-verify.js")).deltaVerify,
  },
  {
    name: "compact",
    describe: "Make one raw snapshot of another one and its deltas",
    load: async () => (await import("./commands/compact.js")).compact,
  },
  {
    name: "etcd restore-founder",
    describe: "Make the first member of a new etcd cluster",
    load: async () => (await import("./commands/etcd-restore-founder.js")).etcdRestoreFounder,
  },
  {
    name: "etcd join",
    describe: "Make this machine a member of an etcd cluster",
    load: async () => (await import("./commands/etcd-join.js")).etcdJoin,
  },
  {
    name: "etcd status",
    describe: "Say which members of etcd are healthy",
    load: async () => (await import("./commands/etcd-status.js")).etcdStatus,
  },
  {
    name: "etcd lift-quarantine",
    describe: "Let clients in after an unfinished restore",
    load: async () => (await import("./commands/etcd-lift-quarantine.js")).etcdLiftQuarantine,
  },
  {
    name: "doctor",
    describe: "Check Ceph, etcd, folder and stores for problems",
    load: async () => (await import("./commands/doctor.js")).doctor,
  },
  {
    name: "completion",
    describe: "Print a completion script for bash or zsh",
    load: async () => (await import("./commands/completion.js")).completion,
  },
];

/** The command that `words` begin with, loaded. */
export async function findCommand(words: readonly string[]): Promise<Command | undefined> {
  const found = COMMANDS.find(({ name }) => name.split(" ").every((word, i) => word === words[i]));
  return found && { name: found.name, describe: found.describe, ...(await found.load()) };
}

/** The commands of two words whose first is `word`. */
export function commandsOfGroup(word: string | undefined): readonly CommandEntry[] {
  return COMMANDS.filter(({ name }) => name.startsWith(`${word} `));
}

/** No command is called what `words` begin with. */
export function unknownCommand([first = "", second]: readonly string[]): UsageError {
  const group = commandsOfGroup(first);
  if (group.length === 0 && first.startsWith("-")) {
    return new UsageError(`expected a command before ${quoted(first)}`, {
      hint: "write the command first: backuptool create --outputdir my_backup",
    });
  }
  if (group.length > 0 && (second === undefined || second.startsWith("-"))) {
    return new UsageError(`${first} needs one more word`, {
      hint: `write ${group.map(({ name }) => `backuptool ${name}`).join(", ")}`,
    });
  }
  // The second word is the wrong one where the first begins some commands.
  const [before, given = "", at] = group.length > 0 ? [`${first} `, second, 1] : ["", first, 0];
  const words = (group.length > 0 ? group : COMMANDS).map(({ name }) => name.split(" ")[at] ?? "");
  if (group.length === 0) words.push(...COMMANDS.map(({ name }) => name));
  const near = nearest(given, words);
  return new UsageError(`there is no command ${quoted(`${before}${given}`)}`, {
    hint: near === undefined ? "see backuptool --help" : `did you mean ${before}${near}?`,
  });
}
