import { AppError } from '../util/index.js';

export type DriverDetail =
  | { readonly code: 'FOREIGN_IPAM'; readonly addressSpace: string }
  | { readonly code: 'INVALID_OPTION'; readonly option: string }
  | { readonly code: 'NETWORK_MISMATCH'; readonly network: string }
  | { readonly code: 'NETWORK_REPLACED'; readonly network: string }
  | { readonly code: 'NETWORK_UNCONFIRMED'; readonly network: string }
  | { readonly code: 'UNKNOWN_NETWORK'; readonly network: string }
  | { readonly code: 'UNKNOWN_ENDPOINT'; readonly endpoint: string }
  | { readonly code: 'NO_ADDRESS'; readonly endpoint: string }
  | { readonly code: 'INVALID_MAC'; readonly mac: string }
  | { readonly code: 'MAC_TAKEN'; readonly mac: string; readonly host: string };

export class DriverError extends AppError<DriverDetail> {
  override readonly name = 'DriverError';
}

/** `dockerId`: as Docker calls it. */
export function unknownNetwork(dockerId: string): DriverError {
  return new DriverError(
    { code: 'UNKNOWN_NETWORK', network: dockerId },
    `weft on this host does not know network ${dockerId.slice(0, 12)}; remove it and create it again`,
  );
}

export function unconfirmed({
  id,
  name = id,
}: {
  readonly id: string;
  readonly name?: string;
}): DriverError {
  return new DriverError(
    { code: 'NETWORK_UNCONFIRMED', network: name },
    `this network may be "${name}" of the cluster or another one, and Docker does not answer weft, which would tell; try again in a moment`,
  );
}
