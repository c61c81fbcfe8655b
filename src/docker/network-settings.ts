import Type, { type Static } from 'typebox';
import { nullable } from './api.js';

/** The name of weft's plugin, as network driver and as IPAM driver. */
export const DRIVER = 'weft';

const texts = nullable(Type.Record(Type.String(), Type.String()));

/** One of a list. */
export const NetworkSchema = Type.Object({
  Id: Type.String(),
  Name: Type.String(),
  Driver: Type.String(),
  ConfigOnly: Type.Optional(Type.Boolean()),
  IPAM: nullable(
    Type.Object({
      Options: texts,
      Config: nullable(Type.Array(Type.Object({ Subnet: Type.Optional(Type.String()) }))),
    }),
  ),
});

export const InspectSchema = Type.Object({
  Id: Type.String(),
  Name: Type.String(),
  Labels: texts,
  Options: texts,
  Internal: Type.Optional(Type.Boolean()),
  Attachable: Type.Optional(Type.Boolean()),
  EnableIPv4: Type.Optional(Type.Boolean()),
  EnableIPv6: Type.Optional(Type.Boolean()),
  IPAM: nullable(
    Type.Object({
      Options: texts,
      Config: nullable(
        Type.Array(
          Type.Object({
            Subnet: Type.Optional(Type.String()),
            IPRange: Type.Optional(Type.String()),
            Gateway: Type.Optional(Type.String()),
            AuxiliaryAddresses: texts,
          }),
        ),
      ),
    }),
  ),
  Containers: nullable(
    Type.Record(
      Type.String(),
      Type.Object({ Name: Type.Optional(Type.String()), EndpointID: Type.String() }),
    ),
  ),
});

/** One address pool of a network, as Docker spells it. */
export interface DockerPool {
  readonly subnet: string;
  readonly range?: string;
  readonly gateway?: string;
  /** `--aux-address`, by name. */
  readonly aux?: Readonly<Record<string, string>>;
}

/** Everything that Docker must be told to make the same network once more. */
export interface DockerNetworkSettings {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `-o`. */
  readonly options: Readonly<Record<string, string>>;
  readonly ipamOptions: Readonly<Record<string, string>>;
  readonly pools: readonly DockerPool[];
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly ipv6: boolean;
  /** False only with `--ipv4=false`. */
  readonly ipv4: boolean;
}

export function settingsOf(inspected: Static<typeof InspectSchema>): DockerNetworkSettings {
  const { Name: name, Labels, Options, IPAM } = inspected;
  return {
    name,
    labels: Labels ?? {},
    options: Options ?? {},
    ipamOptions: IPAM?.Options ?? {},
    pools: (IPAM?.Config ?? []).flatMap(({ Subnet, IPRange, Gateway, AuxiliaryAddresses }) =>
      Subnet ? [poolOf(Subnet, IPRange, Gateway, AuxiliaryAddresses)] : [],
    ),
    internal: inspected.Internal ?? false,
    attachable: inspected.Attachable ?? false,
    ipv6: inspected.EnableIPv6 ?? false,
    ipv4: inspected.EnableIPv4 ?? true,
  };
}

function poolOf(
  subnet: string,
  range: string | undefined,
  gateway: string | undefined,
  aux: Readonly<Record<string, string>> | null | undefined,
): DockerPool {
  return {
    subnet,
    ...(range && { range }),
    // Some engines tell an IPv6 gateway with its prefix length, and take none.
    ...(gateway && { gateway: gateway.replace(/\/.*/, '') }),
    ...(aux && Object.keys(aux).length > 0 && { aux }),
  };
}

/** The body of a create. */
export function createBody(settings: DockerNetworkSettings): object {
  const { name, labels, options, ipamOptions, pools, internal, attachable, ipv6, ipv4 } = settings;
  return {
    Name: name,
    // Up to API 1.43 Docker makes a second network of one name unless told to look.
    CheckDuplicate: true,
    Driver: DRIVER,
    Internal: internal,
    Attachable: attachable,
    EnableIPv6: ipv6,
    ...(ipv4 ? {} : { EnableIPv4: false }),
    IPAM: {
      Driver: DRIVER,
      Options: ipamOptions,
      Config: pools.map(({ subnet, range, gateway, aux }) => ({
        Subnet: subnet,
        ...(range && { IPRange: range }),
        ...(gateway && { Gateway: gateway }),
        ...(aux && { AuxiliaryAddresses: aux }),
      })),
    },
    Options: options,
    Labels: labels,
  };
}
