import test from "ava";
import fc from "fast-check";
import { effectiveSettings } from "../../src/settings/precedence.js";
import type { Setting, SettingValue } from "../../src/settings/setting.js";
import { UsageError } from "../../src/errors.js";

type Values = Readonly<Record<string, SettingValue>>;
type Source = Setting["source"];

const ORDER: readonly Source[] = ["typed", "environment", "file"];

function level(source: Source, values: Values): Setting[] {
  return Object.entries(values).map(([name, value]) => ({
    name,
    value,
    source,
    shown: `${name}@${source}`,
  }));
}

/** What has an effect, by its flag, when the sources say this. */
function settled(command: string, given: Partial<Record<Source, Values>>): Values {
  const levels = ORDER.map((source) => level(source, given[source] ?? {}));
  return Object.fromEntries(
    effectiveSettings(command, levels).map(({ name, value }) => [name, value]),
  );
}

interface Row {
  readonly commands: readonly string[];
  /** Said by the source that goes first, which is all that has an effect… */
  readonly high: Values;
  /** …over this, said by a source after it… */
  readonly low: Values;
  /** …of which this stays. */
  readonly stays?: Values;
  /** Whether both from one source are an error. */
  readonly together: "error" | "both";
  /** Only what is typed replaces the other. */
  readonly typedOnly?: true;
}

const EVERY = [
  "create",
  "inspect",
  "clear",
  "restore",
  "cat",
  "convert",
  "copy",
  "doctor",
  "snapshot list",
  "status",
  "snapshot verify",
  "snapshot delete",
  "snapshot prune-incomplete",
  "snapshot hold",
  "snapshot release",
  "prune",
];
const READING = ["inspect", "restore", "cat"];
const WITH_PASSPHRASE = ["create", "convert", ...READING];
const WITH_STORE = EVERY.filter((command) => !["clear", "convert"].includes(command));
const OF_ONE_STORE = [
  ...READING,
  "snapshot verify",
  "snapshot delete",
  "snapshot prune-incomplete",
  "snapshot hold",
  "snapshot release",
  "prune",
];
const TARGETS = ["create", "clear", "restore", "doctor"];

const skipsEtcd = { "skip-etcd": true };
const skipsCeph = { "skip-ceph": true };
const s3 = { store: "s3://bucket/a" };
const long = { "storage-provider": "S3", "store-container": "bucket" };

