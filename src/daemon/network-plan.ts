import type { DockerNetwork } from '../docker/index.js';
import { NETWORK_OPTION } from '../ipam/index.js';
import type { DockerSettings, NetworkDocument } from '../cluster/index.js';

/** A network that every host is to have. */
export type AnnouncedNetwork = NetworkDocument & {
  readonly name: string;
  readonly docker: DockerSettings;
};

/** A network of Docker's on this host that weft knows. */
export interface BoundNetwork {
  readonly dockerId: string;
  readonly network: NetworkDocument;
  readonly hasEndpoints: boolean;
}

export interface Situation {
  /** What the cluster has, with those that were removed. */
  readonly networks: readonly NetworkDocument[];
  readonly bound: readonly BoundNetwork[];
  /** Everything that Docker has here, of every driver. */
  readonly docker: readonly Pick<DockerNetwork, 'id' | 'name' | 'ipamOptions'>[];
  /** Ids of networks that stay away from this host until somebody asks for them here; not those whose removal is under way. */
  readonly shunned: ReadonlySet<string>;
}

export type Step =
  /** Docker is to have the network here. */
  | { readonly kind: 'create'; readonly network: AnnouncedNetwork }
  /** It was removed from the cluster. */
  | { readonly kind: 'remove'; readonly dockerId: string; readonly network: NetworkDocument }
  /** Two were made under one name at once, or somebody asked for a shunned one: this empty one makes room for the cluster's. */
  | { readonly kind: 'replace'; readonly dockerId: string; readonly by: AnnouncedNetwork }
  /** It was taken for a network of the cluster, and has another name: it is to be one of its own. */
  | { readonly kind: 'separate'; readonly dockerId: string; readonly network: AnnouncedNetwork }
  /** As `separate`, but it has containers by now, which must go first. */
  | {
      readonly kind: 'mistaken';
      readonly dockerId: string;
      readonly network: AnnouncedNetwork;
      readonly name: string;
    }
  /** The host joined the network before it was announced. */
  | { readonly kind: 'adopt'; readonly dockerId: string; readonly network: AnnouncedNetwork }
  /** Something else on this host stands in the way. */
  | { readonly kind: 'blocked'; readonly network: NetworkDocument; readonly dockerId: string }
  /** It is gone; nothing needs to stay away. */
  | { readonly kind: 'welcome'; readonly networkId: string };

/**
 * What makes Docker's networks here those of the cluster: the one place that decides it.
 *
 * What is in use stays. A network that is absent from the store was lost there, not removed: its hosts put it back. What Docker
 * has and weft does not know is never touched.
 */
export function planNetworks(situation: Situation): Step[] {
  const { networks, bound, docker, shunned } = situation;
  const known = new Map(networks.map((network) => [network.id, network]));
  const going = bound.flatMap((each) => stepFor(each, known, situation) ?? []);
  const leaving = new Set(going.flatMap((step) => (takesAway(step) ? [step.dockerId] : [])));
  const here = new Set(bound.map(({ network }) => network.id));
  const isWanted = ({ id, closing }: AnnouncedNetwork): boolean =>
    !closing && !here.has(id) && !shunned.has(id);
  const coming = networks
    .filter(isAnnounced)
    .filter(isWanted)
    .flatMap((network): Step[] => {
      const other = docker.find(({ name }) => name === network.docker.name);
      if (!other) return [{ kind: 'create', network }];
      return leaving.has(other.id) ? [] : [{ kind: 'blocked', network, dockerId: other.id }];
    });
  const gone = [...shunned].filter((id) => known.get(id)?.removed ?? !known.has(id));
  return [...going, ...coming, ...gone.map((networkId): Step => ({ kind: 'welcome', networkId }))];
}

function stepFor(
  { dockerId, network, hasEndpoints }: BoundNetwork,
  known: ReadonlyMap<string, NetworkDocument>,
  { networks, docker }: Situation,
): Step | undefined {
  const current = known.get(network.id) ?? network;
  if (current.removed)
    return hasEndpoints ? undefined : { kind: 'remove', dockerId, network: current };
  const here = docker.find(({ id }) => id === dockerId);
  if (isAnnounced(current)) {
    if (here && isMisnamed(here, current)) {
      return hasEndpoints
        ? { kind: 'mistaken', dockerId, network: current, name: here.name }
        : { kind: 'separate', dockerId, network: current };
    }
    return network.docker ? undefined : { kind: 'adopt', dockerId, network: current };
  }
  if (current.name !== undefined) return undefined;
  const name = here?.name;
  const winner = networks.filter(isAnnounced).find((other) => other.name === name);
  if (!winner) return undefined;
  return hasEndpoints
    ? { kind: 'blocked', network: winner, dockerId }
    : { kind: 'replace', dockerId, by: winner };
}

function takesAway(step: Step): step is Step & { readonly dockerId: string } {
  return step.kind === 'remove' || step.kind === 'replace' || step.kind === 'separate';
}

/** True for a network that has another name here, unless its user said which one it is to be. */
function isMisnamed(here: Situation['docker'][number], { docker }: AnnouncedNetwork): boolean {
  return here.name !== docker.name && !(NETWORK_OPTION in here.ipamOptions);
}

function isAnnounced(network: NetworkDocument): network is AnnouncedNetwork {
  return network.docker !== undefined && network.name !== undefined && !network.removed;
}
