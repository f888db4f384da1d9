import type { StoreConfig } from "./config.js";
import type { SnapStore } from "./store.js";

/** Opens a store by its provider, whose library is loaded only now. Throws StoreError. */
export async function openStore(config: StoreConfig): Promise<SnapStore> {
  switch (config.provider) {
    case "Local": {
      const { LocalStore } = await import("./local/store.js");
      return new LocalStore(config);
    }
    case "S3":
    case "ECS":
    case "OCS":
    case "OSS": {
      const { S3Store } = await import("./s3/store.js");
      return new S3Store(config);
    }
    case "ABS": {
      const { openAbsStore } = await import("./abs/store.js");
      return await openAbsStore(config);
    }
    case "GCS": {
      const { openGcsStore } = await import("./gcs/store.js");
      return await openGcsStore(config);
    }
    case "Swift": {
      const { openSwiftStore } = await import("./swift/store.js");
      return await openSwiftStore(config);
    }
    case "Rclone": {
      const { openRcloneStore } = await import("./rclone/store.js");
      return await openRcloneStore(config);
    }
  }
}
