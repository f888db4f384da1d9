import { UsageError } from "../../errors.js";
import type { AbsConfig, AbsCredentials } from "../config.js";
import {
  type CredentialFields,
  credentialFields,
  variableFields,
} from "../settings/credential-fields.js";
import type { StoreEnvironment } from "../settings/roles.js";

const FIELDS = [
  "storageAccount",
  "storageKey",
  "domain",
  "bucketName",
  "emulatorEnabled",
  "connectionString",
  "sasToken",
  "endpoint",
];

/** Azure Blob Storage. */
export function absSettings(
  env: StoreEnvironment,
  override: string | undefined,
): Omit<AbsConfig, "provider" | "container" | "prefix"> {
  const fields =
    credentialFields(env, "AZURE_APPLICATION_CREDENTIALS", FIELDS) ??
    variableFields(env, {
      storageAccount: "AZURE_STORAGE_ACCOUNT",
      storageKey: "AZURE_STORAGE_KEY",
      sasToken: "AZURE_STORAGE_SAS_TOKEN",
      connectionString: "AZURE_STORAGE_CONNECTION_STRING",
      domain: "AZURE_STORAGE_DOMAIN",
    });
  const account = fields.text("storageAccount");
  const credentials = absCredentials(fields, account);
  const given = override ?? fields.text("endpoint") ?? emulator(env, fields, account);
  if (credentials?.kind === "connection-string") {
    checkConnectionString(credentials.text, fields, { account, given });
  }
  if (credentials?.kind !== "connection-string" && account === undefined && given === undefined) {
    const variable = env.nameOf("AZURE_APPLICATION_CREDENTIALS_JSON");
    throw fields.lacking("storageAccount", `or set ${variable} to a file with it`);
  }
  if (credentials === undefined) {
    const hint = "or set a SAS token or a connection string; managed identities are not supported";
    throw fields.lacking("storageKey", hint);
  }
  return {
    account,
    credentials,
    endpoint: fields.endpointUrl(given),
    domain: fields.text("domain"),
  };
}

function absCredentials(
  fields: CredentialFields,
  account: string | undefined,
): AbsCredentials | undefined {
  const key = fields.text("storageKey");
  const token = fields.text("sasToken");
  const text = fields.text("connectionString");
  const given = Object.entries({ storageKey: key, sasToken: token, connectionString: text })
    .filter(([, value]) => value !== undefined)
    .map(([name]) => name);
  if (given.length > 1) throw new UsageError(`${fields.where} has both ${given.join(" and ")}`);
  if (text !== undefined) return { kind: "connection-string", text };
  if (token !== undefined) return { kind: "sas", token: token.replace(/^\?/, "") };
  if (key === undefined) return undefined;
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(key)) throw fields.wrong("storageKey", "is not base64");
  return { kind: "shared-key", account: account ?? fields.required("storageAccount"), key };
}

/** Rejects settings that a connection string contains: the SDK would ignore them. @throws UsageError */
function checkConnectionString(
  text: string,
  fields: CredentialFields,
  { account, given }: { account: string | undefined; given: string | undefined },
): void {
  const string = fields.nameOf("connectionString");
  const hint = "leave out one of them, or set the account and its key instead";
  if (given !== undefined) {
    throw new UsageError(`${string} contains an endpoint, and another one is set`, { hint });
  }
  if (fields.text("domain") !== undefined) {
    throw new UsageError(`${fields.nameOf("domain")} contradicts ${string}`, { hint });
  }
  // Environments often set both, so only another account is rejected.
  if (account !== undefined && accountIn(text) !== account) {
    throw new UsageError(`${fields.nameOf("storageAccount")} is not the account of ${string}`, {
      hint,
    });
  }
}

/** With a SAS a connection string has the account only in the endpoint: `https://account.blob…`. */
function accountIn(text: string): string | undefined {
  const parts = new Map<string, string>();
  for (const part of text.split(";")) {
    const [name = "", ...value] = part.trim().split("=");
    parts.set(name.toLowerCase(), value.join("="));
  }
  const endpoint = parts.get("blobendpoint") ?? "";
  return parts.get("accountname") ?? /^https?:\/\/([^./:]+)\./i.exec(endpoint)?.[1];
}

/** The endpoint of an emulator, which has the account in the path. */
function emulator(
  env: StoreEnvironment,
  fields: CredentialFields,
  account: string | undefined,
): string | undefined {
  const settings = variableFields(env, {
    enabled: "AZURE_EMULATOR_ENABLED",
    endpoint: "AZURE_STORAGE_API_ENDPOINT",
  });
  const enabled = fields.toggle("emulatorEnabled") ?? settings.toggle("enabled");
  if (enabled !== true) return undefined;
  return `${settings.required("endpoint").replace(/\/+$/, "")}/${account ?? ""}`;
}
