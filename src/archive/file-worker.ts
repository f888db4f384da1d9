import { createHash, type Hash } from "node:crypto";
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import type { FileJob, FileReply } from "./file-jobs.js";

const port = parentPort;
if (port === null) throw new Error("file-worker runs as a worker thread only");

interface OpenFile {
  readonly hash: Hash;
  /** Absent when the file is only hashed. */
  readonly fd: number | undefined;
  readonly temporary: string;
  readonly path: string;
  size: number;
}

const files = new Map<number, OpenFile>();

function writeAll(fd: number, bytes: Uint8Array): void {
  let done = 0;
  while (done < bytes.length) done += writeSync(fd, bytes, done, bytes.length - done);
}

function fileOf(job: FileJob): OpenFile {
  const file = files.get(job.file);
  if (file === undefined) throw new Error("a file that is not open");
  return file;
}

function run(job: FileJob): FileReply {
  switch (job.kind) {
    case "open": {
      const fd = job.path === undefined ? undefined : openSync(job.temporary, "wx", 0o600);
      const path = job.path ?? "";
      files.set(job.file, {
        hash: createHash("sha256"),
        fd,
        temporary: job.temporary,
        path,
        size: 0,
      });
      return { id: job.id };
    }
    case "append": {
      const file = fileOf(job);
      const bytes = new Uint8Array(job.memory, job.from, job.length);
      file.hash.update(bytes);
      if (file.fd !== undefined) writeAll(file.fd, bytes);
      file.size += bytes.length;
      return { id: job.id };
    }
    case "finish": {
      const file = fileOf(job);
      files.delete(job.file);
      if (file.fd !== undefined) {
        fsyncSync(file.fd);
        closeSync(file.fd);
        renameSync(file.temporary, file.path);
      }
      return { id: job.id, size: file.size, sha256: file.hash.digest("hex") };
    }
    case "abandon": {
      const file = files.get(job.file);
      files.delete(job.file);
      if (file?.fd !== undefined) {
        closeSync(file.fd);
        rmSync(file.temporary, { force: true });
      }
      return { id: job.id };
    }
  }
}

port.on("message", (job: FileJob) => {
  let reply: FileReply;
  try {
    reply = run(job);
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    reply = { id: job.id, error: message, ...(code === undefined ? {} : { errno: code }) };
  }
  port.postMessage(reply);
});
