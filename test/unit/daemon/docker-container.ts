import type { DockerContainer } from '../../../src/docker/index.js';

export const containerId = (digit: number): string => `${digit}`.repeat(64);

/** A running container of network `net1`, with endpoint `ep` and its number. */
export function container(digit: number, more: Partial<DockerContainer> = {}): DockerContainer {
  return {
    id: containerId(digit),
    name: `c${digit}`,
    hostname: containerId(digit).slice(0, 12),
    isRunning: true,
    startedAt: 1000,
    health: undefined,
    labels: {},
    exposedPorts: [],
    sandboxKey: `/run/docker/netns/${digit}`,
    attachments: [{ networkId: 'net1', endpointId: `ep${digit}`, aliases: [] }],
    ...more,
  };
}
