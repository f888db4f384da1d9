import type { ClusterReport, MemberEvent } from "../../operations/members/events.js";
import { quoted } from "../../quoted.js";
import { formatSize } from "../../size-text.js";
import { columnLine } from "./columns.js";
import type { EventLines } from "./event-lines.js";
import { counted } from "./quantities.js";

/** The lines of an event about the members of etcd. */
export function memberLines(event: MemberEvent): EventLines {
  switch (event.type) {
    case "etcd-cluster":
      return { out: clusterLines(event) };
    case "founder-restored": {
      const { name, memberId, clusterId, dataDir, revision, token } = event;
      return {
        out: [
          `${quoted(dataDir)} has the data of ${name} (${memberId}), the founder of the new cluster ${clusterId}, at revision ${revision}`,
          `token of the new cluster: ${token}`,
          ...startLines(event),
          "then check it with `backuptool etcd status`, and run `backuptool etcd join` on each of the other machines",
        ],
      };
    }
    case "etcd-quarantine":
      return { err: [QUARANTINE[event.state]] };
    case "member-removed":
      return { out: [`removed ${event.member} from cluster ${event.clusterId}: its data is lost`] };
    case "member-added":
      return { out: [`added ${event.member} to cluster ${event.clusterId} as a learner`] };
    case "member-settings":
      return { out: startLines(event) };
    case "member-waiting":
      return { err: [`waiting: ${event.why}`] };
    case "member-promoted":
      return { out: [`${event.member} has caught up, and votes now`] };
    case "member-joined": {
      const { member, clusterId, members } = event;
      const count = counted(members, "member", "members");
      return { out: [`${member} is a healthy member of cluster ${clusterId}, which has ${count}`] };
    }
  }
}

const QUARANTINE = {
  begun:
    "etcd is in quarantine: root alone gets in; watches that were open and renewals of leases go on",
  resumed: "etcd is in quarantine since a run that did not end; this one lifts it",
  lifted: "the quarantine is lifted: clients get into etcd again",
  none: "etcd is in no quarantine",
} as const;

/** How etcd is started for the first time. */
function startLines({
  flags,
  environmentFile,
}: Pick<Extract<MemberEvent, { type: "member-settings" }>, "flags" | "environmentFile">): string[] {
  if (environmentFile !== undefined) {
    return [`start etcd on this machine with the variables of ${quoted(environmentFile)}`];
  }
  return [
    "start etcd on this machine with these flags, beside those of its addresses and certificates:",
    ...flags.map(([flag, value]) => `  --${flag} ${value}`),
  ];
}

const WIDTHS = [12, 16, 8, 9, 9, 8, 10];
const HEADINGS = ["NAME", "ID", "ROLE", "VERSION", "REVISION", "BEHIND", "DATABASE", "HEALTH"];

function clusterLines(report: ClusterReport): string[] {
  const { clusterId, leader, revision, members, problems } = report;
  const led = leader === undefined ? "without a leader" : `led by ${leader}`;
  return [
    `cluster ${clusterId}, ${counted(members.length, "member", "members")}, ${led}, revision ${revision}`,
    columnLine(HEADINGS, WIDTHS),
    ...members.map((member) =>
      columnLine(
        [
          member.name || "-",
          member.id,
          member.role,
          member.version ?? "-",
          numberText(member.revision),
          numberText(member.behind),
          member.databaseBytes === undefined ? "-" : formatSize(member.databaseBytes),
          member.healthy ? "healthy" : "NOT HEALTHY",
        ],
        WIDTHS,
      ),
    ),
    ...(problems.length === 0 ? ["no problems"] : problems.map((problem) => `PROBLEM ${problem}`)),
  ];
}

function numberText(value: number | undefined): string {
  return value === undefined ? "-" : String(value);
}
