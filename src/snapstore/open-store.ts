import type { StoreConfig } from "./config.js";
import type { SnapStore } from "./store.js";

/**
 * Opens a store by its provider, whose library is loaded only now. It connects to nothing yet.
 *
 * @throws StoreError STORE_CREDENTIALS where credentials are missing or cannot be read
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
