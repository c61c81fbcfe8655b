import { type Static, type TSchema, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { invalidField } from './errors.js';

/*
 * Requests as dockerd sends them (moby daemon/libnetwork/drivers/remote/api/api.go, ipams/remote/api/api.go), as far as weft
 * reads them. Unknown fields are ignored; null is dropped before these see it, so it is the same as absent; what Go leaves
 * out when it is empty may be absent or "".
 */

/** Docker's ids are hex, swarm's base 36; nothing that could be mistaken for a path or a second key. */
const Id = Type.String({ minLength: 1, maxLength: 128, pattern: '^[A-Za-z0-9_-]+$' });
const Text = Type.Optional(Type.String());
const Options = Type.Optional(Type.Record(Type.String(), Type.Unknown()));

const IpamData = Type.Object({
  AddressSpace: Text,
  Pool: Type.String(),
  Gateway: Text,
  AuxAddresses: Type.Optional(Type.Record(Type.String(), Type.String())),
});

export type IpamDataWire = Static<typeof IpamData>;

const IpamDataList = Type.Optional(Type.Array(IpamData));
const NetworkOnly = { NetworkID: Id };
const EndpointOnly = { NetworkID: Id, EndpointID: Id };

export const createNetwork = parser(
  Type.Object({ ...NetworkOnly, Options, IPv4Data: IpamDataList, IPv6Data: IpamDataList }),
);
export const networkOnly = parser(Type.Object(NetworkOnly));
export const endpointOnly = parser(Type.Object(EndpointOnly));
export const createEndpoint = parser(
  Type.Object({
    ...EndpointOnly,
    Interface: Type.Optional(Type.Object({ Address: Text, AddressIPv6: Text, MacAddress: Text })),
    Options,
  }),
);
export const join = parser(Type.Object({ ...EndpointOnly, SandboxKey: Type.String() }));
export const anything = parser(Type.Object({}));

const PoolId = Type.String({ minLength: 1, maxLength: 1024 });

export const requestPool = parser(
  Type.Object({
    AddressSpace: Text,
    Pool: Text,
    SubPool: Text,
    Options,
    V6: Type.Optional(Type.Boolean()),
  }),
);
export const poolOnly = parser(Type.Object({ PoolID: PoolId }));
export const requestAddress = parser(Type.Object({ PoolID: PoolId, Address: Text, Options }));
export const releaseAddress = parser(Type.Object({ PoolID: PoolId, Address: Type.String() }));

/** Reads one request body. Throws INVALID_REQUEST that names the field. */
export type Parser<T> = (body: string) => T;

function parser<S extends TSchema>(schema: S): Parser<Static<S>> {
  const validator = Compile(schema);
  return (body) => {
    const value = fromJson(body);
    if (validator.Check(value)) return value;
    const error = validator.Errors(value)[0];
    if (error?.keyword === 'required') {
      const missing = String(error.params.requiredProperties[0]);
      throw invalidField(fieldOf(`${error.instancePath}/${missing}`), 'is missing');
    }
    throw invalidField(fieldOf(error?.instancePath ?? ''), error?.message ?? 'is not valid');
  };
}

function fromJson(body: string): unknown {
  try {
    return JSON.parse(body, dropNull) as unknown;
  } catch (cause) {
    throw invalidField('request', 'is not JSON', cause);
  }
}

function dropNull(this: unknown, _key: string, value: unknown): unknown {
  return value === null && !Array.isArray(this) ? undefined : value;
}

/** "/IPv4Data/0/Pool" as people write it: "IPv4Data[0].Pool". */
function fieldOf(pointer: string): string {
  const field = pointer
    .slice(1)
    .replaceAll(/\/(\d+)(?=\/|$)/g, '[$1]')
    .replaceAll('/', '.')
    .replaceAll('~1', '/')
    .replaceAll('~0', '~');
  return field === '' ? 'request' : field;
}
