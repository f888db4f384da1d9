import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { RcloneStore } from "../../../src/snapstore/rclone/store.js";
import { newFolder } from "../../support/folders.js";
import { newBucket, radosgw } from "../../support/stores/s3-buckets.js";
import { conformance } from "../conformance.js";

const bucket = await newBucket();
const { endpoint, credentials } = radosgw();
const configFile = join(newFolder(), "rclone.conf");
writeFileSync(
  configFile,
  `[ceph]
type = s3
provider = Ceph
endpoint = ${endpoint}
access_key_id = ${credentials.accessKeyId}
secret_access_key = ${credentials.secretAccessKey}
`,
);

conformance(
  "Rclone on an S3 remote, radosgw",
  async (prefix) =>
    new RcloneStore({ provider: "Rclone", container: `ceph:${bucket}`, prefix, configFile }),
  { findsStaleUploads: false, secrets: [credentials.secretAccessKey], serial: true },
);
