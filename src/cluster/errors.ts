import { AppError } from '../util/index.js';

export type ClusterDetail =
  | { readonly code: 'NAME_TAKEN'; readonly name: string; readonly network: string }
  | { readonly code: 'NETWORK_GONE'; readonly network: string }
  | { readonly code: 'VTEP_TAKEN'; readonly vtep: string; readonly host: string }
  | { readonly code: 'VNI_TAKEN'; readonly network: string; readonly vni: number }
  | { readonly code: 'NO_FREE_VNI' }
  | { readonly code: 'INVALID_NAME'; readonly name: string };

export class ClusterError extends AppError<ClusterDetail> {
  override readonly name = 'ClusterError';
}

export function invalidName(name: string): ClusterError {
  return new ClusterError(
    { code: 'INVALID_NAME', name },
    `"${name}" can't name a network: use letters, digits, '_', '.' and '-', beginning with a letter or digit`,
  );
}

export function nameTaken(name: string, network: string): ClusterError {
  return new ClusterError(
    { code: 'NAME_TAKEN', name, network },
    `there is a network "${name}" already`,
  );
}

export function networkGone(network: string): ClusterError {
  return new ClusterError(
    { code: 'NETWORK_GONE', network },
    `network ${network} is gone from the store`,
  );
}

export function vniTaken(
  { id, vni }: { readonly id: string; readonly vni: number },
  owner: string,
): ClusterError {
  return new ClusterError(
    { code: 'VNI_TAKEN', network: id, vni },
    `the store lost network ${id}, and network ${owner} has its VNI ${vni} by now; remove the network on this host and create it again`,
  );
}
