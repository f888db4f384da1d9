import test from "ava";
import fc from "fast-check";
import { ProxySettings, proxyVariables } from "../../../src/snapstore/proxy/settings.js";

type Environment = Readonly<Record<string, string>>;

function proxyOf(env: Environment, url: string): string | undefined {
  return new ProxySettings(env).of(new URL(url))?.name;
}

const PROXY = { ALL_PROXY: "http://proxy:3128" };

test("the variable depends on the scheme of the URL; lower case first, ALL_PROXY last", (t) => {
  const env = {
    http_proxy: "http://a:1",
    HTTP_PROXY: "http://b:1",
    HTTPS_PROXY: "http://c:1",
    ALL_PROXY: "http://d:1",
  };
  t.is(proxyOf(env, "http://store/"), "http://a:1 (http_proxy)");
  t.is(proxyOf(env, "https://store/"), "http://c:1 (HTTPS_PROXY)");
  t.is(
    proxyOf({ ALL_PROXY: "http://d:1", https_proxy: "" }, "https://store/"),
    "http://d:1 (ALL_PROXY)",
  );
  t.is(proxyOf({ HTTPS_PROXY: "http://c:1" }, "http://store/"), undefined);
  t.is(proxyOf({}, "https://store/"), undefined);
});

test("under CGI HTTP_PROXY, a header of the request, is ignored", (t) => {
  const env = { REQUEST_METHOD: "GET", HTTP_PROXY: "http://attacker:1" };
  t.is(proxyOf(env, "http://store/"), undefined);
  t.is(proxyOf({ ...env, http_proxy: "http://a:1" }, "http://store/"), "http://a:1 (http_proxy)");
  t.is(proxyVariables(env).HTTP_PROXY, undefined);
});

test("user and password are sent to the proxy, and not in messages", (t) => {
  const env = { HTTPS_PROXY: "https://us%40er:p%3Ass@proxy.example/path" };
  const proxy = new ProxySettings(env).of(new URL("https://store/"));
  t.is(proxy?.authorization, `Basic ${Buffer.from("us@er:p:ss").toString("base64")}`);
  t.is(proxy?.url.href, "https://proxy.example/");
  t.is(proxy?.name, "https://proxy.example (HTTPS_PROXY)");
  t.is(proxyOf({ HTTPS_PROXY: "proxy:3128" }, "https://store/"), "http://proxy:3128 (HTTPS_PROXY)");
  t.is(
    proxyOf({ HTTPS_PROXY: "10.0.0.1:3128" }, "https://s/"),
    "http://10.0.0.1:3128 (HTTPS_PROXY)",
  );
});

test("a loopback address is connected directly", (t) => {
  for (const host of ["localhost", "LOCALHOST", "127.0.0.1", "127.9.8.7", "[::1]"]) {
    t.is(proxyOf(PROXY, `https://${host}:8080/`), undefined, host);
  }
  for (const host of ["localhost.example", "a.localhost", "128.0.0.1", "[::2]", "10.0.0.1"]) {
    t.not(proxyOf(PROXY, `https://${host}:8080/`), undefined, host);
  }
});

test("NO_PROXY excludes names, names below them, addresses, networks and ports", (t) => {
  for (const [none, excluded, others] of [
    ["*", ["https://any/", "http://10.0.0.1:1/", "https://[2001:db8::1]/"], []],
    ["", [], ["https://any/"]],
    [
      "example.com",
      ["https://example.com/", "https://a.b.example.com:8443/", "https://EXAMPLE.com/"],
      ["https://anexample.com/", "https://example.com.org/"],
    ],
    [".example.com", ["https://a.example.com/"], ["https://example.com/"]],
    ["*.example.com", ["https://a.example.com/"], ["https://example.com/"]],
    ["*example.com", [], ["https://a.example.com/", "https://example.com/"]],
    [
      "bücher.example,.MÜLLER.example",
      ["https://bücher.example/", "https://a.bücher.example/", "https://a.müller.example/"],
      ["https://müller.example/"],
    ],
    ["fe80::1%eth0,fe80::/64%eth0", ["https://[fe80::1]/"], ["https://[fe80::2]/"]],
    ["one, two\tthree", ["http://one/", "http://two/", "http://three/"], ["http://four/"]],
    [
      "example.com:8443",
      ["https://example.com:8443/", "https://a.example.com:8443/"],
      ["https://example.com/"],
    ],
    ["example.com:443", ["https://example.com/"], ["http://example.com/"]],
    ["10.1.2.3", ["https://10.1.2.3/", "http://10.1.2.3:7480/"], ["https://10.1.2.30/"]],
    ["10.1.2.3:80", ["http://10.1.2.3/"], ["https://10.1.2.3/"]],
    ["10.1.0.0/16", ["https://10.1.2.3/"], ["https://10.2.0.1/"]],
    ["2001:db8::/32", ["https://[2001:db8:1::5]/"], ["https://[2001:db9::]/", "https://10.0.0.1/"]],
    ["[2001:DB8:0::1]:8443", ["https://[2001:db8::1]:8443/"], ["https://[2001:db8::1]/"]],
    ["2001:db8:0::1", ["https://[2001:db8::1]/"], ["https://[2001:db8::2]/"]],
    ["10.0.0.0/99,,:,/8", [], ["https://10.0.0.1/", "https://store/"]],
  ] as const) {
    const env = { ...PROXY, NO_PROXY: none };
    for (const url of excluded) t.is(proxyOf(env, url), undefined, `${none}: ${url}`);
    for (const url of others) t.not(proxyOf(env, url), undefined, `${none}: ${url}`);
  }
});

test("no value of NO_PROXY throws, and each name excludes itself", (t) => {
  fc.assert(
    fc.property(fc.string(), fc.domain(), (junk, name) => {
      const env = { ...PROXY, NO_PROXY: `${junk},${name}` };
      t.is(proxyOf(env, `https://${name}/`), undefined);
      t.is(proxyOf(env, `https://below.${name}:9/`), undefined);
    }),
  );
});
