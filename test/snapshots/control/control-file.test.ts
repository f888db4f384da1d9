import test from "ava";
import {
  controlKey,
  listControlFiles,
  putControlFile,
  readControlFile,
  textField,
} from "../../../src/snapshots/control/control-file.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { newFolder } from "../../support/folders.js";

const { signal } = new AbortController();
const newStore = (): LocalStore =>
  new LocalStore({ provider: "Local", container: newFolder(), prefix: "" });

test("a control file is read as it was written, listed by its path, and absent otherwise", async (t) => {
  const store = newStore();
  const key = controlKey("holds", "Full-00000000-00000007-1700000000");
  t.is(await readControlFile(store, key, signal), undefined);
  t.deepEqual(await listControlFiles(store, "holds", signal), []);
  await putControlFile(store, key, { reason: "audit", created: "2026-11-28T13:00:00.000Z" }, {});
  t.deepEqual(await readControlFile(store, key, signal), {
    fields: { format: 1, reason: "audit", created: "2026-11-28T13:00:00.000Z" },
  });
  const [file, ...more] = await listControlFiles(store, "holds", signal);
  t.is(file?.path, "Full-00000000-00000007-1700000000");
  t.deepEqual(more, []);
  t.deepEqual(await listControlFiles(store, "pins", signal), []);
});

test("an existing control file is kept with ifAbsent", async (t) => {
  const store = newStore();
  const key = controlKey("epochs", "000000000001");
  await putControlFile(store, key, { by: "one" }, { ifAbsent: true });
  await t.throwsAsync(putControlFile(store, key, { by: "two" }, { ifAbsent: true }), {
    code: "STORE_EXISTS",
  });
  t.deepEqual(await readControlFile(store, key, signal), { fields: { format: 1, by: "one" } });
});

test("other content is reported with what is wrong", async (t) => {
  const store = newStore();
  const key = controlKey("plans", "x");
  for (const [text, problem] of [
    ["", "is not JSON"],
    ["{", "is not JSON"],
    ["null", "is not a JSON object"],
    ["[1]", "is not a JSON object"],
    ["{}", "has a format that this version does not read"],
    ['{"format": 2}', "has a format that this version does not read"],
    [`{"format": 1, "x": "${"y".repeat(70_000)}"}`, "is larger than 65536 bytes"],
  ] as const) {
    await store.put(key, Buffer.from(text));
    t.deepEqual(await readControlFile(store, key, signal), { problem }, text.slice(0, 20));
  }
});

test("a text field is read only if it is short text of the object itself", (t) => {
  t.is(textField({ a: "x" }, "a", 1), "x");
  t.is(textField({ a: "xy" }, "a", 1), undefined);
  t.is(textField({ a: 1 }, "a", 1), undefined);
  t.is(textField({}, "toString", 1000), undefined);
});
