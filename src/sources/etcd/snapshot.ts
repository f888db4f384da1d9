import { createHash, type Hash } from "node:crypto";
import { throwIfAborted } from "../../errors.js";
import { sleep } from "../../flow/sleep.js";
import { EtcdConnection } from "./connection.js";
import { EtcdError, mixedClusters } from "./errors.js";
import { EtcdMember, type MemberStatus } from "./member.js";
import type { EtcdOptions } from "./options.js";
import { SNAPSHOT } from "./rpc.js";

/** Takes the bytes of a raw snapshot. Its errors end the read. */
export interface SnapshotSink {
  /**
   * A stream begins: the bytes of an earlier one are void.
   *
   * @param attempt the member's endpoint, and the bytes that it says will come
   */
  begin(attempt: { readonly endpoint: string; readonly bytes: number }): Promise<void>;
  write(bytes: Buffer): Promise<void>;
}

/** A raw snapshot that was read: the database of one member, with its SHA-256 at the end. */
export interface RawSnapshot {
  readonly endpoint: string;
  /** Hexadecimal, as etcd prints it. */
  readonly clusterId: string;
  /** Id of the member, hexadecimal. */
  readonly member: string;
  /** Of all that came, the 32 bytes at the end included. */
  readonly bytes: number;
  /** Hexadecimal, of all that came. */
  readonly sha256: string;
  /** The cluster's revision before the snapshot was taken, which the database has reached. */
  readonly atLeast: number;
}

const DIGEST_BYTES = 32;
/** Longest wait for a message by default, ms. */
const SILENCE_MS = 30_000;
/** Bytes that are handed over at once: etcd sends 32 KiB a message. */
const WRITE_BYTES = 1 << 20;
/** How often all members are tried. */
const ROUNDS = 2;
const PAUSE_MS = 1_000;

/**
 * Reads the database of a member that has caught up: of a follower, which has less to do than the leader, or of the
 * leader when no follower is left. A member that fails is replaced by the next one.
 *
 * @throws EtcdError `ETCD_AUTH` without the root role, UsageError, InterruptedError
 */
export async function readRawSnapshot(
  options: EtcdOptions,
  sink: SnapshotSink,
  signal: AbortSignal,
): Promise<RawSnapshot> {
  let failure: EtcdError | undefined;
  for (let round = 1; round <= ROUNDS; round++) {
    if (failure !== undefined) await sleep(PAUSE_MS, signal);
    const { clusterId, atLeast, members } = await findMembers(options, signal);
    for (const member of members) {
      try {
        const read = await readFrom(member, clusterId, options, sink, signal);
        return { ...member, ...read, clusterId, atLeast };
      } catch (error) {
        if (!(error instanceof EtcdError) || error.code === "ETCD_AUTH") throw explain(error);
        failure = error;
      }
    }
  }
  throw failure ?? new EtcdError("ETCD_UNAVAILABLE", "no member of etcd can send a snapshot");
}

interface Candidate {
  readonly endpoint: string;
  readonly member: string;
}

/** The members in the order in which they are tried. */
async function findMembers(options: EtcdOptions, signal: AbortSignal) {
  const connection = await EtcdConnection.open(options, signal);
  const { clusterId } = connection;
  const atLeast = await connection.currentRevision(signal).finally(() => connection.close());
  const found: (MemberStatus & { endpoint: string })[] = [];
  const failures: unknown[] = [];
  await Promise.all(
    options.endpoints.map(async (endpoint) => {
      try {
        const status = await memberStatus(endpoint, options, signal);
        const isOurs = status.clusterId.toString(16) === clusterId;
        if (!isOurs) throw mixedClusters(endpoint, status.clusterId, clusterId);
        found.push({ ...status, endpoint });
      } catch (error) {
        failures.push(error);
      }
    }),
  );
  throwIfAborted(signal);
  const members: Candidate[] = found
    .filter(({ isLearner, revision }) => !isLearner && revision >= atLeast)
    .sort((a, b) => Number(isLeader(a)) - Number(isLeader(b)))
    .map(({ endpoint, id }) => ({ endpoint, member: id.toString(16) }));
  if (members.length === 0 && failures.length > 0) throw failures[0];
  return { clusterId, atLeast, members };
}

