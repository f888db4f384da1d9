import { providerNamed } from "../snapstore/settings/location.js";
import { type StoreRole, settingOf } from "../snapstore/settings/roles.js";
import { STORE_SETTINGS } from "../snapstore/settings/store-settings.js";
import { POLICY_SETTINGS } from "./retention.js";
import type { Setting, SettingValue } from "./setting.js";

/** One side of a contradiction: a setting with any value, or only where `when` holds. */
interface Part {
  readonly name: string;
  readonly when?: (setting: Setting) => boolean;
}

/** What a rule can depend on besides the two settings. */
export interface RuleContext {
  /** The setting of the source with precedence. */
  readonly high: Setting;
  /** All settings of the other setting's source. */
  readonly level: readonly Setting[];
  /** The effective settings of the sources with precedence over it. */
  readonly above: readonly Setting[];
  /** The settings of all sources. */
  readonly all: readonly Setting[];
}

/** Settings that cannot both have an effect. */
export interface Contradiction {
  /** Names of the commands; all of them by default. */
  readonly commands?: readonly string[];
  readonly one: readonly Part[];
  readonly other: readonly Part[];
  /** Only `one` replaces `other`; by default each replaces the other. */
  readonly oneWay?: true;
  readonly applies?: (context: RuleContext) => boolean;
  /** Both from one source are an error, which ends with this text. Absent: the command decides. */
  readonly error?: string;
}

/** Settings that a variable or a file cannot turn on: they answer a question of one run. */
export const TYPED_ONLY: readonly string[] = ["yes"];

/** Commands that read one backup, in a folder or a store. */
export const READING: readonly string[] = ["inspect", "restore", "cat", "etcd restore-founder"];
const OF_ONE_STORE = [
  ...READING,
  "snapshot verify",
  "snapshot delete",
  "snapshot prune-incomplete",
  "snapshot hold",
  "snapshot release",
  "prune",
];
/** Commands that can use a folder and stores at once. */
const OF_BOTH = ["create", "doctor"];

const any = (...names: readonly string[]): Part[] => names.map((name) => ({ name }));
const on = (name: string): Part => ({ name, when: ({ value }) => value === true });
const typed = (...names: readonly string[]): Part[] =>
  names.map((name) => ({ name, when: ({ source }) => source === "typed" }));
const is = (name: string, wanted: string): Part => ({
  name,
  when: ({ value }) => value === wanted,
});

const ofStore = (role: StoreRole): string[] => STORE_SETTINGS.map((name) => settingOf(role, name));
const PRIMARY = ofStore("primary");
export const SECONDARY = ofStore("secondary");
const SOURCE = ofStore("source");
/** The settings that name the store, and not only a path in it or its address. */
const naming = (role: StoreRole): string[] =>
  ["store", "storage-provider", "store-container"].map((name) => settingOf(role, name));

const POOLS = any("include-pool", "skip-pool", "restore-pool");

