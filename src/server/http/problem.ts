/** An answer that is an error: a status, a stable code and words for the caller. */
export class HttpProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;
  /** More fields of the answer. */
  readonly fields: object;

  constructor(
    status: number,
    code: string,
    message: string,
    {
      headers = {},
      fields = {},
    }: { headers?: Readonly<Record<string, string>>; fields?: object } = {},
  ) {
    super(message);
    this.name = "HttpProblem";
    this.status = status;
    this.code = code;
    this.headers = headers;
    this.fields = fields;
  }

  get body(): object {
    return { code: this.code, message: this.message, ...this.fields };
  }
}

/** The problem of a fault on the way to a handler, or in one. */
export function problemOf(error: unknown): HttpProblem {
  if (error instanceof HttpProblem) return error;
  const [status, message] = statusOf(error);
  // The message of an unexpected error may hold anything.
  if (status < 400 || status >= 500) {
    return new HttpProblem(500, "INTERNAL", "internal error; the log of the server has more");
  }
  return new HttpProblem(status, "BAD_REQUEST", message);
}

function statusOf(error: unknown): [status: number, message: string] {
  if (!(error instanceof Error) || !("statusCode" in error)) return [500, ""];
  return [Number(error.statusCode), error.message];
}
