import { AppError } from '../util/index.js';

export type DaemonDetail =
  | { readonly code: 'INVALID_CONFIG'; readonly source: string }
  /** Another daemon uses the state directory. */
  | { readonly code: 'ALREADY_RUNNING'; readonly stateDir: string; readonly pid?: number }
  | { readonly code: 'NO_UNDERLAY'; readonly wanted?: string }
  | { readonly code: 'NOT_ROOT' }
  | { readonly code: 'INVALID_NETWORK'; readonly network: string }
  /** What was asked for is no question that policies can answer. */
  | { readonly code: 'NOT_EXPLAINED'; readonly what: string }
  /** Another policy of the name is for other networks. */
  | { readonly code: 'POLICY_NAME_TAKEN'; readonly policy: string }
  /** The store takes no more in one document. */
  | { readonly code: 'POLICY_TOO_LONG'; readonly policy: string }
  | { readonly code: 'POLICY_UNKNOWN'; readonly policy: string }
  | { readonly code: 'NETWORK_IN_USE'; readonly network: string }
  | { readonly code: 'NETWORK_NOT_ANNOUNCED'; readonly network: string }
  | { readonly code: 'NETWORK_TAKEN'; readonly network: string }
  | { readonly code: 'NETWORK_UNKNOWN'; readonly network: string };

export class DaemonError extends AppError<DaemonDetail> {
  override readonly name = 'DaemonError';
}
