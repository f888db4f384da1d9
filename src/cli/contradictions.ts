import type { Setting } from "./setting.js";
import { secondaryStoreFlags, sourceStoreFlags, storeFlags } from "./store-flags.js";
import { providerNamed } from "../snapstore/settings/location.js";
import { flagOf, type StoreRole } from "../snapstore/settings/roles.js";

/** A flag that takes part in a contradiction, with any value or only where `when` holds. */
interface Part {
  readonly name: string;
  readonly when?: (setting: Setting) => boolean;
}

/** What a rule can look at besides the two settings. */
export interface Surroundings {
  /** The setting of the source that goes first. */
  readonly high: Setting;
  /** All that the other setting's source says. */
  readonly level: readonly Setting[];
  /** What is kept of the sources that go before it. */
  readonly above: readonly Setting[];
  /** What every source says. */
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
  readonly applies?: (surroundings: Surroundings) => boolean;
  /** Both from one source are an error, which ends with these words. Without it the command decides. */
  readonly error?: string;
}

/** Flags that a variable or a file cannot set: they answer for this one run. */
export const TYPED_ONLY: readonly string[] = ["yes"];

/** A passphrase in a variable, which no flag can be: by the name that rules use, and its variable. */
export const PASSPHRASE_VARIABLES = [
  { name: "passphrase", variable: "BACKUPTOOL_PASSPHRASE", besides: "passphrase-file" },
  { name: "new-passphrase", variable: "BACKUPTOOL_NEW_PASSPHRASE", besides: "new-passphrase-file" },
] as const;

const READING = ["inspect", "restore", "cat"];
const OF_ONE_STORE = [
  ...READING,
  "snapshot verify",
  "snapshot delete",
  "snapshot prune-incomplete",
];
/** Both a folder and stores can be used at once. */
const OF_BOTH = ["create", "doctor"];

const any = (...names: readonly string[]): Part[] => names.map((name) => ({ name }));
const on = (name: string): Part => ({ name, when: ({ value }) => value === true });
const typed = (...names: readonly string[]): Part[] =>
  names.map((name) => ({ name, when: ({ source }) => source === "typed" }));
const is = (name: string, wanted: string): Part => ({
  name,
  when: ({ value }) => value === wanted,
});

const PRIMARY = Object.keys(storeFlags);
const SECONDARY = Object.keys(secondaryStoreFlags);
const SOURCE = Object.keys(sourceStoreFlags);
/** What says which store it is, and not only where in it or how to get there. */
const naming = (role: StoreRole): string[] =>
  ["store", "storage-provider", "store-container"].map((name) => flagOf(role, name));

const POOLS = any("include-pool", "skip-pool", "restore-pool");

/** Every way in which settings contradict each other; docs/settings.md says the same in words. */
export const CONTRADICTIONS: readonly Contradiction[] = [
  { one: [on("quiet")], other: [on("verbose")], error: "" },
  { commands: ["cat"], one: any("cat"), other: [on("json")], oneWay: true },
  ...["passphrase", "new-passphrase"].flatMap((name) => [
    { one: any(`${name}-file`), other: any(`${name}-command`), error: "" },
    { one: any(name), other: any(`${name}-file`, `${name}-command`), error: "" },
  ]),
  // Where etcd and Ceph are, and as whom, does not ask for them unless it is typed: a variable may be set for all jobs.
  { one: [on("skip-etcd")], other: typed("etcd", "cacert", "cert", "key", "user", "password") },
  { one: [on("skip-ceph")], other: typed("cephconf", "ceph-user", "keyring") },
  { one: POOLS, other: [on("skip-ceph")], error: "" },
  {
    commands: ["create", "clear", "restore"],
    one: [on("skip-etcd")],
    other: [on("skip-ceph")],
  },
  // A password belongs to the user beside it, and `user:password` brings its own.
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
    commands: ["restore"],
    one: any("outputdir", "snapshot", "from", ...PRIMARY, ...SECONDARY),
    other: any("with-base"),
    oneWay: true,
    applies: ({ level }) => has(level, ["outputdir"]),
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
  // The command then says that --from is missing, instead of working on the store that was not typed.
  {
    commands: OF_ONE_STORE,
    one: any(...SECONDARY),
    other: any(...PRIMARY),
    oneWay: true,
    applies: ({ above, all }) =>
      !has(above, ["from"]) &&
      !all.some(({ name, value }) => name === "from" && value !== "primary"),
  },
  { commands: ["copy"], one: any(...SOURCE), other: any(...SECONDARY) },
  {
    commands: ["snapshot verify"],
    one: [on("read-data")],
    other: any("read-data-subset"),
    error: "",
  },
];

/** The short form of a store names all of it; the long form can come in pieces. */
function withinStore(role: StoreRole): Contradiction[] {
  const [short = "", provider = "", container = ""] = naming(role);
  const prefix = flagOf(role, "store-prefix");
  const endpoint = flagOf(role, "store-endpoint-override");
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

function textsOf(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value]).flatMap((text) => String(text).split(","));
}

function isWithoutTls(endpoint: string): boolean {
  return endpoint.trim().toLowerCase().startsWith("http://");
}
