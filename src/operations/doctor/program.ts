import type { AreaChecks } from "./check.js";

const OLDEST_NODE = [20, 19] as const;

/** This program, and what runs it. */
export function checkProgram(checks: AreaChecks, toolVersion: string): void {
  const { versions, platform, arch } = process;
  checks.ok("version", `backuptool ${toolVersion} on ${platform} ${arch}`);
  const [major = 0, minor = 0] = versions.node.split(".").map(Number);
  const [oldest, oldestMinor] = OLDEST_NODE;
  if (major > oldest || (major === oldest && minor >= oldestMinor)) {
    checks.ok("node", versions.node);
  } else {
    checks.failed("node", versions.node, `install Node ${OLDEST_NODE.join(".")} or later`);
  }
}
