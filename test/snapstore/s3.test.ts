import { S3Store } from "../../src/snapstore/s3/store.js";
import { newBucket, radosgw, s3Config } from "../support/s3-buckets.js";
import { conformance } from "./conformance.js";

const bucket = await newBucket();
const { accessKeyId, secretAccessKey } = radosgw().credentials;

conformance("S3 on radosgw", async (prefix) => new S3Store(s3Config(bucket, { prefix })), {
  secrets: [accessKeyId, secretAccessKey],
});
