/** Networks that weft brings to a host, or takes from it, in its own time. */
import type { Host } from './host.js';
import { waitFor } from './wait.js';

/** Waits until Docker on this host has the network. */
export async function hasNetwork(host: Host, name: string): Promise<void> {
  await waitFor(`network ${name} on ${host.name}`, async () =>
    (await networkNames(host)).includes(name),
  );
}

/** Waits until Docker on this host does not have it. */
export async function lacksNetwork(host: Host, name: string): Promise<void> {
  await waitFor(
    `no network ${name} on ${host.name}`,
    async () => !(await networkNames(host)).includes(name),
  );
}

export async function networkNames(host: Host): Promise<string[]> {
  const names = await host.docker('network', 'ls', '--format', '{{.Name}}');
  return names.split('\n');
}
