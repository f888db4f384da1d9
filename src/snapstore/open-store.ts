import type { StoreConfig } from "./config.js";
import type { SnapStore } from "./store.js";

/**
 * Opens a store. Loads the library of its provider, and does not connect yet.
 *
 * @throws StoreError STORE_CREDENTIALS for missing or malformed credentials
 */
export async function openStore(config: StoreConfig): Promise<SnapStore> {
  switch (config.provider) {
    case "Local":
      return new (await import("./local/store.js")).LocalStore(config);
    case "S3":
    case "ECS":
    case "OCS":
    case "OSS":
      return new (await import("./s3/store.js")).S3Store(config);
    case "ABS":
      return new (await import("./abs/store.js")).AbsStore(config);
    case "GCS":
      return new (await import("./gcs/store.js")).GcsStore(config);
    case "Swift":
      return new (await import("./swift/store.js")).SwiftStore(config);
    case "Rclone":
      return new (await import("./rclone/store.js")).RcloneStore(config);
  }
}
