import { InterruptedError } from "../errors.js";
import { sleep } from "../flow/sleep.js";
import type { OperationEvent } from "../operations/events.js";
import { type Conditions, conditionsOf } from "./conditions.js";
import { HttpServer } from "./http/http-server.js";
import { newestBackups } from "./jobs/due.js";
import { failureOf } from "./jobs/job.js";
import { JobRunner } from "./jobs/runner.js";
import { Timetable } from "./jobs/timetable.js";
import { Work, type WorkOptions } from "./jobs/work.js";
import type { Lead, Leader } from "./leader.js";
import type { Log } from "./log.js";
import { Metrics } from "./metrics.js";
import type { Sites } from "./sites.js";
import { type Failure, JOB_NAMES, type JobName, type TriggerResult } from "./status.js";
import { StatusView } from "./status-view.js";

/** Time between two looks at what is due, ms. */
const LOOK_MS = 1000;
/** Share of the grace period that is left for what still runs then to be cut off, and its files to be removed. */
const CUT_SHARE = 1 / 3;
