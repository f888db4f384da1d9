import {
  AnonymousCredential,
  ContainerClient,
  newPipeline,
  StorageSharedKeyCredential,
} from "@azure/storage-blob";
import type { AbsConfig, AbsCredentials } from "../config.js";
import { StoreError } from "../errors.js";
import type { ProxyAgents } from "../proxy/agents.js";
import { OPTIONS, useAgents } from "./proxied-requests.js";

const DOMAIN = "blob.core.windows.net";

/** No credentials are taken from the process's variables: they may be another store's. */
export function containerClient(
  config: AbsConfig,
  store: string,
  agents: ProxyAgents,
): ContainerClient {
  const { url, credential } = plainClient(config, store);
  const pipeline = newPipeline(credential, OPTIONS);
  pipeline.factories.push(useAgents(agents));
  return new ContainerClient(url, pipeline);
}

function plainClient(config: AbsConfig, store: string): ContainerClient {
  const { credentials } = config;
  if (credentials === undefined) throw noCredentials(store);
  if (credentials.kind === "connection-string") {
    return withoutSecrets(store, "the connection string", () => {
      return new ContainerClient(credentials.text, config.container, OPTIONS);
    });
  }
  const account = accountOf(config, credentials);
  const url = containerUrl(config, account, store);
  if (credentials.kind === "sas") {
    url.search = credentials.token.replace(/^\?/, "");
    return new ContainerClient(url.href, new AnonymousCredential(), OPTIONS);
  }
  const key = withoutSecrets(store, "the account key", () => {
    return new StorageSharedKeyCredential(credentials.account, credentials.key);
  });
  return new ContainerClient(url.href, key, OPTIONS);
}

function accountOf(config: AbsConfig, credentials: AbsCredentials): string | undefined {
  return config.account ?? (credentials.kind === "shared-key" ? credentials.account : undefined);
}

function containerUrl(config: AbsConfig, account: string | undefined, store: string): URL {
  const { endpoint, domain = DOMAIN, container } = config;
  let base = endpoint;
  if (base === undefined) {
    if (account === undefined) {
      throw new StoreError("STORE_CREDENTIALS", "the storage account is not given", { store });
    }
    base = `https://${account}.${domain}`;
  } else if (!base.includes("://")) base = `https://${base}`;
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/${encodeURIComponent(container)}`;
  return url;
}

function noCredentials(store: string): StoreError {
  return new StoreError("STORE_CREDENTIALS", "no credentials are given", {
    store,
    hint: "give an account and its key, a SAS or a connection string; managed identities are not supported",
  });
}

/** The SDK quotes what it cannot read. */
function withoutSecrets<T>(store: string, what: string, make: () => T): T {
  try {
    return make();
  } catch {
    throw new StoreError("STORE_CREDENTIALS", `${what} cannot be read`, { store });
  }
}
