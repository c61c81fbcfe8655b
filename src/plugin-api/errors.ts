import { AppError } from '../util/index.js';

export type PluginApiDetail =
  /** A field has the wrong shape; `field` is its path in the request, such as `IPv4Data[0].Pool`. */
  | { readonly code: 'INVALID_REQUEST'; readonly field: string }
  /** A method with arguments came without any: a retry of dockerd's over a connection that broke. */
  | { readonly code: 'EMPTY_BODY' }
  | { readonly code: 'UNKNOWN_METHOD'; readonly method: string }
  /** A part of Docker's protocol that weft does not do. */
  | { readonly code: 'NOT_SUPPORTED'; readonly method: string }
  | { readonly code: 'TIMED_OUT'; readonly method: string; readonly timeoutMs: number };

export class PluginApiError extends AppError<PluginApiDetail> {
  override readonly name = 'PluginApiError';
}

export function invalidField(field: string, problem: string, cause?: unknown): PluginApiError {
  return new PluginApiError({ code: 'INVALID_REQUEST', field }, `${field}: ${problem}`, { cause });
}
