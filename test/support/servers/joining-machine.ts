import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { backuptool } from "../program/backuptool.js";
import type { Result } from "../program/processes.js";
import type { EtcdMembers } from "./etcd-members.js";
import type { MemberProcess } from "./member-process.js";

/** The flags that say which member a machine is, and of which cluster. */
export function memberFlags(cluster: EtcdMembers, member: MemberProcess): string[] {
  return [
    "--name",
    member.name,
    "--initial-advertise-peer-urls",
    member.advertisedPeerUrl,
    "--etcd-data-dir",
    member.dataDir,
    "--environment-file",
    environmentFile(member),
    "--etcd",
    cluster.endpoints.join(","),
  ];
}

export function environmentFile(member: MemberProcess): string {
  return `${member.dataDir}.env`;
}

/**
 * Runs `etcd join` on the machine of a member, and starts its etcd as soon as its settings are there, as a service
 * manager does.
 *
 * @param onEvent called with each event; may end the child
 * @param start starts etcd when there are settings for it
 */
export async function join(
  cluster: EtcdMembers,
  member: MemberProcess,
  flags: readonly string[] = [],
  onEvent: (event: { readonly type: string }, child: ChildProcess) => void = () => {},
  start: (member: MemberProcess) => void = startAsWritten,
): Promise<Result & { events: { readonly type: string }[] }> {
  const events: { readonly type: string }[] = [];
  const args = ["etcd", "join", "--json", ...memberFlags(cluster, member), ...flags];
  const result = await backuptool(args, {
    onStart: (child) => {
      let rest = "";
      child.stdout?.on("data", (bytes: Buffer) => {
        const lines = (rest + bytes.toString()).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
          const event: { readonly type: string } = JSON.parse(line);
          events.push(event);
          if (event.type === "member-settings" && !member.isRunning) start(member);
          onEvent(event, child);
        }
      });
    },
  });
  return { ...result, events };
}

/** Starts etcd with the settings that `etcd join` or `etcd restore-founder` has written. */
export function startAsWritten(member: MemberProcess): void {
  const file = environmentFile(member);
  if (!existsSync(file)) throw new Error(`${file} was not written`);
  member.launchWith(file);
}
