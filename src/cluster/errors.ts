import { AppError } from '../util/index.js';
import type { MemberDocument, Removal } from './documents.js';

export type ClusterDetail =
  | { readonly code: 'NAME_TAKEN'; readonly name: string; readonly network: string }
  | { readonly code: 'NETWORK_GONE'; readonly network: string }
  | { readonly code: 'VTEP_TAKEN'; readonly vtep: string; readonly host: string }
  | { readonly code: 'HOST_ID_TAKEN'; readonly id: string }
  | { readonly code: 'LAYOUT_NEWER'; readonly key: string; readonly layout: number }
  | { readonly code: 'HOST_REMOVED'; readonly id: string; readonly by: string }
  | { readonly code: 'HOST_LIVE'; readonly host: string }
  | { readonly code: 'UNKNOWN_HOST'; readonly host: string }
  | { readonly code: 'AMBIGUOUS_HOST'; readonly host: string; readonly ids: readonly string[] }
  | { readonly code: 'VNI_TAKEN'; readonly network: string; readonly vni: number }
  | { readonly code: 'NO_FREE_VNI' }
  | { readonly code: 'BAD_POLICY_INDEX' }
  | { readonly code: 'TOO_MANY_POLICIES'; readonly count: number }
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

export function vtepTaken(vtep: string, host: string): ClusterError {
  return new ClusterError(
    { code: 'VTEP_TAKEN', vtep, host },
    `host ${host} announces the underlay address ${vtep} already; hosts need addresses of their own: ` +
      'choose the right link with --underlay LINK, ADDRESS or PREFIX',
  );
}

/** Consul may keep a session for twice its length. */
const STALE_SEC = 20;

interface Announced {
  readonly name: string;
  readonly vtep: string;
}

/** `other`: what is announced under the id, if it can be read; `own`: what this host would announce. */
export function hostIdTaken(
  id: string,
  other: Announced | undefined,
  own?: Announced,
): ClusterError {
  if (own && other?.name === own.name && other.vtep === own.vtep) {
    return new ClusterError(
      { code: 'HOST_ID_TAKEN', id },
      `this host is still announced from before it started anew; that ends within ${STALE_SEC} seconds, then it is announced again. ` +
        'If it lasts, a copy of this machine runs with its name and address: stop weft there, remove its state directory and start it again',
    );
  }
  const who = other ? `host ${other.name} at ${other.vtep}` : 'somebody';
  return new ClusterError(
    { code: 'HOST_ID_TAKEN', id },
    `${who} announces itself under this host's id ${id}; was this machine copied? ` +
      'stop weft on the copy, remove its state directory and start it again',
  );
}

export function hostRemoved(
  { id, removed }: MemberDocument & { readonly removed: Removal },
  inUse: readonly string[],
): ClusterError {
  const what =
    `this host was removed from the cluster by ${removed.byName} at ${removed.at}, ` +
    'and what it had was given back: other hosts neither see it nor send to it';
  const wayOut =
    inUse.length === 0
      ? 'it joins again by itself in a moment'
      : "its containers' addresses may be others' by now; it joins again by itself once they are stopped: " +
        `docker stop ${inUse.join(' ')} && docker start ${inUse.join(' ')}`;
  return new ClusterError({ code: 'HOST_REMOVED', id, by: removed.by }, `${what}; ${wayOut}`);
}

export function hostLive(name: string): ClusterError {
  return new ClusterError(
    { code: 'HOST_LIVE', host: name },
    `host ${name} is alive, or was until some seconds ago: stop weft on it, ` +
      'wait until weft host ls shows it as away, and try again',
  );
}

export function unknownHost(name: string): ClusterError {
  return new ClusterError(
    { code: 'UNKNOWN_HOST', host: name },
    `no host of this cluster is called ${name}; weft host ls shows them`,
  );
}

export function ambiguousHost(name: string, ids: readonly string[]): ClusterError {
  return new ClusterError(
    { code: 'AMBIGUOUS_HOST', host: name, ids },
    `several hosts that are away are called ${name}; say which one by its id: ${ids.join(', ')}`,
  );
}

export function layoutNewer(key: string, layout: number): ClusterError {
  return new ClusterError(
    { code: 'LAYOUT_NEWER', key, layout },
    `the cluster's store has layout ${layout} (${key}), which this weft does not know; upgrade weft on this host. ` +
      'Until then its containers keep their traffic, and it changes nothing in the store',
  );
}
