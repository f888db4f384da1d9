import test from "ava";
import fc from "fast-check";
import { type AlertMessage, firing, resolved } from "../../../src/server/alerts/message.js";
import { AlertQueue } from "../../../src/server/alerts/queue.js";

const NOW = new Date();

/** The next message of a condition: they alternate. */
function messagesOf(keys: readonly number[]): AlertMessage[] {
  const on = new Set<number>();
  return keys.map((key) => {
    const alert = { key: `${key}`, name: "sync-lag", message: "", since: "" } as const;
    if (on.delete(key)) return resolved(alert, "host-1", NOW);
    on.add(key);
    return firing(alert, "host-1");
  });
}

/** The conditions that hold, for a receiver of these messages. */
function activeAfter(messages: readonly AlertMessage[]): string[] {
  const active = new Set<string>();
  for (const { key, status } of messages) {
    if (status === "firing") active.add(key);
    else active.delete(key);
  }
  return [...active].sort();
}

test("after a full queue a receiver still learns the last state of each condition", async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(4), { maxLength: 60 }), fc.nat(20), async (keys, taken) => {
      const queue = new AlertQueue(6);
      const received: AlertMessage[] = [];
      const messages = messagesOf(keys);
      for (const [i, message] of messages.entries()) {
        queue.push(message);
        t.true(queue.length <= 6);
        if (i < taken && i % 2 === 0) received.push((await queue.shift()) ?? t.fail());
      }
      while (queue.length > 0) received.push((await queue.shift()) ?? t.fail());
      t.deepEqual(activeAfter(received), activeAfter(messages));
      const order = received.map((message) => messages.indexOf(message));
      t.deepEqual(
        order,
        order.toSorted((a, b) => a - b),
      );
    }),
  );
});

test("one that waits for a message gets it, or the end", async (t) => {
  const queue = new AlertQueue(6);
  const waiting = queue.shift();
  const [message] = messagesOf([1]);
  if (message !== undefined) queue.push(message);
  t.is(await waiting, message);
  const last = queue.shift();
  queue.end();
  t.is(await last, undefined);
  t.is(await queue.shift(), undefined);
});
