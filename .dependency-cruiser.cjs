/**
 * The rooms of src/ in the order of docs/architecture.md: an import points down this list, never up.
 * What is not named here (src/errors.ts and its neighbours) is below all of them.
 */
const ROOMS = [
  "cli",
  "server",
  "settings",
  "operations",
  "replication",
  "snapshots",
  "archive",
  "snapstore",
  "sources",
  "flow",
  "threads",
  "files",
];

/** A room imports itself and what is below it. */
const roomRules = ROOMS.map((room, i) => ({
  name: `${room}-imports-only-what-is-below`,
  severity: "error",
  from: { path: `^src/${room}/` },
  to: { path: `^src/(${ROOMS.slice(0, i).join("|") || "none"})/` },
}));

const except = (name, from, to) => ({
  name,
  severity: "error",
  from: { path: `^src/${from}` },
  to: { path: `^src/${to}` },
});

module.exports = {
  forbidden: [
    ...roomRules,
    except("files-of-src-itself-import-no-room", "[^/]+\\.ts$", "[^/]+/"),
    {
      name: "cli-starts-the-server-and-shows-its-status",
      severity: "error",
      from: { path: "^src/cli/" },
      to: { path: "^src/server/", pathNot: "^src/server/(run|status)\\.ts$" },
    },
    except("etcd-imports-no-ceph", "sources/etcd/", "sources/ceph/"),
    except("ceph-imports-no-etcd", "sources/ceph/", "sources/etcd/"),
    except(
      "only-operations-join-sources-and-stores",
      "(replication|snapshots|archive)/",
      "sources/",
    ),
    {
      name: "cli-starts-the-server-and-knows-nothing-else-of-it",
      severity: "error",
      from: { path: "^src/cli/" },
      to: { path: "^src/server/", pathNot: ["^src/server/run\\.ts$"] },
    },
    except("archives-import-no-store", "archive/", "snapstore/"),
    except("stores-import-no-source", "snapstore/", "sources/"),
    {
      name: "no-cycles",
      severity: "error",
      from: { path: "^src/" },
      // Types alone may refer to each other both ways.
      to: { circular: true, dependencyTypesNot: ["type-only"] },
    },
    {
      name: "no-orphans",
      severity: "error",
      from: { orphan: true, path: "^src/", pathNot: ["worker\\.ts$"] },
      to: {},
    },
    {
      name: "src-needs-no-tests",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^(test|bench)/" },
    },
    {
      name: "src-needs-no-dev-dependency",
      severity: "error",
      from: { path: "^src/" },
      // A peer is optional: src/native-addon.ts works without zstd-napi.
      to: {
        dependencyTypes: ["npm-dev", "npm-no-pkg"],
        dependencyTypesNot: ["type-only", "npm-peer"],
      },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "require", "node", "default"],
    },
  },
};
