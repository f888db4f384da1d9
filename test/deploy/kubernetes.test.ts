import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { ServiceMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor";
import { Deployment } from "kubernetes-models/apps/v1/Deployment";
import { CronJob } from "kubernetes-models/batch/v1/CronJob";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1/PodDisruptionBudget";
import { ConfigMap } from "kubernetes-models/v1/ConfigMap";
import type { IPodSpec } from "kubernetes-models/v1/PodSpec";
import { Secret } from "kubernetes-models/v1/Secret";
import { Service } from "kubernetes-models/v1/Service";
import ts from "typescript";
import { parseAllDocuments } from "yaml";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const FOLDER = join(ROOT, "deploy/kubernetes");

/** Where the types of each kind are. */
const KINDS: Readonly<Record<string, string>> = {
  Deployment: "kubernetes-models/apps/v1",
  CronJob: "kubernetes-models/batch/v1",
  PodDisruptionBudget: "kubernetes-models/policy/v1",
  ConfigMap: "kubernetes-models/v1",
  Secret: "kubernetes-models/v1",
  Service: "kubernetes-models/v1",
  ServiceMonitor: "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
};

type Labels = Readonly<Record<string, string>>;

/** An object as the class of its kind, which checks it against the schema of the API. */
function modelOf(value: unknown) {
  if (Deployment.is(value)) return new Deployment(value);
  if (CronJob.is(value)) return new CronJob(value);
  if (PodDisruptionBudget.is(value)) return new PodDisruptionBudget(value);
  if (ConfigMap.is(value)) return new ConfigMap(value);
  if (Secret.is(value)) return new Secret(value);
  if (Service.is(value)) return new Service(value);
  if (ServiceMonitor.is(value)) return new ServiceMonitor(value);
  throw new Error(`no schema of the API is for ${JSON.stringify(value)}`);
}

const models = readdirSync(FOLDER).flatMap((file) =>
  parseAllDocuments(readFileSync(join(FOLDER, file), "utf8")).map((document) => {
    if (document.errors.length > 0) throw document.errors[0];
    return modelOf(document.toJS());
  }),
);

const cronJobs = models.filter((model) => model instanceof CronJob);
const secrets = models.filter((model) => model instanceof Secret);
const configMaps = models.filter((model) => model instanceof ConfigMap);
const [deployment, ...otherDeployments] = models.filter((model) => model instanceof Deployment);
const [service, ...otherServices] = models.filter((model) => model instanceof Service);
const [budget] = models.filter((model) => model instanceof PodDisruptionBudget);
const [monitor] = models.filter((model) => model instanceof ServiceMonitor);

/** Every Pod of the manifests. */
function pods(): IPodSpec[] {
  const specs = [
    deployment?.spec?.template.spec,
    ...cronJobs.map(({ spec }) => spec?.jobTemplate.spec?.template.spec),
  ];
  return specs.filter((spec) => spec !== undefined);
}

/** What the compiler says of objects as literals of their types, where a field that there is not is an error. */
function typeErrors(objects: readonly { readonly kind: string }[]): string[] {
  const lines = objects.map((object, i) => {
    const type = `import("${KINDS[object.kind]}/${object.kind}").I${object.kind}`;
    return `export const object${i}: ${type} = ${JSON.stringify(object)};`;
  });
  const path = join(ROOT, "manifests.mts");
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    lib: ["lib.es2023.d.ts"],
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === path || fileExists(name);
  host.getSourceFile = (name, ...more) =>
    name === path
      ? ts.createSourceFile(name, lines.join("\n"), ts.ScriptTarget.ES2022)
      : getSourceFile(name, ...more);
  const program = ts.createProgram([path], options, host);
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
}

test("each object fits the schema of the API", (t) => {
  t.deepEqual([...new Set(models.map(({ kind }) => kind))].sort(), Object.keys(KINDS).sort());
  for (const model of models) t.notThrows(() => model.validate(), model.kind);
  const wrong = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "x" } };
  t.throws(() => modelOf({ ...wrong, spec: { replicas: "2" } }).validate(), {
    message: /replicas/,
  });
});

test("no object has a field that the API does not know", (t) => {
  t.deepEqual(typeErrors(models), []);
  const wrong = { apiVersion: "v1", kind: "Service", spec: { prots: [] } };
  t.regex(typeErrors([wrong]).join(), /"prots"' does not exist/);
});

test("the objects find each other by their labels, names and ports", (t) => {
  t.deepEqual([...otherDeployments, ...otherServices], []);
  const includes = (labels: Labels | undefined, wanted: Labels | undefined) =>
    Object.entries(wanted ?? { none: "" }).every(([name, value]) => labels?.[name] === value);
  const podLabels = deployment?.spec?.template.metadata?.labels;
  t.true(includes(podLabels, deployment?.spec?.selector.matchLabels));
  t.true(includes(podLabels, service?.spec?.selector));
  t.true(includes(podLabels, budget?.spec?.selector?.matchLabels));
  // A Service or a budget must not count the Pods of jobs.
  for (const { spec } of cronJobs) {
    const labels = spec?.jobTemplate.spec?.template.metadata?.labels;
    t.false(includes(labels, service?.spec?.selector));
    t.false(includes(labels, budget?.spec?.selector?.matchLabels));
  }
  t.true(includes(service?.metadata?.labels, monitor?.spec.selector.matchLabels));
  const ofService = service?.spec?.ports;
  t.deepEqual(
    monitor?.spec.endpoints.map(({ port }) => port),
    ofService?.map(({ name }) => name),
  );
  const [container] = deployment?.spec?.template.spec?.containers ?? [];
  const ports = container?.ports?.map(({ name }) => name);
  t.deepEqual(
    ports?.map(String),
    ofService?.map(({ targetPort }) => String(targetPort)),
  );
  t.is(container?.livenessProbe?.httpGet?.path, "/healthz");
  t.is(container?.readinessProbe?.httpGet?.path, "/readyz");
  for (const probe of [container?.livenessProbe, container?.readinessProbe]) {
    t.true(ports?.includes(String(probe?.httpGet?.port)));
  }
});

test("each Pod mounts volumes that there are, and runs without rights", (t) => {
  const names = new Set(secrets.map(({ metadata }) => metadata?.name));
  const maps = new Set(configMaps.map(({ metadata }) => metadata?.name));
  for (const spec of pods()) {
    for (const { secret, configMap } of spec.volumes ?? []) {
      if (secret !== undefined) t.true(names.has(secret.secretName));
      if (configMap !== undefined) t.true(maps.has(configMap.name));
    }
    t.is(spec.securityContext?.runAsNonRoot, true);
    t.is(spec.automountServiceAccountToken, false);
    for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
      const volumes = spec.volumes?.map(({ name }) => name);
      for (const { name } of container.volumeMounts ?? []) t.true(volumes?.includes(name), name);
      t.is(container.securityContext?.readOnlyRootFilesystem, true);
      t.is(container.securityContext?.allowPrivilegeEscalation, false);
      t.deepEqual(container.securityContext?.capabilities?.drop, ["ALL"]);
      // A rotated secret reaches a folder, and no single file.
      t.true(container.volumeMounts?.every(({ subPath }) => subPath === undefined));
    }
  }
});