function isLeader({ id, leader }: MemberStatus): boolean {
  return id === leader;
}

/** A member that answers has caught up: its answer to the probe of a new connection is linearizable. */
async function memberStatus(
  endpoint: string,
  options: EtcdOptions,
  signal: AbortSignal,
): Promise<MemberStatus> {
  const member = await EtcdMember.connect(endpoint, options, signal);
  try {
    return await member.status(signal);
  } finally {
    member.close();
  }
}

async function readFrom(
  { endpoint }: Candidate,
  clusterId: string,
  options: EtcdOptions,
  sink: SnapshotSink,
  signal: AbortSignal,
): Promise<{ bytes: number; sha256: string }> {
  const connection = await EtcdConnection.open({ ...options, endpoints: [endpoint] }, signal);
  try {
    // It may have been replaced since it was chosen.
    const id = BigInt(`0x${connection.clusterId}`);
    if (connection.clusterId !== clusterId) throw mixedClusters(endpoint, id, clusterId);
    const digest = new TrailingDigest();
    let expected: number | undefined;
    let pieces: Buffer[] = [];
    let waiting = 0;
    const flush = async (): Promise<void> => {
      const [only] = pieces;
      if (only === undefined) return;
      const bytes = pieces.length === 1 ? only : Buffer.concat(pieces);
      pieces = [];
      waiting = 0;
      digest.update(bytes);
      await sink.write(bytes);
    };
    const silenceMs = options.timeoutMs ?? SILENCE_MS;
    for await (const message of connection.stream(SNAPSHOT, {}, { signal, silenceMs })) {
      const { blob = Buffer.alloc(0), remaining_bytes: rest = "0" } = SNAPSHOT.decode(message);
      if (expected === undefined) {
        // etcd counts the bytes of the database; its digest follows in the last message.
        expected = Number(rest) + blob.length + DIGEST_BYTES;
        await sink.begin({ endpoint: connection.endpoint, bytes: expected });
      }
      pieces.push(blob);
      waiting += blob.length;
      if (digest.bytes + waiting > expected) break;
      if (waiting >= WRITE_BYTES) await flush();
    }
    await flush();
    if (digest.bytes === expected && digest.isRight()) {
      return { bytes: digest.bytes, sha256: digest.whole() };
    }
    const { endpoint: from } = connection;
    const why =
      digest.bytes === expected
        ? "its SHA-256 does not match"
        : `it has ${digest.bytes} bytes instead of ${expected ?? "any"}`;
    throw new EtcdError("ETCD_PROTOCOL", `the raw snapshot of etcd ${from} is damaged: ${why}`, {
      endpoint: from,
      operation: SNAPSHOT.name,
    });
  } finally {
    connection.close();
  }
}

function explain(error: unknown): unknown {
  if (!(error instanceof EtcdError) || error.operation !== SNAPSHOT.name) return error;
  if (!/permission denied/.test(error.message)) return error;
  const { code, message, endpoint, operation } = error;
  return new EtcdError(code, message, {
    cause: error,
    endpoint,
    operation,
    hint: "etcd sends its database only to a user with the role root",
    settings: ["user", "password"],
  });
}

/** SHA-256 of bytes of which the last 32 are the SHA-256 of those before. */
class TrailingDigest {
  readonly #before: Hash = createHash("sha256");
  #last = Buffer.alloc(0);
  bytes = 0;

  update(bytes: Buffer): void {
    this.bytes += bytes.length;
    if (bytes.length >= DIGEST_BYTES) {
      this.#before.update(this.#last).update(bytes.subarray(0, -DIGEST_BYTES));
      this.#last = Buffer.from(bytes.subarray(-DIGEST_BYTES));
    } else {
      const all = Buffer.concat([this.#last, bytes]);
      const end = Math.max(0, all.length - DIGEST_BYTES);
      this.#before.update(all.subarray(0, end));
      this.#last = all.subarray(end);
    }
  }

  isRight(): boolean {
    return this.#before.copy().digest().equals(this.#last);
  }

  /** Hexadecimal, of all bytes. */
  whole(): string {
    return this.#before.copy().update(this.#last).digest("hex");
  }
}
