import { tmpdir } from "node:os";
import type { EtcdParts } from "../operations/create/etcd.js";
import type { StoreDestination } from "../operations/create/destination.js";
import { type StoreSettings, storeConfig } from "../snapstore/settings/store-settings.js";
import type { SettingsContext } from "./setting.js";
import type {
  etcdModeSettings,
  sealSettings,
  serverEtcdModeSettings,
  spoolSettings,
} from "./declarations.js";
import type { Values } from "./kinds.js";
import type { secondaryUploadSettings, uploadSettings } from "./store-declarations.js";

type UploadValues = Values<typeof uploadSettings & typeof secondaryUploadSettings>;
type UploadOptions = Omit<StoreDestination, "config">;

/** How the archive files of a new backup are made. */
export function sealOptions(values: Values<typeof sealSettings>) {
  const { "archive-size": archiveSize, "compression-level": compressionLevel, kdf } = values;
  return { archiveSize, compressionLevel, kdf };
}

export function spoolDir(values: Values<typeof spoolSettings>): string {
  return values["spool-dir"] ?? tmpdir();
}

/** How a new backup holds etcd. */
export function etcdParts(values: Values<typeof etcdModeSettings>): EtcdParts {
  return { etcdMode: values["etcd-mode"], spoolDir: spoolDir(values) };
}

/** The same for full backups of a server. */
export function serverEtcdParts(values: Values<typeof serverEtcdModeSettings>): EtcdParts {
  const { "etcd-mode": mode } = values;
  return {
    etcdMode: mode ?? "both",
    rawIsOptional: mode === undefined,
    spoolDir: spoolDir(values),
  };
}

export function uploadOptions(values: UploadValues, role: "primary" | "secondary"): UploadOptions {
  return role === "primary"
    ? {
        minChunkBytes: values["min-chunk-size"],
        maxParallelChunks: values["max-parallel-chunk-uploads"],
      }
    : {
        minChunkBytes: values["secondary-min-chunk-size"],
        maxParallelChunks: values["secondary-max-parallel-chunk-uploads"],
      };
}

/** A store to send a new backup to; undefined when no setting names it. @throws UsageError */
export function storeDestination(
  values: UploadValues & StoreSettings,
  role: "primary" | "secondary",
  { env, warn }: SettingsContext,
): StoreDestination | undefined {
  const config = storeConfig(values, role, env, warn);
  return config && { config, ...uploadOptions(values, role) };
}
