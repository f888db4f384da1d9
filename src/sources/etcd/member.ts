import { EtcdConnection } from "./connection.js";
import {
  type Alarm,
  decodeAlarms,
  decodeStatus,
  EMPTY_REQUEST,
  type MemberStatus,
} from "./maintenance-messages.js";
import type { EtcdOptions } from "./options.js";

export type { Alarm, MemberStatus } from "./maintenance-messages.js";

/** One member alone, to be asked how it is: nobody else answers for it. */
export class EtcdMember {
  readonly #connection: EtcdConnection;

  private constructor(connection: EtcdConnection) {
    this.#connection = connection;
  }

  /**
   * Resolves when the member answers, takes the login, and lets it read what a backup reads.
   *
   * @throws EtcdError, UsageError, InterruptedError
   */
  static async connect(
    endpoint: string,
    options: Omit<EtcdOptions, "endpoints">,
    signal: AbortSignal,
  ): Promise<EtcdMember> {
    return new EtcdMember(await EtcdConnection.open({ ...options, endpoints: [endpoint] }, signal));
  }

  async status(signal: AbortSignal): Promise<MemberStatus> {
    return decodeStatus(
      await this.#connection.call("Maintenance/Status", EMPTY_REQUEST, { signal }),
    );
  }

  /** Of all members. Needs a leader. */
  async alarms(signal: AbortSignal): Promise<Alarm[]> {
    return decodeAlarms(
      await this.#connection.call("Maintenance/Alarm", EMPTY_REQUEST, { signal }),
    );
  }

  close(): void {
    this.#connection.close();
  }
}
