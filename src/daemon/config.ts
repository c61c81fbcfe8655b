import Type, { type Static } from 'typebox';

const text = (description: string, rest: object = {}) =>
  Type.String({ minLength: 1, maxLength: 4096, description, ...rest });

/** Everything that can be configured; docs/configuration.md is held against it by a test. */
export const ConfigSchema = Type.Object(
  {
    hostName: text('name of this host; default: the system host name', {
      pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$',
    }),
    store: Type.Object(
      {
        kind: Type.Enum(['embedded', 'consul'], {
          description: 'embedded: one host, a file on its disk; consul: a cluster',
        }),
        address: text('Consul: http or https URL of an agent', { pattern: '^https?://' }),
        prefix: text('Consul: what every key starts with', { pattern: '/$' }),
        datacenter: Type.Optional(text('Consul: datacenter; default: the agent’s own')),
        tokenFile: Type.Optional(text('Consul: file that holds the ACL token')),
        caFile: Type.Optional(text('Consul: CA that signed the agent’s certificate')),
        certFile: Type.Optional(text('Consul: client certificate')),
        keyFile: Type.Optional(text('Consul: key of the client certificate')),
        timeoutMs: Type.Integer({
          minimum: 100,
          maximum: 30_000,
          description: 'longest wait for one answer of the store',
        }),
      },
      { additionalProperties: false },
    ),
    underlay: Type.Object(
      {
        select: Type.Optional(
          text('link name, address or prefix that carries the tunnels; default: the default route'),
        ),
        mtu: Type.Optional(
          Type.Integer({
            minimum: 1280,
            maximum: 65_535,
            description: 'MTU of the underlay path, octets; default: the link’s own',
          }),
        ),
        port: Type.Integer({ minimum: 1, maximum: 65_535, description: 'UDP port of VXLAN' }),
      },
      { additionalProperties: false },
    ),
    ipam: Type.Object(
      {
        ranges: Type.Array(text('prefix'), {
          minItems: 1,
          maxItems: 16,
          description: 'prefixes that networks without --subnet are cut from',
        }),
        restSec: Type.Integer({
          minimum: 0,
          maximum: 86_400,
          description: 'how long a freed address rests before it is chosen again',
        }),
      },
      { additionalProperties: false },
    ),
    hosts: Type.Object(
      {
        graceSec: Type.Integer({
          minimum: 60,
          maximum: 31_536_000,
          description: 'how long a host that is away keeps its addresses',
        }),
      },
      { additionalProperties: false },
    ),
    dns: Type.Object(
      {
        enabled: Type.Boolean({
          description: 'whether containers here are answered names of other hosts',
        }),
        ttlSec: Type.Integer({
          minimum: 0,
          maximum: 3600,
          description: 'how long an answer, or that there is none, may be kept',
        }),
        localFirst: Type.Boolean({
          description: 'whether containers on the asker’s host come first in an answer',
        }),
        listen: Type.Optional(
          text(
            'address, with or without a port, on which the host itself is answered names in weft',
          ),
        ),
        upstream: Type.Array(text('server'), {
          maxItems: 3,
          description: 'servers asked instead of Docker’s resolver for what weft has no answer to',
        }),
      },
      { additionalProperties: false },
    ),
    stateDir: text('what must survive a restart'),
    runDir: text('control socket'),
    netnsDir: text('where the networks’ namespaces are mounted'),
    pluginSocket: text('where Docker looks for the plugin'),
    dockerSocket: text('the engine’s API'),
    log: Type.Object(
      {
        level: Type.Enum(['error', 'warn', 'info', 'debug', 'trace'], {
          description: 'error, warn, info, debug or trace',
        }),
        format: Type.Enum(['json', 'text'], {
          description: 'json for machines, text for people',
        }),
      },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
);

export type Config = Static<typeof ConfigSchema>;

/** Every default with its reason. */
export function defaultConfig(hostName: string): Config {
  return {
    hostName,
    store: {
      kind: 'embedded', // works with no other program
      address: 'http://127.0.0.1:8500', // Consul's usual local agent
      prefix: 'weft/v1/',
      timeoutMs: 2000, // several times a leader election's usual answer, well inside one plugin call
    },
    underlay: { port: 4789 }, // RFC 7348
    ipam: {
      // Away from Docker's own 172.16/12 and 192.168/16, and from the low 10/8 that most companies route.
      ranges: ['10.192.0.0/10', 'fd77:6566:7400::/48'],
      restSec: 60, // longer than any neighbor or connection cache should trust a dead address
    },
    hosts: { graceSec: 86_400 }, // a repair that begins today ends tomorrow
    dns: {
      enabled: true,
      ttlSec: 5, // a name that moves is found again soon, a busy client does not ask for each connection
      localFirst: false, // turning answers spread load
      upstream: [], // Docker's resolver knows its own networks' names, links and each container's --dns
    },
    stateDir: '/var/lib/weft',
    runDir: '/run/weft',
    netnsDir: '/run/netns', // where `ip netns` looks, so that people can enter them
    pluginSocket: '/run/docker/plugins/weft.sock', // fixed by Docker
    dockerSocket: '/var/run/docker.sock',
    log: { level: 'info', format: 'text' },
  };
}

/** As it may be shown: the address of Consul without its password. Every other secret is in a file that is only named here. */
export function shownConfig(config: Config): Config {
  const { store } = config;
  return { ...config, store: { ...store, address: shownAddress(store.address) } };
}

/** A URL without its password, for people's eyes. */
export function shownAddress(address: string): string {
  const url = new URL(address);
  if (url.password === '') return address;
  url.password = '***';
  return url.href;
}
