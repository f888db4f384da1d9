/** The direction in which data flows is the direction in which folders may import. */
const layer = (name, from, allowed) => ({
  name,
  severity: "error",
  from: { path: `^src/${from}` },
  to: {
    path: "^src/",
    pathNot: [
      `^src/(errors|input-file|quoted|native-addon|in-parallel|shared-memory|sync-folder)\\.ts$`,
      ...allowed.map((to) => `^src/${to}`),
    ],
  },
});

module.exports = {
  forbidden: [
    layer("etcd-knows-only-etcd", "sources/etcd/", ["sources/etcd/"]),
    layer("ceph-knows-only-ceph", "sources/ceph/", ["sources/ceph/"]),
    layer("the-archive-knows-no-source", "archive/", ["archive/"]),
    layer("the-snapstore-knows-no-archive", "snapstore/", ["snapstore/"]),
    layer("replication-knows-archive-and-store", "replication/", [
      "replication/",
      "snapstore/",
      "archive/",
    ]),
    layer("operations-know-no-terminal", "operations/", [
      "operations/",
      "sources/",
      "archive/",
      "snapstore/",
      "replication/",
    ]),
    layer(
      "errors-know-nothing",
      "(errors|input-file|quoted|native-addon|in-parallel|shared-memory|sync-folder)\\.ts$",
      [],
    ),
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
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg"], dependencyTypesNot: ["type-only"] },
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
