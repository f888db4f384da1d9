import type { FastifyReply } from "fastify";
import type { ServerResponse } from "node:http";
import { renderSections } from "../page/sections.js";
import type { ServerState } from "../status.js";
import { SECURITY_HEADERS } from "./answer-rules.js";
import type { HttpLimits } from "./limits.js";
import type { HttpLog } from "./parts.js";
import { HttpProblem } from "./problem.js";

interface Stream {
  readonly response: ServerResponse;
  /** The sections as they were sent, by their ids. */
  readonly sent: Map<string, string>;
  /** Bytes that a client had not taken at the last heartbeat, if it was behind. */
  waiting: number;
}

/**
 * Server-sent events for the status page: its sections, each after it has changed. A client that is slow gets the
 * newest state when it is ready, and none between.
 */
export class EventStreams {
  readonly #state: ServerState;
  readonly #limits: HttpLimits;
  readonly #log: HttpLog;
  readonly #streams = new Set<Stream>();
  #unsubscribe: (() => void) | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #gathering: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(state: ServerState, limits: HttpLimits, log: HttpLog) {
    this.#state = state;
    this.#limits = limits;
    this.#log = log;
  }

  /** Answers a request with a stream. */
  add(reply: FastifyReply): void {
    if (this.#closed || this.#streams.size >= this.#limits.eventStreams) {
      throw new HttpProblem(503, "TOO_MANY_STREAMS", "too many clients wait for events", {
        headers: { "retry-after": "30" },
      });
    }
    reply.hijack();
    const response = reply.raw;
    const stream: Stream = { response, sent: new Map(), waiting: 0 };
    this.#streams.add(stream);
    response.once("close", () => this.#remove(stream));
    // The connection may be lost at any write.
    response.on("error", () => this.#remove(stream));
    response.writeHead(200, {
      ...SECURITY_HEADERS,
      "content-type": "text/event-stream; charset=utf-8",
      // For nginx: no buffering of the answer.
      "x-accel-buffering": "no",
    });
    response.write("retry: 3000\n\n");
    this.#begin();
    this.#send([stream]);
  }

  get size(): number {
    return this.#streams.size;
  }

  close(): void {
    this.#closed = true;
    for (const { response } of this.#streams) response.end();
    this.#end();
  }

  #begin(): void {
    if (this.#unsubscribe !== undefined) return;
    this.#unsubscribe = this.#state.onChange(() => {
      this.#gathering ??= setTimeout(() => {
        this.#gathering = undefined;
        this.#send(this.#streams);
      }, this.#limits.gatherMs);
    });
    this.#heartbeat = setInterval(() => this.#beat(), this.#limits.heartbeatMs);
  }

  #end(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    clearInterval(this.#heartbeat);
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
  }

  #remove(stream: Stream): void {
    this.#streams.delete(stream);
    if (this.#streams.size === 0) this.#end();
  }

  /** Ages change without an event. */
  #beat(): void {
    for (const stream of this.#streams) {
      const { response, waiting } = stream;
      const isBehind = response.writableNeedDrain;
      stream.waiting = isBehind ? response.writableLength : 0;
      if (!isBehind) response.write(": alive\n\n");
      else if (waiting > 0 && stream.waiting >= waiting) response.destroy();
    }
    this.#send(this.#streams);
  }

  /** An error here would have no caller: it would end the process. */
  #send(streams: Iterable<Stream>): void {
    try {
      this.#sendChanges(streams);
    } catch (err) {
      this.#log.error({ err }, "the status page cannot be rendered");
      for (const { response } of streams) response.destroy();
    }
  }

  #sendChanges(streams: Iterable<Stream>): void {
    const sections = renderSections(this.#state.status());
    for (const { response, sent } of streams) {
      if (response.writableNeedDrain || response.destroyed) continue;
      for (const [id, html] of sections) {
        if (sent.get(id) === html) continue;
        sent.set(id, html);
        // One by one, which shows how far a slow client is.
        response.write(`event: section\ndata: ${JSON.stringify({ id, html })}\n\n`);
      }
    }
  }
}
