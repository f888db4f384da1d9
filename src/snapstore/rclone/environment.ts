import { noProxyEntries } from "../proxy/no-proxy.js";
import { proxyVariables } from "../proxy/settings.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** Variables that describe the machine and the session, without secrets of a store. */
const MACHINE_VARIABLES: readonly RegExp[] = [
  /^(PATH|HOME|USER|LOGNAME|SHELL|TMPDIR|TZ|LANG|LANGUAGE)$/,
  /^(LC|XDG)_[A-Z_]+$/,
  /^SSL_CERT_(FILE|DIR)$/,
  // It only disables a service.
  /^AWS_EC2_METADATA_DISABLED$/,
];

/** The variables that the rclone of every store gets. */
export function machineVariables(env: Environment): Record<string, string> {
  const variables = allowedVariables(env, MACHINE_VARIABLES);
  // By the rules of the other providers: rclone itself prefers upper case and ignores ALL_PROXY.
  for (const [name, variable] of Object.entries(proxyVariables(env))) {
    if (variable === undefined) continue;
    const { value } = variable;
    // Go only supports commas as separators.
    variables[name] = name === "NO_PROXY" ? noProxyEntries(value).join(",") : value;
  }
  return variables;
}

/** The variables whose names match one of the patterns; empty ones are left out. */
export function allowedVariables(
  env: Environment,
  patterns: readonly RegExp[],
): Record<string, string> {
  const allowed: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || value === "") continue;
    if (patterns.some((pattern) => pattern.test(name))) allowed[name] = value;
  }
  return allowed;
}
