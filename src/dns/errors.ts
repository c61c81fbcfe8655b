import { AppError } from '../util/index.js';

export type DnsDetail = { readonly code: 'INVALID_UPSTREAM'; readonly text: string };

export class DnsError extends AppError<DnsDetail> {
  override readonly name = 'DnsError';
}
