import test from "ava";
import fc from "fast-check";
import { UsageError } from "../../../../src/errors.js";
import {
  formatInitialCluster,
  parseInitialCluster,
  parsePeerUrls,
  sharesPeerUrl,
} from "../../../../src/sources/etcd/members/peer-urls.js";

const url = fc
  .tuple(
    fc.constantFrom("http", "https"),
    fc.constantFrom("10.0.0.1", "etcd-1.example", "[::1]"),
    fc.nat(65_535),
  )
  .map(([scheme, host, port]) => `${scheme}://${host}:${port}`);

test("initial clusters are parsed as they are formatted", (t) => {
  const name = fc.stringMatching(/^[\w.-]{1,10}$/);
  const members = fc.array(fc.tuple(name, fc.array(url, { minLength: 1, maxLength: 3 })), {
    minLength: 1,
    maxLength: 5,
  });
  fc.assert(
    fc.property(members, (given) => {
      const expected = new Map(given);
      t.deepEqual(parseInitialCluster(formatInitialCluster(expected)), expected);
    }),
  );
});

test("what is no member is rejected, with the text", (t) => {
  for (const text of [
    "",
    ",",
    "m1",
    "=http://a:1",
    "m1=",
    "m1=a:1",
    "m1=http://a",
    "m1=http://a:1/x",
  ]) {
    t.throws(() => parseInitialCluster(text), { instanceOf: UsageError }, text);
  }
  for (const text of ["", "http://", "ftp://a:1", "http://a:1\nETCD_NAME=x", 'http://a:1"']) {
    t.throws(() => parsePeerUrls(text, "initial-advertise-peer-urls"), { instanceOf: UsageError });
  }
});

test("members share a peer URL whatever its case and slashes", (t) => {
  t.true(sharesPeerUrl(["http://A:1/"], ["http://b:1", "http://a:1"]));
  t.false(sharesPeerUrl(["http://a:1"], ["http://a:2", "https://a:1"]));
  t.false(sharesPeerUrl([], ["http://a:2"]));
});
