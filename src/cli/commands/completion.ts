import { UsageError } from "../../errors.js";
import { quoted } from "../../quoted.js";
import { command } from "../command.js";
import { SCRIPTS } from "../completion/scripts.js";
import { ExitCode } from "../exit-codes.js";

export const completion = command({
  argument: "[bash|zsh]",
  groups: {},
  examples: [
    ["source <($0 completion bash)", "for this shell; in ~/.bashrc, for each"],
    ["source <($0 completion zsh)", "the same for zsh, after compinit"],
  ],
  async run(_args, session, [given]) {
    const { env, stdout } = session.terminal;
    const shell = given ?? (env["SHELL"]?.endsWith("/zsh") ? "zsh" : "bash");
    if (shell !== "bash" && shell !== "zsh") {
      throw new UsageError(`there is no completion for ${quoted(shell)}`, {
        hint: "write bash or zsh",
      });
    }
    stdout.write(SCRIPTS[shell]);
    return ExitCode.done;
  },
});
