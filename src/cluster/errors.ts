import { AppError } from '../util/index.js';

export type ClusterDetail =
  | { readonly code: 'NAME_TAKEN'; readonly name: string; readonly network: string }
  | { readonly code: 'NETWORK_GONE'; readonly network: string }
  | { readonly code: 'VTEP_TAKEN'; readonly vtep: string; readonly host: string }
  | { readonly code: 'NO_FREE_VNI' }
  | { readonly code: 'INVALID_NAME'; readonly name: string };

export class ClusterError extends AppError<ClusterDetail> {
  override readonly name = 'ClusterError';
}
