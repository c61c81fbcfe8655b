import Type from 'typebox';
import { EngineApi, type EngineOptions, nullable, read, refused } from './api.js';

/** A start waits for the network plugin, each of whose calls may take ten seconds. */
const START_TIMEOUT_MS = 90_000;

const Networks = Type.Object({
  Networks: nullable(Type.Record(Type.String(), Type.Unknown())),
});

const ListSchema = Type.Array(
  Type.Object({ Id: Type.String(), NetworkSettings: nullable(Networks) }),
);

const InspectSchema = Type.Object({
  Id: Type.String(),
  Name: Type.String(),
  State: Type.Object({
    Status: Type.String(),
    Error: Type.Optional(Type.String()),
    StartedAt: Type.String(),
  }),
  HostConfig: Type.Object({ RestartPolicy: nullable(Type.Object({ Name: Type.String() })) }),
});

/** A container that does not run. */
export interface StoppedContainer {
  readonly id: string;
  readonly name: string;
  /** Why its last start failed; empty when it did not, also when it was stopped or ended afterwards. */
  readonly error: string;
  /** True when it ran at least once. */
  readonly hasRun: boolean;
  /** "no", "always", "unless-stopped" or "on-failure". */
  readonly restartPolicy: string;
}

/**
 * The engine's containers, as far as weft must know those that do not run. Never to be asked inside a plugin call.
 *
 * Throws DOCKER_UNREACHABLE, DOCKER_REFUSED, DOCKER_UNREADABLE.
 */
export class DockerContainers {
  readonly #api: EngineApi;

  constructor(options: EngineOptions) {
    this.#api = new EngineApi(options);
  }

  /** Those that do not run and belong to one of these networks, by the networks' names. */
  async stoppedOn(
    networks: ReadonlySet<string>,
    signal?: AbortSignal,
  ): Promise<StoppedContainer[]> {
    const filters = encodeURIComponent(JSON.stringify({ status: ['exited'] }));
    const query = `all=1&filters=${filters}`;
    const list = await this.#api.get(`/containers/json?${query}`, ListSchema, signal);
    const stopped: StoppedContainer[] = [];
    for (const { Id, NetworkSettings } of list) {
      const names = Object.keys(NetworkSettings?.Networks ?? {});
      if (!names.some((name) => networks.has(name))) continue;
      const path = `/containers/${encodeURIComponent(Id)}/json`;
      const reply = await this.#api.ask(path, signal);
      if (reply.status === 404) continue; // gone meanwhile
      const found = read(path, InspectSchema, reply);
      if (found.State.Status !== 'exited') continue; // started meanwhile
      stopped.push({
        id: found.Id,
        name: found.Name.replace(/^\//, ''),
        error: found.State.Error ?? '',
        hasRun: !found.State.StartedAt.startsWith('0001-'),
        restartPolicy: found.HostConfig.RestartPolicy?.Name ?? 'no',
      });
    }
    return stopped;
  }

  /** Starts a container; fine when it runs already or is gone. */
  async start(id: string, signal?: AbortSignal): Promise<void> {
    const path = `/containers/${encodeURIComponent(id)}/start`;
    const request = { method: 'POST', timeoutMs: START_TIMEOUT_MS } as const;
    const reply = await this.#api.ask(path, signal, request);
    if (![204, 304, 404].includes(reply.status)) throw refused(path, reply);
  }
}
