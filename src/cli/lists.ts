import type { ControlClient, Endpoint, Host, Network } from '../control-api/index.js';
import { type Column, printable, table } from './table.js';

/** Enough of an id to tell endpoints apart and to ask Docker with, as its own command shows them. */
const SHORT_ID = 12;

export function networkTable(networks: readonly Network[]): string {
  if (networks.length === 0) {
    return 'No networks. Make one, on any host, with\n  weft network create NAME\n';
  }
  const columns: readonly Column<Network>[] = [
    { title: 'NAME', value: ({ name }) => name ?? '-' },
    { title: 'ID', value: ({ id }) => id },
    { title: 'VNI', value: ({ vni }) => String(vni), alignRight: true },
    { title: 'MTU', value: ({ mtu }) => String(mtu), alignRight: true },
    { title: 'HOSTS', value: ({ hosts }) => numberText(hosts), alignRight: true },
    { title: 'ENDPOINTS', value: ({ endpoints }) => numberText(endpoints.total), alignRight: true },
    { title: 'HERE', value: ({ endpoints }) => String(endpoints.local), alignRight: true },
    { title: 'INTERNAL', value: ({ internal }) => (internal ? 'yes' : 'no') },
    { title: 'POOLS', value: ({ pools }) => pools.join(', ') },
  ];
  return table(
    columns,
    sorted(networks, ({ name, id }) => name ?? id),
  );
}

export interface EndpointLists {
  readonly endpoints: readonly Endpoint[];
  /** For the names behind ids. */
  readonly networks: readonly Network[];
  readonly hosts: readonly Host[];
}

export async function endpointLists(client: ControlClient): Promise<EndpointLists> {
  const [endpoints, networks, hosts] = await Promise.all([
    client.endpoints(),
    client.networks(),
    client.hosts(),
  ]);
  return { endpoints, networks, hosts };
}

/** Of which networks the list may lack containers, in words for people; undefined: of none. */
export function unknownEndpoints({ networks }: EndpointLists): string | undefined {
  const unknown = networks.filter(({ endpoints }) => endpoints.total === null);
  if (unknown.length === 0) return undefined;
  const names = sorted(unknown, ({ name, id }) => name ?? id).map(({ name, id }) => name ?? id);
  return `what other hosts have on ${printable(names.join(', '))} is unknown`;
}

export function endpointTable({ endpoints, networks, hosts }: EndpointLists): string {
  if (endpoints.length === 0) return 'No endpoints: no container is attached to a weft network.\n';
  const networkName = new Map(networks.map(({ id, name }) => [id, name ?? id]));
  const hostName = new Map(hosts.map(({ id, name }) => [id, name]));
  const network = (endpoint: Endpoint): string =>
    networkName.get(endpoint.network) ?? endpoint.network;
  const columns: readonly Column<Endpoint>[] = [
    { title: 'NETWORK', value: network },
    { title: 'NAME', value: ({ name }) => name ?? '-' },
    { title: 'HOST', value: ({ host }) => hostName.get(host) ?? host },
    { title: 'HERE', value: ({ local }) => (local ? 'yes' : 'no') },
    { title: 'MAC', value: ({ mac }) => mac },
    { title: 'ID', value: ({ id }) => id.slice(0, SHORT_ID) },
    { title: 'ADDRESSES', value: ({ addresses }) => addresses.join(', ') },
  ];
  return table(
    columns,
    sorted(endpoints, (e) => `${network(e)}\u0000${e.name ?? ''}`),
  );
}

export function hostTable(hosts: readonly Host[]): string {
  const columns: readonly Column<Host>[] = [
    { title: 'NAME', value: ({ name }) => name },
    { title: 'ID', value: ({ id }) => id },
    { title: 'VTEP', value: ({ vtep }) => vtep ?? '-' },
    { title: 'MTU', value: ({ mtu }) => (mtu === undefined ? '-' : String(mtu)), alignRight: true },
    { title: 'VERSION', value: ({ version }) => version ?? '-' },
    {
      title: 'STATE',
      value: ({ live, self, removing }) =>
        `${live ? 'live' : removing ? 'being removed' : 'away'}${self ? ', this host' : ''}`,
    },
  ];
  return table(
    columns,
    sorted(hosts, ({ name }) => name),
  );
}

/** What the daemon does not know is a dash. */
function numberText(value: number | null): string {
  return value === null ? '-' : String(value);
}

function sorted<T>(rows: readonly T[], key: (row: T) => string): T[] {
  return rows.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}
