import { spawn } from "node:child_process";
import dns from "node:dns";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { HeadBucketCommand } from "@aws-sdk/client-s3";
import test from "ava";
import { waitForEachAddress } from "../../../src/cli/process/connection-attempts.js";
import { AbsStore } from "../../../src/snapstore/abs/store.js";
import { GcsStore } from "../../../src/snapstore/gcs/store.js";
import { HTTP_DEADLINES, HttpClient } from "../../../src/snapstore/http/client.js";
import { ProxySettings } from "../../../src/snapstore/proxy/settings.js";
import { DEADLINES, s3Client } from "../../../src/snapstore/s3/client.js";
import { newFolder } from "../../support/folders.js";

const LISTENER = fileURLToPath(new URL("../../support/network/slow-listener.js", import.meta.url));
const NAME = "dual-stack.test";

/** A name with an IPv4 address, and an IPv6 address that is unreachable. */
type Lookup = (
  name: string,
  options: unknown,
  callback: (error: null, addresses: { address: string; family: number }[]) => void,
) => void;
const real: unknown = dns.lookup;
const lookup: Lookup = (name, options, callback) => {
  if (name !== NAME) return Reflect.apply(real as () => void, dns, [name, options, callback]);
  callback(null, [
    { address: "127.0.0.1", family: 4 },
    { address: "2001:db8::1", family: 6 },
  ]);
};
Reflect.set(dns, "lookup", lookup);

/**
 * A server whose handshake takes about a second, as after a lost packet: its backlog is full, so the kernel drops the
 * first SYN and accepts the retransmitted one.
 */
async function duringSlowHandshake<T>(call: (url: URL) => Promise<T>): Promise<T> {
  const child = spawn(process.execPath, [LISTENER], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const [port] = await once(child.stdout, "data");
    child.kill("SIGSTOP");
    for (let i = 0; i < 2; i++) {
      const filler = connect({ port: Number(port), host: "127.0.0.1" });
      filler.on("error", () => {});
      await once(filler, "connect");
    }
    const result = call(new URL(`http://${NAME}:${Number(port)}/`));
    result.catch(() => {});
    await sleep(500);
    child.kill("SIGCONT");
    return await result;
  } finally {
    child.kill("SIGKILL");
  }
}

async function get(url: URL): Promise<string> {
  const http = new HttpClient();
  try {
    const answer = await http.send({ method: "GET", url });
    return await answer.text();
  } finally {
    http.close();
  }
}

test.serial("Node by default drops a slow connection to the only reachable address", async (t) => {
  const error = await t.throwsAsync<NodeJS.ErrnoException>(duringSlowHandshake(get));
  t.regex(error?.code ?? "", /^(ETIMEDOUT|ENETUNREACH|EHOSTUNREACH)$/);
});

test.serial("a slow connection is not dropped although the name has another address", async (t) => {
  waitForEachAddress();
  t.is(await duringSlowHandshake(get), "answered");
});

test.serial("the SDK of Amazon does not drop a slow connection", async (t) => {
  waitForEachAddress();
  await t.notThrowsAsync(
    duringSlowHandshake(async (url) => {
      const credentials = { accessKeyId: "k", secretAccessKey: "s" };
      const config = { provider: "S3", container: "b", prefix: "", credentials } as const;
      const client = s3Client({ ...config, endpoint: url.href, pathStyle: true }, DEADLINES);
      return await client.send(new HeadBucketCommand({ Bucket: "b" }));
    }),
  );
});

test.serial("the SDK of Azure does not drop a slow connection", async (t) => {
  waitForEachAddress();
  await t.notThrowsAsync(
    duringSlowHandshake(async (url) => {
      const credentials = { kind: "shared-key", account: "a", key: "a2V5" } as const;
      const place = { provider: "ABS", container: "b", prefix: "", credentials } as const;
      const store = new AbsStore({ ...place, endpoint: `${url.origin}/a` });
      return await store.head("k").finally(() => store.close());
    }),
  );
});

test.serial("Google's library does not drop a slow connection for a token", async (t) => {
  waitForEachAddress();
  const file = join(newFolder(), "subject-token");
  writeFileSync(file, "subject");
  const error = await t.throwsAsync(
    duringSlowHandshake(async (url) => {
      const credentials = {
        type: "external_account",
        audience: "audience",
        subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
        token_url: url.href,
        credential_source: { file },
      };
      const place = { provider: "GCS", container: "b", prefix: "", credentials } as const;
      const store = new GcsStore({ ...place, endpoint: url.origin });
      return await store.head("k").finally(() => store.close());
    }),
  );
  // The response arrived, without a token.
  t.regex(error?.message ?? "", /cannot get an access token/);
});

test.serial("a slow connection to a proxy is not dropped", async (t) => {
  waitForEachAddress();
  await t.notThrowsAsync(
    duringSlowHandshake(async (url) => {
      const http = new HttpClient({}, HTTP_DEADLINES, new ProxySettings({ HTTP_PROXY: url.href }));
      try {
        return await (
          await http.send({ method: "GET", url: new URL("http://store.test/") })
        ).text();
      } finally {
        http.close();
      }
    }),
  );
});