const ROWS: readonly Row[] = [
  { commands: EVERY, high: { quiet: true }, low: { verbose: true }, together: "error" },
  { commands: EVERY, high: { verbose: true }, low: { quiet: true }, together: "error" },
  ...["", "new-"].flatMap((which): Row[] => {
    const commands = which === "" ? WITH_PASSPHRASE : ["convert"];
    const file = { [`${which}passphrase-file`]: "f" };
    const program = { [`${which}passphrase-command`]: "c" };
    const variable = { [`${which}passphrase`]: "p" };
    const together = "error";
    return [
      { commands, high: file, low: program, together },
      { commands, high: program, low: file, together },
      { commands, high: file, low: variable, together },
      { commands, high: program, low: variable, together },
      { commands, high: variable, low: file, together },
      { commands, high: variable, low: program, together },
    ];
  }),
  ...["etcd", "cacert", "cert", "key", "user", "password"].map(
    (flag): Row => ({
      commands: TARGETS,
      high: { [flag]: "x" },
      low: skipsEtcd,
      together: "both",
      typedOnly: true,
    }),
  ),
  ...["cephconf", "ceph-user", "keyring"].map(
    (flag): Row => ({
      commands: TARGETS,
      high: { [flag]: "x" },
      low: skipsCeph,
      together: "both",
      typedOnly: true,
    }),
  ),
  ...(
    [
      ["include-pool", ["create", "clear", "doctor"]],
      ["skip-pool", ["create"]],
      ["restore-pool", ["restore", "doctor"]],
    ] as const
  ).flatMap(([flag, commands]): Row[] => [
    { commands, high: { [flag]: ["p"] }, low: skipsCeph, together: "error" },
    { commands, high: skipsCeph, low: { [flag]: ["p"] }, together: "error" },
  ]),
  ...[
    [skipsEtcd, skipsCeph],
    [skipsCeph, skipsEtcd],
  ].flatMap(([high = {}, low = {}]): Row[] => [
    { commands: ["create", "clear", "restore"], high, low, together: "both" },
    { commands: ["doctor"], high, low, stays: low, together: "both" },
  ]),
  {
    commands: TARGETS,
    high: { user: "other:word" },
    low: { password: "secret" },
    together: "both",
  },
  {
    commands: TARGETS,
    high: { user: "other" },
    low: { user: "root", password: "secret" },
    together: "both",
  },
  {
    commands: TARGETS,
    high: { user: "root" },
    low: { user: "root", password: "secret" },
    stays: { password: "secret" },
    together: "both",
  },
  {
    commands: TARGETS,
    high: { password: "secret" },
    low: { user: "root:old" },
    stays: { user: "root" },
    together: "both",
  },
  {
    commands: TARGETS,
    high: { etcd: ["http://h:1"] },
    low: { cacert: "ca", cert: "c", key: "k" },
    together: "both",
  },
  {
    commands: TARGETS,
    high: { etcd: ["https://h:1"] },
    low: { cacert: "ca" },
    stays: { cacert: "ca" },
    together: "both",
  },
  // A backup is read from one place.
  ...[
    s3,
    long,
    { "store-prefix": "p" },
    { "store-endpoint-override": "http://h" },
    { "secondary-store": "s3://b" },
    { "secondary-store-container": "b" },
    { snapshot: "latest" },
    { from: "secondary" },
  ].flatMap((place): Row[] => [
    { commands: READING, high: { outputdir: "d" }, low: place, together: "error" },
    { commands: READING, high: place, low: { outputdir: "d" }, together: "error" },
  ]),
  {
    commands: ["restore"],
    high: s3,
    low: { outputdir: "d", "with-base": ["b"] },
    together: "error",
  },
  {
    commands: ["restore"],
    high: { outputdir: "e" },
    low: { outputdir: "d", "with-base": ["b"] },
    together: "both",
  },
  // A status is of a server, or of stores.
  ...[s3, long, { "store-prefix": "p" }, { "secondary-store": "s3://b" }].flatMap(
    (place): Row[] => [
      { commands: ["status"], high: { server: "http://h" }, low: place, together: "error" },
      { commands: ["status"], high: place, low: { server: "http://h" }, together: "error" },
    ],
  ),
  // create writes into a folder and stores at once where one source says so.
  ...[s3, long].flatMap((store): Row[] => [
    { commands: ["create", "doctor"], high: { outputdir: "d" }, low: store, together: "both" },
    { commands: ["create", "doctor"], high: store, low: { outputdir: "d" }, together: "both" },
  ]),
  {
    commands: ["create", "doctor"],
    high: { outputdir: "d" },
    low: { ...s3, "store-endpoint-override": "http://h", "secondary-store": "s3://c" },
    together: "both",
  },
  {
    commands: ["create", "doctor"],
    high: { outputdir: "d", ...s3 },
    low: { "secondary-store": "s3://c" },
    stays: { "secondary-store": "s3://c" },
    together: "both",
  },
  {
    commands: ["create", "doctor"],
    high: { "secondary-store": "s3://c" },
    low: { outputdir: "d", ...s3 },
    stays: { outputdir: "d", ...s3 },
    together: "both",
  },
  // One store is one place, in short or in pieces.
  { commands: WITH_STORE, high: s3, low: long, together: "error" },
  { commands: WITH_STORE, high: long, low: s3, together: "error" },
  {
    commands: ["create", "copy", "snapshot list", "doctor"],
    high: { "secondary-store": "s3://c" },
    low: { "secondary-storage-provider": "GCS", "secondary-store-container": "d" },
    together: "error",
  },
  {
    commands: ["copy"],
    high: { "source-store": "s3://c" },
    low: { "source-storage-provider": "GCS", "source-store-container": "d" },
    together: "error",
  },
  {
    commands: WITH_STORE,
    high: { "store-container": "other" },
    low: { ...long, "store-prefix": "p" },
    stays: { "storage-provider": "S3", "store-prefix": "p" },
    together: "both",
  },
  {
    commands: WITH_STORE,
    high: { store: "s3://other" },
    low: { ...s3, "store-prefix": "p", "store-endpoint-override": "http://h" },
    stays: { "store-endpoint-override": "http://h" },
    together: "both",
  },
  {
    commands: WITH_STORE,
    high: { store: "s3://other" },
    low: { "store-prefix": "p" },
    stays: { "store-prefix": "p" },
    together: "both",
  },
  ...["gs://other", "file:///other", "rclone:other:x"].map(
    (store): Row => ({
      commands: WITH_STORE,
      high: { store },
      low: { ...s3, "store-endpoint-override": "http://h" },
      together: "both",
    }),
  ),
  {
    commands: WITH_STORE,
    high: { store: "file:///other" },
    low: { "store-endpoint-override": "http://h" },
    together: "both",
  },
  // The store that is typed is the one that a command works on.
  ...[s3, long, { "store-prefix": "p" }].flatMap((store): Row[] => [
    { commands: OF_ONE_STORE, high: store, low: { from: "secondary" }, together: "both" },
    { commands: OF_ONE_STORE, high: { from: "secondary" }, low: store, together: "both" },
    {
      commands: READING,
      high: store,
      low: { from: "newest-complete" },
      stays: { from: "newest-complete" },
      together: "both",
    },
  ]),
  {
    commands: OF_ONE_STORE,
    high: { "secondary-store": "s3://c" },
    low: { ...s3, from: "primary" },
    together: "both",
  },
  {
    commands: OF_ONE_STORE,
    high: { "secondary-store": "s3://c" },
    low: { ...s3, from: "secondary" },
    stays: { ...s3, from: "secondary" },
    together: "both",
  },
  {
    commands: READING,
    high: { "secondary-store": "s3://c" },
    low: { ...s3, from: "newest-complete" },
    stays: { ...s3, from: "newest-complete" },
    together: "both",
  },
  {
    commands: ["create", "copy", "snapshot list", "doctor"],
    high: { "secondary-store": "s3://c" },
    low: s3,
    stays: s3,
    together: "both",
  },
  {
    commands: ["copy"],
    high: { "source-store": "s3://c" },
    low: { "secondary-store": "s3://d", "secondary-store-prefix": "p" },
    together: "both",
  },
  {
    commands: ["copy"],
    high: { "secondary-store": "s3://c" },
    low: { "source-storage-provider": "S3", "source-store-container": "d" },
    together: "both",
  },
  {
    commands: ["snapshot verify"],
    high: { "read-data": true },
    low: { "read-data-subset": "5%" },
    together: "error",
  },
  {
    commands: ["snapshot verify"],
    high: { "read-data-subset": "5%" },
    low: { "read-data": true },
    together: "error",
  },
  ...[{ "keep-daily": "7", "keep-within": "1m" }, { "max-backups": "3" }].map(
    (rules): Row => ({
      commands: ["prune"],
      high: { "garbage-collection-policy": "Exponential" },
      low: rules,
      together: "error",
    }),
  ),
  {
    commands: ["prune"],
    high: { "garbage-collection-policy": "Keep" },
    low: { "keep-daily": "7" },
    stays: { "keep-daily": "7" },
    together: "both",
  },
  // What a typed rule needs is asked for, and not chosen.
  {
    commands: ["prune"],
    high: { "keep-daily": "7", "garbage-collection-policy": "Keep" },
    low: { "max-backups": "3" },
    together: "error",
  },
  // Of pools, only those that are meant.
  {
    commands: ["create"],
    high: { "include-pool": ["a", "c"] },
    low: { "skip-pool": ["a", "b"] },
    stays: { "skip-pool": ["b"] },
    together: "both",
  },
  {
    commands: ["create"],
    high: { "include-pool": ["a"] },
    low: { "skip-pool": ["a"] },
    together: "both",
  },
  {
    commands: ["create"],
    high: { "skip-pool": ["a"] },
    low: { "include-pool": ["a", "b"] },
    stays: { "include-pool": ["b"] },
    together: "both",
  },
];

