import Type from 'typebox';
import { EngineApi, type EngineOptions, read, refused } from './api.js';
import {
  ContainerListSchema,
  ContainerSchema,
  type DockerContainer,
  type ListedContainer,
  toContainer,
  toListed,
} from './container.js';
import {
  type DockerNetworkSettings,
  InspectSchema,
  NetworkSchema,
  createBody,
  settingsOf,
} from './network-settings.js';

export interface DockerNetwork {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  /** Prefixes of its address pools, as Docker spells them. */
  readonly subnets: readonly string[];
  readonly ipamOptions: Readonly<Record<string, string>>;
}

export interface DockerEndpoint {
  readonly endpointId: string;
  readonly containerName: string;
}

export interface DockerNetworkDetail {
  readonly id: string;
  readonly name: string;
  readonly settings: DockerNetworkSettings;
  /** The attached containers that run. */
  readonly endpoints: readonly DockerEndpoint[];
}

/** A create waits for the plugin, which waits for the store. */
const CREATE_MS = 30_000;

/**
 * What weft reads from the engine on this host, and the networks that it makes and removes there.
 *
 * Never ask about a container inside a plugin call about it: the engine holds its lock until the call is answered.
 */
export class DockerEngine {
  readonly socketPath: string;
  readonly #api: EngineApi;

  constructor(options: EngineOptions) {
    this.socketPath = options.socketPath;
    this.#api = new EngineApi(options);
  }

  async version(signal?: AbortSignal): Promise<string> {
    const schema = Type.Object({ Version: Type.String() });
    return (await this.#api.get('/version', schema, signal)).Version;
  }

  /** All networks of this engine, of every driver. A `--config-only` one has no subnets: it lends its settings to others. */
  async networks(signal?: AbortSignal): Promise<DockerNetwork[]> {
    const list = await this.#api.get('/networks', Type.Array(NetworkSchema), signal);
    return list.map(({ Id: id, Name: name, Driver: driver, ConfigOnly = false, IPAM }) => {
      const pools = ConfigOnly ? [] : (IPAM?.Config ?? []);
      const subnets = pools.flatMap(({ Subnet }) => Subnet || []);
      return { id, name, driver, subnets, ipamOptions: IPAM?.Options ?? {} };
    });
  }

  /** One network with its endpoints; undefined when the engine does not have it. */
  async network(id: string, signal?: AbortSignal): Promise<DockerNetworkDetail | undefined> {
    const path = `/networks/${encodeURIComponent(id)}`;
    const reply = await this.#api.ask(path, signal);
    if (reply.status === 404) return undefined;
    const found = read(path, InspectSchema, reply);
    const endpoints = Object.values(found.Containers ?? {}).map((container) => ({
      endpointId: container.EndpointID,
      containerName: container.Name ?? '',
    }));
    return { id: found.Id, name: found.Name, settings: settingsOf(found), endpoints };
  }

  /**
   * Makes a network of weft's driver; answers its id. Throws DOCKER_REFUSED, with Docker's own words, also when there is one of that
   * name. Not inside a plugin call: Docker asks the plugin before it answers.
   */
  async createNetwork(settings: DockerNetworkSettings, signal?: AbortSignal): Promise<string> {
    const path = '/networks/create';
    const request = { method: 'POST', json: createBody(settings), timeoutMs: CREATE_MS } as const;
    const reply = await this.#api.ask(path, signal, request);
    return read(path, Type.Object({ Id: Type.String() }), reply, 201).Id;
  }

  /** Removes a network; one that is not there is fine. Throws DOCKER_REFUSED while containers use it. */
  async removeNetwork(id: string, signal?: AbortSignal): Promise<void> {
    const path = `/networks/${encodeURIComponent(id)}`;
    const reply = await this.#api.ask(path, signal, { method: 'DELETE', timeoutMs: CREATE_MS });
    if (reply.status !== 204 && reply.status !== 404) throw refused(path, reply);
  }

  /** The containers that run. */
  async containers(signal?: AbortSignal): Promise<ListedContainer[]> {
    return toListed(await this.#api.get('/containers/json', ContainerListSchema, signal));
  }

  /** One container, by id; undefined when the engine does not have it. Waits while the engine starts or stops it. */
  async container(id: string, signal?: AbortSignal): Promise<DockerContainer | undefined> {
    const path = `/containers/${encodeURIComponent(id)}/json`;
    const reply = await this.#api.ask(path, signal);
    return reply.status === 404 ? undefined : toContainer(read(path, ContainerSchema, reply));
  }
}
