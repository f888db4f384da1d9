import { createRequire } from "node:module";
import { loadSync } from "@grpc/proto-loader";
import fc from "fast-check";

const PROTO = createRequire(import.meta.url).resolve("etcd3/proto/rpc.proto");
const definitions = loadSync(PROTO, { keepCase: true });

/** A response as etcd sends it. `method` is `Service/Method`; enums are numbers. */
export function encodeResponse(method: string, response: object): Buffer {
  const [service = "", name = ""] = method.split("/");
  const definition = definitions[`etcdserverpb.${service}`];
  if (definition === undefined || "format" in definition) throw new Error(`no service ${service}`);
  const rpc = definition[name];
  if (rpc === undefined) throw new Error(`no method ${method}`);
  return rpc.responseSerialize(response);
}

/** Damaged and truncated responses, and any bytes. */
export function anyResponse(responses: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  const damaged = fc.tuple(responses, fc.nat(), fc.nat(255)).map(([response, at, byte]) => {
    response[at % response.length] = byte;
    return response;
  });
  const cut = fc
    .tuple(responses, fc.nat())
    .map(([response, at]) => response.subarray(0, at % response.length));
  const any = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
  return fc.oneof(any, damaged, cut);
}
