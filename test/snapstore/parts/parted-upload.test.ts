import test from "ava";
import { StoreError } from "../../../src/snapstore/errors.js";
import { PartedUpload } from "../../../src/snapstore/parts/parted-upload.js";
import type { UploadFacts } from "../../../src/snapstore/store.js";

const PART_BYTES = 4;

/** An upload to memory. `failures` counts the calls that will fail. */
class MemoryUpload extends PartedUpload<string> {
  readonly failures = { send: 0, join: 0, discard: 0 };
  joined: string | undefined;
  discarded = 0;

  constructor(order: "any-order" | "in-order" = "any-order") {
    super({ store: "memory", key: "a/b", partBytes: PART_BYTES }, order);
  }

  breakUpload(): void {
    this.break(this.failure("the session has expired"));
  }

  protected override async sendPart(number: number, bytes: Uint8Array): Promise<string> {
    this.#fail("send");
    return `${number}:${bytes.length}`;
  }

  protected override async joinParts(receipts: readonly string[]): Promise<void> {
    this.#fail("join");
    this.joined = receipts.join();
  }

  protected override async discardParts(): Promise<void> {
    this.discarded++;
    this.#fail("discard");
  }

  #fail(step: keyof typeof this.failures): void {
    if (this.failures[step]-- > 0)
      throw new StoreError("STORE_TRANSIENT", step, { store: "memory" });
  }
}

const facts = (parts: number, size: number): UploadFacts => ({ parts, size, sha256: "" });
const bytes = (length: number): Uint8Array => new Uint8Array(length);

test("parts in any order are joined in the order of their numbers", async (t) => {
  const upload = new MemoryUpload();
  await upload.part(2, bytes(1));
  await upload.part(0, bytes(4));
  await upload.part(1, bytes(4));
  await upload.complete(facts(3, 9));
  t.is(upload.joined, "0:4,1:4,2:1");
});

test("a part can be sent again, whether it failed or not", async (t) => {
  const upload = new MemoryUpload();
  upload.failures.send = 1;
  await t.throwsAsync(upload.part(0, bytes(4)), { message: /send/ });
  await upload.part(0, bytes(3));
  await upload.part(0, bytes(4));
  await upload.complete(facts(1, 4));
  t.is(upload.joined, "0:4");
});

test("complete can be repeated after a failure, and does nothing once it has succeeded", async (t) => {
  const upload = new MemoryUpload();
  await upload.part(0, bytes(4));
  upload.failures.join = 1;
  await t.throwsAsync(upload.complete(facts(1, 4)), { message: /join/ });
  await upload.complete(facts(1, 4));
  upload.joined = undefined;
  await upload.complete(facts(1, 4));
  t.is(upload.joined, undefined);
  await upload.abort();
  t.is(upload.discarded, 0);
});

test("parts that do not add up to the object are not joined", async (t) => {
  for (const wrong of [facts(1, 8), facts(2, 8), facts(2, 5), facts(3, 9), facts(1, 4)]) {
    const upload = new MemoryUpload();
    await upload.part(0, bytes(4));
    await upload.part(1, bytes(2));
    await t.throwsAsync(upload.complete(wrong), { instanceOf: StoreError });
    t.is(upload.joined, undefined);
  }
});

test("an in-order upload rejects gaps and parts after a short one", async (t) => {
  const upload = new MemoryUpload("in-order");
  await t.throwsAsync(upload.part(1, bytes(4)), { message: /out of order/ });
  await upload.part(0, bytes(2));
  await t.throwsAsync(upload.part(1, bytes(4)), { message: /out of order/ });
  await upload.part(0, bytes(4));
  await upload.complete(facts(1, 2));
  t.is(upload.joined, "0:2");
});

test("an aborted or broken upload accepts no more calls, and abort never throws", async (t) => {
  const aborted = new MemoryUpload();
  await aborted.part(0, bytes(4));
  aborted.failures.discard = 1;
  await aborted.abort();
  await aborted.abort();
  t.is(aborted.discarded, 1);
  await t.throwsAsync(aborted.part(0, bytes(4)), { message: /has ended/ });
  await t.throwsAsync(aborted.complete(facts(1, 4)), { message: /has ended/ });
  const broken = new MemoryUpload();
  await broken.part(0, bytes(4));
  broken.breakUpload();
  await t.throwsAsync(broken.complete(facts(1, 4)), { message: /the session has expired/ });
  await broken.abort();
  t.is(broken.discarded, 1);
});
