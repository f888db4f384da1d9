import {
  AnonymousCredential,
  ContainerClient,
  newPipeline,
  StorageSharedKeyCredential,
} from "@azure/storage-blob";
import type { AbsConfig } from "../config.js";
import { StoreError } from "../errors.js";
import type { ProxyAgents } from "../proxy/agents.js";
import { OPTIONS, useAgents } from "./proxied-requests.js";

const DOMAIN = "blob.core.windows.net";

/** A client for one store. The SDK takes no credentials from variables, which may belong to another store. */
export function containerClient(
  config: AbsConfig,
  store: string,
  agents: ProxyAgents,
): ContainerClient {
  const { url, credential } = directClient(config, store);
  const pipeline = newPipeline(credential, OPTIONS);
  pipeline.factories.push(useAgents(agents));
  return new ContainerClient(url, pipeline);
}

/** A client that ignores proxies. */
function directClient(config: AbsConfig, store: string): ContainerClient {
  const { credentials } = config;
  if (credentials === undefined) {
    throw new StoreError("STORE_CREDENTIALS", "no credentials are set", {
      store,
      hint: "set an account and its key, a SAS or a connection string; managed identities are not supported",
    });
  }
  if (credentials.kind === "connection-string") {
    return withoutSecrets(store, "the connection string", () => {
      return new ContainerClient(credentials.text, config.container, OPTIONS);
    });
  }
  const url = containerUrl(config, store);
  if (credentials.kind === "sas") {
    url.search = credentials.token.replace(/^\?/, "");
    return new ContainerClient(url.href, new AnonymousCredential(), OPTIONS);
  }
  const key = withoutSecrets(store, "the account key", () => {
    return new StorageSharedKeyCredential(credentials.account, credentials.key);
  });
  return new ContainerClient(url.href, key, OPTIONS);
}

function containerUrl(config: AbsConfig, store: string): URL {
  const { credentials, endpoint, domain = DOMAIN, container } = config;
  const keyAccount = credentials?.kind === "shared-key" ? credentials.account : undefined;
  const account = config.account ?? keyAccount;
  let base = endpoint;
  if (base === undefined) {
    if (account === undefined) {
      throw new StoreError("STORE_CREDENTIALS", "the storage account is not set", { store });
    }
    base = `https://${account}.${domain}`;
  } else if (!base.includes("://")) base = `https://${base}`;
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/${encodeURIComponent(container)}`;
  return url;
}

/** Replaces the errors of the SDK, which quote what it cannot parse. */
function withoutSecrets<T>(store: string, what: string, make: () => T): T {
  try {
    return make();
  } catch {
    throw new StoreError("STORE_CREDENTIALS", `${what} is malformed`, { store });
  }
}
