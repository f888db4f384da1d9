import { UsageError } from "../../errors.js";
import type { Warn } from "../../files/secret-files.js";
import { quoted } from "../../quoted.js";
import type { GcsConfig } from "../config.js";
import { readJsonObject, variableFields } from "../settings/credential-fields.js";
import type { StoreEnvironment } from "../settings/roles.js";

/** Types of key files that Google's library reads. */
const TYPES = [
  "service_account",
  "external_account",
  "authorized_user",
  "impersonated_service_account",
  "external_account_authorized_user",
];

/** Google Cloud Storage. Without credentials the SDK uses its own chain. */
export function gcsSettings(
  env: StoreEnvironment,
  override: string | undefined,
): Omit<GcsConfig, "provider" | "container" | "prefix"> {
  const settings = variableFields(env, {
    endpoint: "GOOGLE_STORAGE_API_ENDPOINT",
    emulator: "GOOGLE_EMULATOR_ENABLED",
  });
  const endpoint = override ?? settings.text("endpoint");
  const anonymous = settings.toggle("emulator");
  const variable = "GOOGLE_APPLICATION_CREDENTIALS";
  const path = env.get(variable);
  const url = settings.endpointUrl(endpoint);
  const isolated = env.role === "primary" ? undefined : { variable: env.nameOf(variable) };
  if (isolated !== undefined && path === undefined && !anonymous && !isGoogleEndpoint(url)) {
    throw new UsageError(`${isolated.variable} is not set`, {
      hint: `credentials of the machine are only used with Google; an emulator needs ${env.nameOf("GOOGLE_EMULATOR_ENABLED")}=true`,
    });
  }
  return {
    endpoint: url,
    anonymous,
    credentials: path === undefined ? undefined : keyFile(path, env.nameOf(variable), env.warn),
    isolated,
  };
}

function isGoogleEndpoint(endpoint: string | undefined): boolean {
  return endpoint === undefined || /\.googleapis\.com$/.test(new URL(endpoint).hostname);
}

function keyFile(path: string, variable: string, warn: Warn): Record<string, unknown> {
  const key = readJsonObject(path, variable, warn);
  if (!TYPES.includes(String(key["type"]))) {
    const problem = "is not a key file of Google Cloud";
    throw new UsageError(`${quoted(path)}, named by ${variable}, ${problem}`, {
      hint: `its type must be one of ${TYPES.join(", ")}`,
    });
  }
  return key;
}
