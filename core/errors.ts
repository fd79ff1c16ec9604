/**
 * Faults: one class, one table. Expected outcomes (an object already exists, a model is not there yet) are
 * tagged unions in the interfaces; a Fault is for what the caller asked wrongly or what broke under it.
 */

/** HTTP status of each fault code, and whether trying the same thing again can help. */
export const FAULTS = {
  invalid: { status: 400, retryable: false },
  unauthorized: { status: 401, retryable: false },
  forbidden: { status: 403, retryable: false },
  not_found: { status: 404, retryable: false },
  method_not_allowed: { status: 405, retryable: false },
  conflict: { status: 409, retryable: false },
  too_large: { status: 413, retryable: false },
  unsupported_media_type: { status: 415, retryable: false },
  unprocessable: { status: 422, retryable: false },
  internal: { status: 500, retryable: true },
  bad_gateway: { status: 502, retryable: true },
  unavailable: { status: 503, retryable: true },
  deadline_exceeded: { status: 504, retryable: true },
} as const;

export type FaultCode = keyof typeof FAULTS;

export interface FaultDetails {
  /** The field that was wrong, as a path a client can find: `optimizer.learningRate`, `inputs[0].shape`. */
  readonly field?: string;
  readonly cause?: unknown;
  /** For operators: what clients must not see, such as keys and the state of credentials. */
  readonly detail?: string | undefined;
  /** A short machine-readable phrase beside the code: the answer's `x-causeway-reason`. */
  readonly reason?: string;
  /** Seconds after which trying again may help: the answer's Retry-After. */
  readonly retryAfterS?: number;
}

export class Fault extends Error {
  override readonly name = 'Fault';
  readonly code: FaultCode;
  readonly field: string | undefined;
  readonly detail: string | undefined;
  readonly reason: string | undefined;
  readonly retryAfterS: number | undefined;

  /** @param message what was wrong and what is allowed; it is shown to clients, so it names no internals. */
  constructor(code: FaultCode, message: string, details: FaultDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.field = details.field;
    this.detail = details.detail;
    this.reason = details.reason;
    this.retryAfterS = details.retryAfterS;
  }

  get status(): (typeof FAULTS)[FaultCode]['status'] {
    return FAULTS[this.code].status;
  }

  get retryable(): boolean {
    return FAULTS[this.code].retryable;
  }

  /**
   * The fault of a service at that moment, not of what was asked: the same may be answered later, however often it was
   * not. What is `internal` may be mended by another try too, but five that fail alike say that it is not.
   */
  get transient(): boolean {
    return this.retryable && this.code !== 'internal';
  }
}

/** What a thrown value says. */
export const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown);

/** How deep causes are told. */
const CAUSES = 4;

/** The same for operators: with details of faults, and what caused them. */
export function inFull(thrown: unknown, causes = CAUSES): string {
  const detail = thrown instanceof Fault ? thrown.detail : undefined;
  const said = detail === undefined ? messageOf(thrown) : `${messageOf(thrown)}: ${detail}`;
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  if (!(cause instanceof Error) || causes === 0) return said;
  return `${said} (${cause.name}: ${inFull(cause, causes - 1)})`;
}

/** Body of every error answer. `error` alone is the Open Inference Protocol's; the rest is ours. */
export interface ErrorBody {
  readonly error: string;
  readonly code: FaultCode;
  readonly field?: string;
}

/** What a client may see of any thrown value: a Fault as it is, everything else without its details. */
export function errorBody(thrown: unknown): { status: Fault['status']; body: ErrorBody } {
  const fault = thrown instanceof Fault ? thrown : new Fault('internal', 'internal error');
  const body: ErrorBody = {
    error: fault.message,
    code: fault.code,
    ...(fault.field === undefined ? {} : { field: fault.field }),
  };
  return { status: fault.status, body };
}
