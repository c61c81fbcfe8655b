import type { DockerContainer } from '../docker/index.js';

/** What Compose says of itself and images say of themselves: nobody writes policies about it, and it is long. */
const NOISE = /^(com\.docker\.compose\.(?!(project|service)$)|org\.opencontainers\.image\.)/;

/** Of one container; each host holds those of all containers on its networks. */
const MAX_LABELS = 64;
const MAX_OCTETS = 4096;

/**
 * The labels that policies may ask for, the same on every host. Undefined where they are too many: a part of them could be taken for
 * a container that lacks the others.
 */
export function labelsOf({
  labels,
}: Pick<DockerContainer, 'labels'>): Readonly<Record<string, string>> | undefined {
  const asked = Object.entries(labels)
    .filter(([key]) => !NOISE.test(key))
    .toSorted(([a], [b]) => Number(a > b) - Number(a < b));
  const octets = asked.reduce((sum, pair) => sum + Buffer.byteLength(pair.join('')), 0);
  return asked.length > MAX_LABELS || octets > MAX_OCTETS ? undefined : Object.fromEntries(asked);
}
