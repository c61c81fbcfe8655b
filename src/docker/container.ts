import Type, { type Static } from 'typebox';
import { nullable } from './api.js';

const Strings = Type.Record(Type.String(), Type.String());

/** `GET /containers/ID/json`, as far as it says what a container is called. */
export const ContainerSchema = Type.Object({
  Id: Type.String(),
  Name: Type.String(),
  State: Type.Object({
    Running: Type.Boolean(),
    StartedAt: Type.Optional(Type.String()),
    Health: nullable(Type.Object({ Status: Type.String() })),
  }),
  Config: Type.Object({
    Hostname: Type.Optional(Type.String()),
    Labels: nullable(Strings),
    ExposedPorts: nullable(Type.Record(Type.String(), Type.Unknown())),
  }),
  NetworkSettings: Type.Object({
    SandboxKey: Type.Optional(Type.String()),
    Networks: nullable(
      Type.Record(
        Type.String(),
        Type.Object({
          NetworkID: Type.String(),
          EndpointID: Type.String(),
          Aliases: nullable(Type.Array(Type.String())),
          DNSNames: nullable(Type.Array(Type.String())),
        }),
      ),
    ),
  }),
});

/** `GET /containers/json`: the containers that run. */
export const ContainerListSchema = Type.Array(
  Type.Object({
    Id: Type.String(),
    Names: nullable(Type.Array(Type.String())),
    Status: Type.Optional(Type.String()),
    NetworkSettings: nullable(
      Type.Object({
        Networks: nullable(
          Type.Record(
            Type.String(),
            Type.Object({ NetworkID: Type.String(), EndpointID: Type.String() }),
          ),
        ),
      }),
    ),
  }),
);

export interface DockerAttachment {
  readonly networkId: string;
  readonly endpointId: string;
  /** `--network-alias`, Compose's service names, and what the engine adds of its own. */
  readonly aliases: readonly string[];
}

export interface DockerContainer {
  readonly id: string;
  readonly name: string;
  readonly hostname: string | undefined;
  readonly isRunning: boolean;
  /** By the engine's clock, ms since 1970; 0 when Docker does not say. */
  readonly startedAt: number;
  /** "healthy", "unhealthy", "starting"; undefined without a health check. */
  readonly health: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** As Docker spells them: "80/tcp". */
  readonly exposedPorts: readonly string[];
  /** The file of its network namespace; undefined when it does not run. */
  readonly sandboxKey: string | undefined;
  readonly attachments: readonly DockerAttachment[];
}

/** A running container as the list has it. */
export interface ListedContainer {
  readonly id: string;
  readonly networkIds: readonly string[];
  /** Changes with its name, its health and what it is attached to. */
  readonly signature: string;
}

export function toContainer(raw: Static<typeof ContainerSchema>): DockerContainer {
  const { Id, Name, State, Config, NetworkSettings: settings } = raw;
  const health = State.Health?.Status;
  return {
    id: Id,
    name: Name.replace(/^\//, ''),
    hostname: Config.Hostname || undefined,
    isRunning: State.Running,
    startedAt: Date.parse(State.StartedAt ?? '') || 0,
    health: health === undefined || health === '' || health === 'none' ? undefined : health,
    labels: Config.Labels ?? {},
    exposedPorts: Object.keys(Config.ExposedPorts ?? {}),
    sandboxKey: settings.SandboxKey || undefined,
    attachments: Object.values(settings.Networks ?? {}).flatMap((network) => {
      if (network.EndpointID === '') return [];
      const aliases = [...(network.Aliases ?? []), ...(network.DNSNames ?? [])];
      return [{ networkId: network.NetworkID, endpointId: network.EndpointID, aliases }];
    }),
  };
}

export function toListed(raw: Static<typeof ContainerListSchema>): ListedContainer[] {
  return raw.map(({ Id: id, Names, Status = '', NetworkSettings }) => {
    const networks = Object.values(NetworkSettings?.Networks ?? {});
    const health = /\((health: starting|healthy|unhealthy)\)/.exec(Status)?.[1] ?? '';
    const endpoints = networks.map((network) => network.EndpointID).toSorted();
    const signature = JSON.stringify([Names ?? [], health, endpoints]);
    return { id, networkIds: networks.map((network) => network.NetworkID), signature };
  });
}