const PAIRS = [
  ["typed", "environment"],
  ["typed", "file"],
  ["environment", "file"],
] as const;

for (const { commands, high, low, stays = {}, together, typedOnly } of ROWS) {
  const title = `${JSON.stringify(high)} over ${JSON.stringify(low)}: ${commands.join(", ")}`;
  test(title, (t) => {
    for (const command of commands) {
      for (const [first, second] of PAIRS) {
        const given = { [first]: high, [second]: low };
        const kept = typedOnly && first !== "typed" ? { ...low, ...high } : { ...stays, ...high };
        t.deepEqual(settled(command, given), kept, `${command}: ${first}, ${second}`);
      }
      for (const source of ORDER) {
        const both = { [source]: { ...low, ...high } };
        if (together === "error") {
          const error = t.throws(() => settled(command, both), { instanceOf: UsageError });
          t.regex(error?.message ?? "", new RegExp(`@${source} .*contradicts .*@${source}`));
        } else {
          t.deepEqual(settled(command, both), { ...low, ...high }, `${command}: ${source}`);
        }
      }
    }
  });
}

test("a flag that is off contradicts nothing", (t) => {
  const off = { "skip-etcd": false, "skip-ceph": false, quiet: false };
  const on = { etcd: ["h:1"], "include-pool": ["p"], verbose: true };
  for (const source of ORDER) {
    t.deepEqual(settled("create", { [source]: { ...off, ...on } }), { ...off, ...on });
  }
  t.deepEqual(settled("create", { typed: off, file: { ...skipsEtcd, ...on } }), { ...off, ...on });
});

