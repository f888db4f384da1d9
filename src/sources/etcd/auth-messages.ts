import type { Login } from "./login.js";
import { ProtoReader } from "./proto-reader.js";
import { ProtoWriter } from "./proto-writer.js";

/** `AuthenticateRequest` of etcd's `rpc.proto`. */
export function encodeAuthenticate(login: Login): Buffer {
  const writer = new ProtoWriter();
  writer.stringField(1, login.user);
  writer.stringField(2, login.password);
  return writer.finish();
}

/** The token of an `AuthenticateResponse`. */
export function decodeAuthToken(response: Buffer): string {
  const reader = new ProtoReader(response);
  let token = "";
  while (reader.more) {
    const tag = reader.tag();
    if (tag === ((2 << 3) | 2)) token = reader.bytes().toString();
    else reader.skip(tag);
  }
  return token;
}
