import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { BackupToolError, InterruptedError } from "../../errors.js";

type Environment = Readonly<Record<string, string | undefined>>;

export interface EtcdToolOptions {
  readonly signal: AbortSignal;
  /** Where PATH is looked up; default: this process. */
  readonly env?: Environment | undefined;
}

/** etcdctl has no `snapshot restore` any more since etcd 3.6, and etcd 3.4 has no etcdutl. */
const TOOLS = ["etcdutl", "etcdctl"];
/** No variable of etcdctl is among them: ETCDCTL_ENDPOINTS and the like contradict flags, or change what it does. */
const PASSED_ON = ["PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL"];
/** Characters of the output that are kept, and lines and characters of it in an error. */
const KEPT = 8000;
const MAX_LINES = 3;
const MAX_CHARACTERS = 600;

/**
 * Runs etcdutl, or etcdctl on a machine without it, to its end; resolves with the name of the program. Throws
 * `ETCD_TOOL_MISSING`, `ETCD_TOOL_FAILED` with its last lines, InterruptedError.
 */
export async function runEtcdTool(
  args: readonly string[],
  options: EtcdToolOptions,
): Promise<string> {
  for (const tool of TOOLS) {
    if (await run(tool, args, options)) return tool;
  }
  throw new BackupToolError("ETCD_TOOL_MISSING", `neither ${TOOLS.join(" nor ")} is in PATH`, {
    hint: "install etcd's client programs (Debian: etcd-client); any version from 3.4 on",
  });
}

/** False where there is no such program. */
function run(
  tool: string,
  args: readonly string[],
  { signal, env = process.env }: EtcdToolOptions,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new InterruptedError());
    const failed = (why: string, cause?: unknown): Error =>
      signal.aborted
        ? new InterruptedError()
        : new BackupToolError("ETCD_TOOL_FAILED", `${tool} ${args.slice(0, 2).join(" ")} ${why}`, {
            cause,
          });
    let child: ChildProcessByStdio<null, Readable, Readable>;
    try {
      child = spawn(tool, args, {
        env: environment(env),
        stdio: ["ignore", "pipe", "pipe"],
        // A process group of its own: Ctrl-C reaches this process alone, which then ends the child and cleans up.
        detached: true,
      });
    } catch (error) {
      return reject(failed("cannot be started", error));
    }
    const kill = () => child.kill("SIGKILL");
    signal.addEventListener("abort", kill, { once: true });
    let output = "";
    const keep = (text: string) => {
      output = (output + text).slice(-KEPT);
    };
    child.stdout.setEncoding("utf8").on("data", keep);
    child.stderr.setEncoding("utf8").on("data", keep);
    child.on("error", (error) => {
      signal.removeEventListener("abort", kill);
      if ("code" in error && error.code === "ENOENT") resolve(false);
      else reject(failed("cannot be started", error));
    });
    child.on("close", (code, killedBy) => {
      signal.removeEventListener("abort", kill);
      if (code === 0) resolve(true);
      else {
        const end = killedBy === null ? `exit code ${code}` : `ended by ${killedBy}`;
        const lines = lastLines(output);
        reject(failed(`failed (${end})${lines === "" ? "" : `: ${lines}`}`));
      }
    });
  });
}

function environment(env: Environment): Record<string, string> {
  const variables = PASSED_ON.flatMap((name) => {
    const value = env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  // Versions before 3.4 default to the API of etcd 2.
  return { ...Object.fromEntries(variables), ETCDCTL_API: "3" };
}

/** Without the lines of its log, which are JSON and say what it does. */
function lastLines(output: string): string {
  return output
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("{"))
    .slice(-MAX_LINES)
    .join("; ")
    .slice(0, MAX_CHARACTERS);
}
