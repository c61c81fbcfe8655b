import type { CreateEndpointRequest, NetworkDriver, NetworkPool } from './drivers.js';
import { PluginApiError } from './errors.js';
import {
  booleanField,
  cidrField,
  macBytesField,
  macField,
  optional,
  prefixField,
  textMapField,
} from './fields.js';
import { type Method, plain, withArguments } from './methods.js';
import * as wire from './wire.js';

/** moby daemon/libnetwork/netlabel/labels.go */
const label = {
  own: 'com.docker.network.',
  generic: 'com.docker.network.generic',
  internal: 'com.docker.network.internal',
  ipv4: 'com.docker.network.enable_ipv4',
  ipv6: 'com.docker.network.enable_ipv6',
  mac: 'com.docker.network.endpoint.macaddress',
} as const;

/**
 * Scope local: without Swarm each engine keeps its own network object, and `docker network create` runs on each host.
 *
 * Connectivity global is the truth, as for moby's macvlan: containers on different hosts reach each other. What it switches
 * on works on networks of swarm scope only, which Docker refuses for a plugin outside its own management, and Discover calls,
 * which are answered. dockerd keeps this reply until it exits, so it should not have to change later.
 * GwAllocChecker is not declared: the gateway address of each pool stays Docker's to ask for.
 */
const capabilities = { Scope: 'local', ConnectivityScope: 'global' } as const;

/** The methods of Docker's network driver, by their name on the wire. */
export function networkMethods(driver: NetworkDriver): Readonly<Record<string, Method>> {
  return {
    'NetworkDriver.GetCapabilities': plain(capabilities),
    'NetworkDriver.CreateNetwork': withArguments(wire.createNetwork, async (request, context) => {
      const { NetworkID: networkId, Options = {}, IPv4Data = [], IPv6Data = [] } = request;
      const flag = (key: string, absent: boolean): boolean =>
        booleanField(`Options["${key}"]`, Options[key], absent);
      await driver.createNetwork(
        {
          networkId,
          options: textMapField(`Options["${label.generic}"]`, Options[label.generic]),
          internal: flag(label.internal, false),
          ipv6: flag(label.ipv6, false),
          ipv4: flag(label.ipv4, true),
          pools: [...poolsOf('IPv4Data', IPv4Data), ...poolsOf('IPv6Data', IPv6Data)],
        },
        context,
      );
      return {};
    }),
    'NetworkDriver.DeleteNetwork': withArguments(wire.networkOnly, async (request, context) => {
      await driver.deleteNetwork(request.NetworkID, context);
      return {};
    }),
    'NetworkDriver.CreateEndpoint': withArguments(wire.createEndpoint, async (request, context) => {
      const wanted = endpointOf(request);
      const { mac = wanted.mac } = await driver.createEndpoint(wanted, context);
      // Docker refuses a reply that sets what its request had set already, even to the same value.
      const given = request.Interface?.MacAddress ?? '';
      return { Interface: given === '' && mac !== undefined ? { MacAddress: mac } : {} };
    }),
    'NetworkDriver.DeleteEndpoint': withArguments(wire.endpointOnly, async (request, context) => {
      await driver.deleteEndpoint(request.NetworkID, request.EndpointID, context);
      return {};
    }),
    'NetworkDriver.Join': withArguments(wire.join, async (request, context) => {
      const { NetworkID: networkId, EndpointID: endpointId, SandboxKey: sandboxKey } = request;
      const link = await driver.join({ networkId, endpointId, sandboxKey }, context);
      return { InterfaceName: { SrcName: link.linkName, DstPrefix: link.linkPrefix } };
    }),
    'NetworkDriver.Leave': withArguments(wire.endpointOnly, async (request, context) => {
      await driver.leave(request.NetworkID, request.EndpointID, context);
      return {};
    }),
    // Its values can't reach `docker inspect`: Docker expects Go types there that no JSON can be.
    'NetworkDriver.EndpointOperInfo': withArguments(wire.endpointOnly, async () => ({ Value: {} })),
    // Only for an endpoint that is its container's gateway, and weft's never are.
    'NetworkDriver.ProgramExternalConnectivity': withArguments(wire.endpointOnly, async () => ({})),
    'NetworkDriver.RevokeExternalConnectivity': withArguments(wire.endpointOnly, async () => ({})),
    // Hosts find each other through the store.
    'NetworkDriver.DiscoverNew': withArguments(wire.anything, async () => ({})),
    'NetworkDriver.DiscoverDelete': withArguments(wire.anything, async () => ({})),
    'NetworkDriver.AllocateNetwork': refusedSwarm('AllocateNetwork'),
    'NetworkDriver.FreeNetwork': refusedSwarm('FreeNetwork'),
  };
}

function poolsOf(field: string, list: readonly wire.IpamDataWire[]): NetworkPool[] {
  return list.map((data, i) => {
    const at = `${field}[${i}]`;
    const gateway = optional(data.Gateway, (text) => cidrField(`${at}.Gateway`, text));
    return {
      addressSpace: data.AddressSpace ?? '',
      prefix: prefixField(`${at}.Pool`, data.Pool),
      ...(gateway && { gateway }),
      auxAddresses: Object.entries(data.AuxAddresses ?? {}).map(([name, text]) =>
        cidrField(`${at}.AuxAddresses["${name}"]`, text),
      ),
    };
  });
}

function endpointOf(request: ReturnType<typeof wire.createEndpoint>): CreateEndpointRequest {
  const { NetworkID, EndpointID, Interface = {}, Options = {} } = request;
  const cidr = (key: 'Address' | 'AddressIPv6') =>
    optional(Interface[key], (text) => cidrField(`Interface.${key}`, text));
  const address = cidr('Address');
  const addressV6 = cidr('AddressIPv6');
  const mac =
    optional(Interface.MacAddress, (text) => macField('Interface.MacAddress', text)) ??
    (Options[label.mac] === undefined
      ? undefined
      : macBytesField(`Options["${label.mac}"]`, Options[label.mac]));
  return {
    networkId: NetworkID,
    endpointId: EndpointID,
    ...(address && { address }),
    ...(addressV6 && { addressV6 }),
    ...(mac && { mac }),
    options: driverOptionsOf(Options),
  };
}

/** `--network name=..,driver-opt=k=v` arrives as a string beside Docker's own keys. */
function driverOptionsOf(options: Readonly<Record<string, unknown>>): Record<string, string> {
  const own = Object.entries(options).filter(
    (entry): entry is [string, string] =>
      typeof entry[1] === 'string' && !entry[0].startsWith(label.own),
  );
  return Object.fromEntries(own);
}

/** A manager asks these before any host knows the network; dockerd gets here only if it takes weft for a global driver. */
function refusedSwarm(method: string): Method {
  return withArguments(wire.anything, async () => {
    throw new PluginApiError(
      { code: 'NOT_SUPPORTED', method },
      'weft networks of swarm scope are not supported; create the network without --scope swarm on each host',
    );
  });
}
