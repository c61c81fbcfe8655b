import { AppError } from '../util/index.js';

export type NetDetail =
  | { readonly code: 'INVALID_ADDRESS'; readonly text: string }
  | { readonly code: 'INVALID_PREFIX'; readonly text: string }
  | { readonly code: 'INVALID_MAC'; readonly text: string }
  | { readonly code: 'INVALID_VNI'; readonly text: string };

export class NetError extends AppError<NetDetail> {
  override readonly name = 'NetError';
}
