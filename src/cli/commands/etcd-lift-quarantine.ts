import { etcdSettings } from "../../settings/declarations.js";
import { requiredEtcdOptions } from "../../settings/etcd.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";

export const etcdLiftQuarantine = command({
  groups: { etcd: etcdSettings },
  examples: [
    [
      "$0 etcd lift-quarantine --etcd 127.0.0.1:2379 --user root",
      "let clients in; the password is in BACKUPTOOL_PASSWORD",
    ],
  ],
  async run(args, session) {
    const { liftQuarantine } = await import("../../operations/members/quarantine.js");
    await liftQuarantine(requiredEtcdOptions(args, session.warn), session);
    return ExitCode.done;
  },
});
