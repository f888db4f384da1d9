import type { SwiftAuth, SwiftConfig } from "../config.js";
import { StoreError } from "../errors.js";
import type { HttpClient } from "../http/client.js";
import { responseError } from "../http/failure.js";

export interface SwiftToken {
  readonly token: string;
  /** URL of the account, without a trailing `/`. */
  readonly storageUrl: string;
}

type KeystoneAuth = Exclude<SwiftAuth, { kind: "v1" }>;

/** Requests a new token. Throws StoreError, or the error of the connection. */
export async function newToken(
  http: HttpClient,
  config: SwiftConfig,
  store: string,
  signal: AbortSignal | undefined,
): Promise<SwiftToken> {
  const { auth } = config;
  const request = auth.kind === "v1" ? byUserAndKey(auth) : byKeystone(auth);
  const response = await http.send({ ...request, signal });
  if (!response.ok) {
    await response.drop();
    const { status } = response;
    const retryAfter = response.header("retry-after");
    const context = { store, key: "" };
    throw responseError({ status, retryAfter, detail: "by the auth server" }, context);
  }
  const v1 = auth.kind === "v1";
  const token = response.header(v1 ? "x-auth-token" : "x-subject-token");
  const body = v1 ? await response.drop() : await response.json();
  const listed = v1 ? response.header("x-storage-url") : catalogUrl(body, config.region);
  const storageUrl = config.endpoint ?? listed;
  if (token === undefined || storageUrl === undefined) {
    const where = config.region === undefined ? "" : ` in region ${config.region}`;
    const missing = token === undefined ? "no token" : `no object store${where}`;
    throw new StoreError("STORE_FAILED", `the auth server returned ${missing}`, {
      store,
      hint: "check the auth URL and the region",
    });
  }
  return { token, storageUrl: storageUrl.replace(/\/+$/, "") };
}

function byUserAndKey({ url, user, key }: Extract<SwiftAuth, { kind: "v1" }>) {
  const headers = { "x-auth-user": user, "x-auth-key": key };
  return { method: "GET", url: new URL(url), headers };
}

/** https://docs.openstack.org/api-ref/identity/v3/#authentication-and-token-management */
function byKeystone(auth: KeystoneAuth) {
  const base = auth.url.replace(/\/+$/, "");
  const url = new URL(`${/\/v3$/.test(base) ? base : `${base}/v3`}/auth/tokens`);
  const headers = { "content-type": "application/json" };
  const body = Buffer.from(JSON.stringify({ auth: keystoneBody(auth) }));
  return { method: "POST", url, headers, body: [body] };
}

function keystoneBody(auth: KeystoneAuth): unknown {
  if (auth.kind === "v3-password") {
    const { user: name, password, userDomain, project, projectDomain } = auth;
    return {
      identity: {
        methods: ["password"],
        password: { user: { name, password, domain: { name: userDomain } } },
      },
      scope: { project: { name: project, domain: { name: projectDomain } } },
    };
  }
  const { id, name, user, userDomain, secret } = auth;
  const which =
    id !== undefined ? { id } : { name, user: { name: user, domain: { name: userDomain } } };
  return {
    identity: {
      methods: ["application_credential"],
      application_credential: { ...which, secret },
    },
  };
}

interface Catalog {
  readonly token?: {
    readonly catalog?: readonly {
      readonly type?: string;
      readonly endpoints?: readonly {
        readonly interface?: string;
        readonly region?: string;
        readonly region_id?: string;
        readonly url?: string;
      }[];
    }[];
  };
}

function catalogUrl(body: unknown, region: string | undefined): string | undefined {
  for (const { type, endpoints = [] } of (body as Catalog | undefined)?.token?.catalog ?? []) {
    if (type !== "object-store") continue;
    const found = endpoints.find(
      (endpoint) =>
        endpoint.interface === "public" &&
        (region === undefined || region === (endpoint.region_id ?? endpoint.region)),
    );
    if (found !== undefined) return found.url;
  }
  return undefined;
}
