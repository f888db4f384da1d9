import {
  copyFileSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import test, { type ExecutionContext } from "ava";
import { Authority } from "../../support/network/certificates.js";
import { newFolder } from "../../support/folders.js";
import { call, openHttp, type TestServer } from "../../support/server/http.js";

interface TlsServer extends TestServer {
  readonly ca: Buffer;
  readonly authority: Authority;
  readonly certFile: string;
  readonly keyFile: string;
  /** Of the certificate that a new connection gets. */
  fingerprint(): Promise<string | undefined>;
}

async function openTls(t: ExecutionContext): Promise<TlsServer> {
  const folder = newFolder();
  const authority = new Authority(folder, "authority");
  const ca = readFileSync(authority.cacert);
  const { cert, key } = authority.sign("first", "IP:127.0.0.1");
  const [certFile, keyFile] = [join(folder, "tls.crt"), join(folder, "tls.key")];
  copyFileSync(cert, certFile);
  copyFileSync(key, keyFile);
  const limits = { certificateMs: 50 };
  const server = await openHttp(t, { tls: { cert: certFile, key: keyFile }, limits });
  const fingerprint = async () => (await call(server.http.url, "/healthz", { ca })).fingerprint;
  return { ...server, ca, authority, certFile, keyFile, fingerprint };
}

/** Waits for what another timer does. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50));
}

test("with a certificate, the server speaks HTTPS alone, from TLS 1.2 on", async (t) => {
  const { http, ca } = await openTls(t);
  t.regex(http.url, /^https:\/\/127\.0\.0\.1:/);
  const answer = await call(http.url, "/healthz", { ca });
  t.is(answer.status, 200);
  await t.throwsAsync(call(http.url, "/healthz"), { message: /certificate/ });
  await t.throwsAsync(call(http.url.replace("https:", "http:"), "/healthz"));
  const port = Number(new URL(http.url).port);
  const old = connect({ port, host: "127.0.0.1", ca, maxVersion: "TLSv1.1", minVersion: "TLSv1" });
  const error = await new Promise<Error>((resolve, reject) => {
    old.once("error", resolve);
    old.once("secureConnect", () => reject(new Error("TLS 1.1 was accepted")));
  });
  t.regex(error.message, /protocol version|unsupported protocol|no protocols available/i);
});

test("a new certificate is used for new connections, without a restart", async (t) => {
  const { authority, certFile, keyFile, fingerprint, log } = await openTls(t);
  const before = await fingerprint();
  const { cert, key } = authority.sign("second", "IP:127.0.0.1");
  copyFileSync(key, keyFile);
  copyFileSync(cert, `${certFile}.new`);
  renameSync(`${certFile}.new`, certFile);
  await until(async () => (await fingerprint()) !== before);
  t.regex(log.text, /the certificate of the HTTP server was read again/);
});

test("links that are moved to another folder are followed, as Kubernetes moves those of a secret", async (t) => {
  const { authority, certFile, keyFile, fingerprint } = await openTls(t);
  const before = await fingerprint();
  const { cert, key } = authority.sign("second", "IP:127.0.0.1");
  for (const [link, file] of [
    [certFile, cert],
    [keyFile, key],
  ] as const) {
    symlinkSync(file, `${link}.new`);
    renameSync(`${link}.new`, link);
  }
  await until(async () => (await fingerprint()) !== before);
  t.pass();
});

test("while the files do not fit or cannot be read, the old certificate is used, and one line logged", async (t) => {
  const { authority, certFile, keyFile, fingerprint, log } = await openTls(t);
  const before = await fingerprint();
  const { cert, key } = authority.sign("second", "IP:127.0.0.1");

  copyFileSync(cert, certFile);
  await until(() => log.text.includes("server-cert cannot be used with its key"));
  t.is(await fingerprint(), before);

  writeFileSync(certFile, "no certificate");
  await until(() => /no start line|NO_START_LINE/i.test(log.text));
  t.is(await fingerprint(), before);

  rmSync(certFile);
  await until(() => log.text.includes("server-cert cannot be read: ENOENT"));
  const logged = log.text;
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.is(log.text, logged, "the same problem is logged once");
  t.is(await fingerprint(), before);

  copyFileSync(key, keyFile);
  copyFileSync(cert, certFile);
  await until(async () => (await fingerprint()) !== before);
});

test("files that cannot be used are an error at the start", async (t) => {
  const folder = newFolder();
  const authority = new Authority(folder, "authority");
  const one = authority.sign("one", "IP:127.0.0.1");
  const other = authority.sign("other", "IP:127.0.0.1");
  await t.throwsAsync(() => openHttp(t, { tls: { cert: one.cert, key: other.key } }), {
    code: "USAGE",
    message: /^server-cert cannot be used with its key: .*mismatch/i,
  });
  await t.throwsAsync(() => openHttp(t, { tls: { cert: join(folder, "none"), key: one.key } }), {
    message: /^server-cert cannot be read: ENOENT/,
  });
  await t.throwsAsync(() => openHttp(t, { tls: { cert: one.cert, key: folder } }), {
    message: /^server-key cannot be read: /,
  });
});
