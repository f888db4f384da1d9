import { UsageError } from "../../errors.js";
import { quoted } from "../../quoted.js";
import type { GcsConfig } from "../config.js";
import type { Warn } from "../../files/secret-files.js";
import { readJsonObject, variableFields } from "../settings/credential-fields.js";
import { endpointUrl } from "../settings/endpoint-url.js";
import type { StoreEnvironment } from "../settings/roles.js";

/** Kinds of key files that Google's library reads. */
const TYPES = [
  "service_account",
  "external_account",
  "authorized_user",
  "impersonated_service_account",
  "external_account_authorized_user",
];

/** Google Cloud Storage. With nothing said the SDK's own chain finds the way in. */
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
  const url = endpoint === undefined ? undefined : endpointUrl(endpoint, settings.where);
  const apart = env.role === "primary" ? undefined : { variable: env.nameOf(variable) };
  if (apart !== undefined && path === undefined && !anonymous && !isGoogles(url)) {
    throw new UsageError(`${apart.variable} is not set`, {
      hint: `what the machine gives is for Google alone; an emulator needs ${env.nameOf("GOOGLE_EMULATOR_ENABLED")}=true`,
    });
  }
  return {
    endpoint: url,
    anonymous,
    credentials: path === undefined ? undefined : keyFile(path, env.nameOf(variable), env.warn),
    apart,
  };
}

function isGoogles(endpoint: string | undefined): boolean {
  return endpoint === undefined || /\.googleapis\.com$/.test(new URL(endpoint).hostname);
}

function keyFile(path: string, variable: string, warn: Warn): Record<string, unknown> {
  const key = readJsonObject(path, variable, warn);
  if (!TYPES.includes(String(key["type"]))) {
    throw new UsageError(`${quoted(path)}, named by ${variable}, is no key file of Google Cloud`, {
      hint: `its type is none of ${TYPES.join(", ")}`,
    });
  }
  return key;
}