/** All contradictions between settings; docs/settings.md has the same in words. */
export const CONTRADICTIONS: readonly Contradiction[] = [
  { one: [on("quiet")], other: [on("verbose")], error: "" },
  { commands: ["cat"], one: any("cat"), other: [on("json")], oneWay: true },
  ...["passphrase", "new-passphrase"].flatMap((name) => [
    { one: any(`${name}-file`), other: any(`${name}-command`), error: "" },
    { one: any(name), other: any(`${name}-file`, `${name}-command`), error: "" },
  ]),
  ...[
    ["backup-sync-enabled", "secondary-backup-sync-enabled"],
    ["backup-sync-period", "secondary-backup-sync-period"],
    ["backup-sync-concurrent-copies", "max-parallel-copy-operations"],
  ].map(([name = "", alias = ""]) => ({
    commands: ["server", "status"],
    one: any(name),
    other: any(alias),
    error: ": both name the same setting",
  })),
  // An address or a user of etcd or Ceph asks for them only when typed: a variable may be set for all jobs.
  { one: [on("skip-etcd")], other: typed("etcd", "cacert", "cert", "key", "user", "password") },
  { one: [on("skip-ceph")], other: typed("cephconf", "ceph-user", "keyring") },
  { one: POOLS, other: [on("skip-ceph")], error: "" },
  { commands: ["create", "clear", "restore"], one: [on("skip-etcd")], other: [on("skip-ceph")] },
  // A password belongs to the user beside it, and `user:password` has its own.
  {
    one: any("user"),
    other: any("password"),
    oneWay: true,
    applies: ({ high, level }) =>
      String(high.value).includes(":") ||
      level.some(({ name, value }) => name === "user" && value !== high.value),
  },
  {
    one: [{ name: "etcd", when: ({ value }) => textsOf(value).some(isWithoutTls) }],
    other: any("cacert", "cert", "key"),
    oneWay: true,
  },
  {
    commands: READING,
    one: any("outputdir"),
    other: any("snapshot", "from", ...PRIMARY, ...SECONDARY),
    error: ": the backup is in one place",
  },
  {
    commands: ["restore", "compact"],
    one: any("target-revision"),
    other: any("target-time"),
    error: ": both name a moment",
  },
  {
    commands: ["restore"],
    one: any("etcd-snapshot-out"),
    other: any("etcd-data-dir"),
    error: ": a restore makes one of them",
  },
  {
    commands: ["restore"],
    one: any("etcd-snapshot-out", "etcd-data-dir"),
    other: any("restore-pool", "with-base"),
    error: ": Ceph is left alone where a file of etcd is made",
  },
  {
    commands: ["restore"],
    one: any("etcd-snapshot-out", "etcd-data-dir"),
    other: [on("skip-etcd")],
    error: "",
  },
  {
    commands: ["restore"],
    one: any("etcd-snapshot-out", "etcd-data-dir"),
    other: [on("etcd-quarantine")],
    error: ": a quarantine is of an etcd that is alive",
  },
  {
    commands: ["restore"],
    one: any("target-revision", "target-time"),
    other: any("restore-pool", "with-base"),
    error: ": a moment is of etcd alone; restore the pools by another command",
  },
  {
    commands: ["restore"],
    one: any("target-revision", "target-time"),
    other: [on("skip-etcd")],
    error: "",
  },
  {
    commands: ["restore"],
    one: any("outputdir", "snapshot", "from", ...PRIMARY, ...SECONDARY),
    other: any("with-base"),
    oneWay: true,
    applies: ({ level }) => has(level, ["outputdir"]),
  },
  {
    commands: ["etcd restore-founder"],
    one: any("snapshot-file"),
    other: any("outputdir", "snapshot", "from", ...PRIMARY, ...SECONDARY),
    error: ": the data comes from one place",
  },
  { commands: OF_BOTH, one: any("outputdir"), other: any(...naming("primary")) },
  {
    commands: OF_BOTH,
    one: any("outputdir"),
    other: any("store-prefix", "store-endpoint-override", ...SECONDARY),
    oneWay: true,
    applies: ({ above }) => !has(above, naming("primary")),
  },
  ...(["primary", "secondary", "source"] as const).flatMap(withinStore),
  { commands: OF_ONE_STORE, one: any(...PRIMARY), other: [is("from", "secondary")] },
  { commands: OF_ONE_STORE, one: any(...SECONDARY), other: [is("from", "primary")] },
  // The command then reports a missing `from`, instead of working on the store that was not typed.
  {
    commands: OF_ONE_STORE,
    one: any(...SECONDARY),
    other: any(...PRIMARY),
    oneWay: true,
    applies: ({ above, all }) =>
      !has(above, ["from"]) &&
      !all.some(({ name, value }) => name === "from" && value !== "primary"),
  },
  // A policy that is typed replaces the rules that a file has for another one.
  ...Object.entries(POLICY_SETTINGS).map(
    ([policy, names]): Contradiction => ({
      one: [{ name: "garbage-collection-policy", when: ({ value }) => value !== policy }],
      other: any(...names),
      oneWay: true,
      error: "",
    }),
  ),
  { commands: ["copy"], one: any(...SOURCE), other: any(...SECONDARY) },
  {
    commands: ["status"],
    one: any("server"),
    other: any(...PRIMARY, ...SECONDARY),
    error: ": the status is of a server or of stores",
  },
  {
    commands: ["snapshot verify"],
    one: [on("read-data")],
    other: any("read-data-subset"),
    error: "",
  },
];

/** The short form of a store names all of it; the parts of the long form can come from several sources. */
function withinStore(role: StoreRole): Contradiction[] {
  const [short = "", provider = "", container = ""] = naming(role);
  const prefix = settingOf(role, "store-prefix");
  const endpoint = settingOf(role, "store-endpoint-override");
  return [
    { one: any(short), other: any(provider, container), error: "" },
    {
      one: any(short),
      other: any(prefix),
      oneWay: true,
      applies: ({ level }) => has(level, naming(role)),
    },
    {
      one: any(provider, container),
      other: any(prefix),
      oneWay: true,
      applies: ({ level }) => has(level, [short]),
    },
    {
      one: any(short, provider),
      other: any(endpoint),
      oneWay: true,
      applies: ({ high, level }) => {
        const wanted = providerNamed(String(high.value));
        if (wanted === "Local" || wanted === "Rclone") return true;
        const beside = level.find(({ name }) => name === short || name === provider);
        return beside !== undefined && providerNamed(String(beside.value)) !== wanted;
      },
    },
  ];
}

function has(settings: readonly Setting[], names: readonly string[]): boolean {
  return settings.some(({ name }) => names.includes(name));
}

function textsOf(value: SettingValue): string[] {
  return [value].flat().flatMap((text) => String(text).split(","));
}

function isWithoutTls(endpoint: string): boolean {
  return endpoint.trim().toLowerCase().startsWith("http://");
}
