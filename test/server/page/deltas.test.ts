import test from "ava";
import { renderDeltas } from "../../../src/server/page/deltas.js";
import { healthyStatus, troubledStatus } from "../../support/server/sample-status.js";

function wordsOf(status = healthyStatus()): string {
  return renderDeltas(status)
    .text.replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .replace(/ ([.,:])/g, "$1")
    .trim();
}

test("the page says what is durable at each store, and up to where the log is proved", (t) => {
  t.is(
    wordsOf(),
    "Changes of etcd Following Primary In step Durable up to revision 70133. Secondary In step Durable up to revision 70133. etcd is at revision 70133. Full backups have proved the log up to 69900.",
  );
});

test("the page says what a store lacks, what is lost and what is not proved", (t) => {
  const words = wordsOf(troubledStatus());
  t.regex(words, /Secondary Behind Durable up to revision 61000, 9133 behind etcd\./);
  t.regex(words, /The oldest change that is missing is 6 h old\. 12 deltas wait/);
  t.regex(words, /Older deltas are copied from the other store\./);
  t.regex(words, /change 1 of revision 68011 is not in the log/);
  t.regex(words, /Revisions 60001 to 60480 are lost: etcd was compacted/);
});

test("a store without a raw snapshot has nothing to restore from, and deltas that are off show nothing", (t) => {
  const healthy = healthyStatus();
  const site = { oldestSeconds: 5, waiting: { deltas: 1, bytes: 300 }, isBehind: false };
  const deltas = { state: "base" as const, sites: { primary: site } };
  t.regex(
    wordsOf({ ...healthy, deltas }),
    /Making a base Primary No base No raw snapshot to restore from\./,
  );
  t.is(wordsOf({ ...healthy, deltas: { state: "off", sites: {} } }), "");
});
