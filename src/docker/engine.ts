import Type, { type Static, type TSchema } from 'typebox';
import Value from 'typebox/value';
import { type SocketReply, getOverSocket, messageOf } from '../util/index.js';
import {
  ContainerListSchema,
  ContainerSchema,
  type DockerContainer,
  type ListedContainer,
  toContainer,
  toListed,
} from './container.js';
import { DockerError } from './errors.js';

/** A host with a thousand containers on one network answers with well under a megabyte. */
const MAX_REPLY_BYTES = 16_000_000;

const nullable = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]));

const NetworkSchema = Type.Object({
  Id: Type.String(),
  Name: Type.String(),
  Driver: Type.String(),
  ConfigOnly: Type.Optional(Type.Boolean()),
  IPAM: nullable(
    Type.Object({
      Config: nullable(Type.Array(Type.Object({ Subnet: Type.Optional(Type.String()) }))),
    }),
  ),
});

const InspectSchema = Type.Object({
  Id: Type.String(),
  Name: Type.String(),
  Containers: nullable(
    Type.Record(
      Type.String(),
      Type.Object({ Name: Type.Optional(Type.String()), EndpointID: Type.String() }),
    ),
  ),
});

export interface DockerNetwork {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  /** Prefixes of its address pools, as Docker spells them. */
  readonly subnets: readonly string[];
}

export interface DockerEndpoint {
  readonly endpointId: string;
  readonly containerName: string;
}

export interface DockerNetworkDetail {
  readonly id: string;
  readonly name: string;
  /** The attached containers that run. */
  readonly endpoints: readonly DockerEndpoint[];
}

/**
 * What weft reads from the engine on this host, through its API's socket, without an API version in the path: 20.10 and 29 have
 * none in common for long.
 *
 * Never ask about a container inside a plugin call about it: the engine holds its lock until the call is answered.
 */
export class DockerEngine {
  readonly socketPath: string;
  readonly #timeoutMs: number;

  /** `timeoutMs`: bound of each answer. */
  constructor(options: { readonly socketPath: string; readonly timeoutMs: number }) {
    this.socketPath = options.socketPath;
    this.#timeoutMs = options.timeoutMs;
  }

  async version(signal?: AbortSignal): Promise<string> {
    const schema = Type.Object({ Version: Type.String() });
    return (await this.#get('/version', schema, signal)).Version;
  }

  /** All networks of this engine, of every driver. A `--config-only` one has no subnets: it lends its settings to others. */
  async networks(signal?: AbortSignal): Promise<DockerNetwork[]> {
    const list = await this.#get('/networks', Type.Array(NetworkSchema), signal);
    return list.map(({ Id: id, Name: name, Driver: driver, ConfigOnly = false, IPAM }) => {
      const pools = ConfigOnly ? [] : (IPAM?.Config ?? []);
      return { id, name, driver, subnets: pools.flatMap(({ Subnet }) => Subnet || []) };
    });
  }

  /** One network with its endpoints; undefined when the engine does not have it. */
  async network(id: string, signal?: AbortSignal): Promise<DockerNetworkDetail | undefined> {
    const path = `/networks/${encodeURIComponent(id)}`;
    const reply = await this.#ask(path, signal);
    if (reply.status === 404) return undefined;
    const found = read(path, InspectSchema, reply);
    const endpoints = Object.values(found.Containers ?? {}).map((container) => ({
      endpointId: container.EndpointID,
      containerName: container.Name ?? '',
    }));
    return { id: found.Id, name: found.Name, endpoints };
  }

  /** The containers that run. */
  async containers(signal?: AbortSignal): Promise<ListedContainer[]> {
    return toListed(await this.#get('/containers/json', ContainerListSchema, signal));
  }

  /** One container, by id; undefined when the engine does not have it. Waits while the engine starts or stops it. */
  async container(id: string, signal?: AbortSignal): Promise<DockerContainer | undefined> {
    const path = `/containers/${encodeURIComponent(id)}/json`;
    const reply = await this.#ask(path, signal);
    return reply.status === 404 ? undefined : toContainer(read(path, ContainerSchema, reply));
  }

  async #get<T extends TSchema>(path: string, schema: T, signal?: AbortSignal): Promise<Static<T>> {
    return read(path, schema, await this.#ask(path, signal));
  }

  async #ask(path: string, signal?: AbortSignal): Promise<SocketReply> {
    const { socketPath } = this;
    try {
      return await getOverSocket({
        socketPath,
        path,
        timeoutMs: this.#timeoutMs,
        maxBytes: MAX_REPLY_BYTES,
        ...(signal && { signal }),
      });
    } catch (cause) {
      signal?.throwIfAborted();
      throw new DockerError(
        { code: 'DOCKER_UNREACHABLE', socket: socketPath },
        `the engine can't be asked: ${messageOf(cause)}`,
        { cause },
      );
    }
  }
}

/** Throws DOCKER_REFUSED or DOCKER_UNREADABLE. */
function read<T extends TSchema>(path: string, schema: T, reply: SocketReply): Static<T> {
  const { status, body } = reply;
  if (status !== 200) {
    throw new DockerError(
      { code: 'DOCKER_REFUSED', path, status },
      `the engine answered ${path} with ${status}: ${body.slice(0, 200)}`,
    );
  }
  const value = parseJson(body);
  if (Value.Check(schema, value)) return value as Static<T>;
  throw new DockerError(
    { code: 'DOCKER_UNREADABLE', path },
    `the engine's answer to ${path} is not what weft knows`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
