import Type, { type Static, type TSchema } from 'typebox';

/*
 * What /v1 answers. Within a version fields are added, never changed or taken away, and readers ignore what they don't know.
 * Times are ISO 8601 in UTC.
 */

const text = (description: string) => Type.String({ description });
const count = (description: string) => Type.Integer({ minimum: 0, description });
const optional = Type.Optional;
/** Null while the store is away, for what only the store knows. */
const countOrNull = (description: string) => Type.Union([count(description), Type.Null()]);

export const StatusSchema = Type.Object({
  host: Type.Object({
    id: text('id of this host in the cluster'),
    name: text('its name, for people'),
    vtep: optional(text('underlay address that other hosts send to')),
    underlayLink: optional(text('link that carries the tunnels')),
    mtu: optional(count('octets that fit in one underlay packet')),
    reason: text('why this link, address and MTU, or why none'),
  }),
  version: text('of the daemon'),
  startedAt: text('when the daemon started'),
  uptimeSec: Type.Number({ minimum: 0, description: 'seconds since then, on a steady clock' }),
  store: Type.Object({
    kind: Type.Enum(['embedded', 'consul']),
    address: optional(text('of the Consul agent')),
    reachable: Type.Boolean(),
    since: text('when it became reachable or unreachable'),
  }),
  docker: Type.Object({
    reachable: Type.Boolean(),
    version: optional(text('of the engine')),
  }),
  degraded: Type.Array(
    Type.Object({
      code: text('fixed word for programs'),
      text: text('what is wrong and what to do'),
      since: text('when it began'),
    }),
    { description: 'what does not work as it should; empty when all is well' },
  ),
  notes: optional(
    Type.Array(
      Type.Object({
        code: text('fixed word for programs'),
        text: text('what'),
        since: text('when'),
      }),
      { description: 'what is as it should be, and still worth knowing' },
    ),
  ),
  networks: count('networks on this host'),
  endpoints: count('endpoints on this host'),
});
export type Status = Static<typeof StatusSchema>;

export const NetworkSchema = Type.Object({
  id: text('id of the network in the cluster'),
  name: optional(text('its name, when one is known')),
  vni: Type.Integer({ minimum: 1, maximum: 0xff_ff_ff }),
  pools: Type.Array(text('prefix')),
  mtu: count('octets, inside the network'),
  internal: Type.Boolean({ description: 'no way out but through other networks' }),
  hosts: countOrNull('hosts that have it'),
  endpoints: Type.Object({ local: count('on this host'), total: countOrNull('on all hosts') }),
  dockerNetworkId: optional(text("this host's engine's id of it, when it is here")),
});
export type Network = Static<typeof NetworkSchema>;

const texts = (description: string) => optional(Type.Array(Type.String(), { description }));
const pairs = (description: string) =>
  optional(Type.Record(Type.String(), Type.String(), { description }));

/** What `POST /v1/networks` takes. A range, a gateway and a set-aside address belong to the subnet that they lie in. */
export const NewNetworkSchema = Type.Object(
  {
    name: text('letters, digits, "_", "." and "-"'),
    subnets: texts('prefixes; none: weft chooses'),
    ranges: texts('prefixes that weft chooses addresses from'),
    gateways: texts('addresses'),
    auxAddresses: pairs('addresses that no container gets, by what has them'),
    labels: pairs("Docker's"),
    options: pairs('of the driver, as for docker network create -o'),
    internal: optional(Type.Boolean({ description: 'no way out but through other networks' })),
    ipv6: optional(Type.Boolean({ description: 'with an IPv6 subnet, chosen if none is given' })),
  },
  { additionalProperties: false },
);
export type NewNetwork = Static<typeof NewNetworkSchema>;

export const EndpointSchema = Type.Object({
  id: text("Docker's endpoint id"),
  network: text('id of its network'),
  host: text('id of its host'),
  name: optional(text("its container's name, when known")),
  mac: text('Ethernet address'),
  addresses: Type.Array(text('address')),
  local: Type.Boolean({ description: 'on this host' }),
});
export type Endpoint = Static<typeof EndpointSchema>;

export const HostSchema = Type.Object({
  id: text('id of the host in the cluster'),
  name: text('its name, for people'),
  vtep: optional(text('underlay address that other hosts send to, while it is live')),
  mtu: optional(count('octets that fit in one of its underlay packets')),
  version: optional(text('of its daemon')),
  awaySec: optional(count('for how long it is missed, as far as this host has seen')),
  removing: optional(Type.Boolean({ description: 'somebody gives back what it had' })),
  live: Type.Boolean({ description: 'holds its lease' }),
  self: Type.Boolean({ description: 'this host' }),
});
export type Host = Static<typeof HostSchema>;

export const EventSchema = Type.Object({
  id: Type.Integer({ minimum: 0, description: 'rises with time' }),
  at: text('when'),
  level: Type.Enum(['info', 'warn'], { description: 'warn: somebody may have to act' }),
  code: text('fixed word for programs'),
  text: text('what happened'),
  network: optional(text('name or id of the network that it is about')),
  host: optional(text('name of the host that it is about')),
});
export type Event = Static<typeof EventSchema>;

/** How long callbacks of the daemon had to wait for each other since somebody last asked. */
export const EventLoopSchema = Type.Object({
  forMs: Type.Number({ minimum: 0, description: 'time measured; 0 when measuring has just begun' }),
  delayMs: Type.Object({ p50: Type.Number(), p99: Type.Number(), max: Type.Number() }),
});
export type EventLoop = Static<typeof EventLoopSchema>;

/** `?after=` and `?waitMs=` of events. */
export const EventQuerySchema = Type.Object(
  {
    after: Type.Integer({ minimum: 0, default: 0, description: 'id of the last event seen' }),
    waitMs: Type.Integer({
      minimum: 0,
      maximum: 30_000,
      default: 0,
      description: 'how long to wait when there is none',
    }),
  },
  { additionalProperties: false },
);
export type EventQuery = Static<typeof EventQuerySchema>;

/** One page of a list, ordered by id. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Present when there is more: the `after` of the next page. */
  readonly next?: string;
}

export function pageSchema<T extends TSchema>(item: T) {
  return Type.Object({ items: Type.Array(item), next: optional(Type.String()) });
}

/** `?limit=` and `?after=` of a list. */
export const PageQuerySchema = Type.Object(
  {
    limit: Type.Integer({ minimum: 1, maximum: 1000, default: 500 }),
    after: optional(Type.String({ maxLength: 256, description: 'id of the last item seen' })),
  },
  { additionalProperties: false },
);
export type PageQuery = Static<typeof PageQuerySchema>;

export const ErrorSchema = Type.Object({
  error: Type.Object({ code: Type.String(), message: Type.String() }),
});