test("what is replaced itself replaces nothing", (t) => {
  const given = { typed: { outputdir: "d" }, environment: s3, file: { outputdir: "e", ...long } };
  t.deepEqual(settled("inspect", given), { outputdir: "d" });
  t.deepEqual(
    settled("create", { typed: { etcd: ["h:1"] }, environment: skipsEtcd, file: skipsCeph }),
    { etcd: ["h:1"], ...skipsCeph },
  );
});

test("skipping all pools that are named is an error, and not a backup of all others", (t) => {
  const given = { typed: { "skip-pool": ["a"] }, file: { "include-pool": ["a"] } };
  t.throws(() => settled("create", given), {
    instanceOf: UsageError,
    message: /^skip-pool@typed.* leaves out all that include-pool@file names$/,
  });
});

test("yes counts only when it is typed", (t) => {
  for (const command of ["clear", "snapshot delete", "prune"]) {
    for (const source of ["environment", "file"] as const) {
      t.throws(() => settled(command, { [source]: { yes: true } }), {
        instanceOf: UsageError,
        message: `yes@${source} is not allowed: this setting must be typed`,
      });
      t.deepEqual(settled(command, { typed: { yes: true }, [source]: { yes: true } }), {
        yes: true,
      });
    }
  }
});

test("variables of etcd-backup-restore yield to the tool's own", (t) => {
  const borrowed = level("environment", long).map((one) => ({ ...one, borrowed: true as const }));
  const kept = (command: string, own: Values) =>
    effectiveSettings(command, [[], [...level("environment", own), ...borrowed]]).map(
      ({ name }) => name,
    );
  t.deepEqual(kept("snapshot list", s3), ["store"]);
  t.deepEqual(kept("inspect", { outputdir: "d" }), ["outputdir"]);
  t.deepEqual(kept("create", { outputdir: "d" }), ["outputdir", ...Object.keys(long)]);
});

test("a secondary store of etcd-backup-restore is used only by a command that chooses one", (t) => {
  const secondary = { "secondary-storage-provider": "S3", "secondary-store-container": "bucket" };
  const borrowed = level("environment", secondary).map((one) => ({
    ...one,
    borrowed: true as const,
  }));
  const kept = (command: string, typed: Values) =>
    effectiveSettings(command, [level("typed", typed), borrowed]).map(({ name }) => name);
  for (const command of READING) {
    t.deepEqual(kept(command, {}), []);
    t.deepEqual(kept(command, { from: "secondary" }), ["from", ...Object.keys(secondary)]);
    const prefix = { "secondary-store-prefix": "p" };
    t.deepEqual(kept(command, prefix), [...Object.keys(prefix), ...Object.keys(secondary)]);
  }
  t.deepEqual(kept("create", {}), Object.keys(secondary));
});

test("no source after the first changes what the first says", (t) => {
  const values = fc.dictionary(
    fc.constantFrom(
      "outputdir",
      "store",
      "storage-provider",
      "store-container",
      "store-prefix",
      "secondary-store",
      "snapshot",
      "from",
      "user",
      "passphrase-file",
    ),
    fc.constantFrom("S3", "s3://b", "primary", "secondary", "a:b"),
  );
  fc.assert(
    fc.property(fc.constantFrom(...EVERY), values, values, values, (command, a, b, c) => {
      const alone = attempt(() => settled(command, { typed: a }));
      const all = attempt(() => settled(command, { typed: a, environment: b, file: c }));
      if (alone === undefined) t.is(all, undefined);
      if (alone === undefined || all === undefined) return;
      for (const [name, value] of Object.entries(alone)) t.is(all[name], value);
    }),
  );
});

function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}
