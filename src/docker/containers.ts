import Type, { type Static, type TSchema } from 'typebox';
import Value from 'typebox/value';
import { callOverSocket, messageOf } from '../util/index.js';
import { DockerError } from './errors.js';

const MAX_REPLY_BYTES = 16_000_000;
/** A start waits for the network plugin, each of whose calls may take ten seconds. */
const START_TIMEOUT_MS = 90_000;

const nullable = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]));
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

export interface ContainersOptions {
  readonly socketPath: string;
  /** Bound of each answer but a start's. */
  readonly timeoutMs: number;
}

/**
 * The engine's containers, as far as weft must know those that do not run. Never to be asked inside a plugin call.
 *
 * Throws DOCKER_UNREACHABLE, DOCKER_REFUSED, DOCKER_UNREADABLE.
 */
export class DockerContainers {
  readonly #options: ContainersOptions;

  constructor(options: ContainersOptions) {
    this.#options = options;
  }

  /** Those that do not run and belong to one of these networks, by the networks' names. */
  async stoppedOn(
    networks: ReadonlySet<string>,
    signal?: AbortSignal,
  ): Promise<StoppedContainer[]> {
    const filters = encodeURIComponent(JSON.stringify({ status: ['exited'] }));
    const list = await this.#get(`/containers/json?all=1&filters=${filters}`, ListSchema, signal);
    const stopped: StoppedContainer[] = [];
    for (const { Id, NetworkSettings } of list ?? []) {
      const names = Object.keys(NetworkSettings?.Networks ?? {});
      if (!names.some((name) => networks.has(name))) continue;
      const found = await this.#get(`/containers/${Id}/json`, InspectSchema, signal);
      if (found?.State.Status !== 'exited') continue; // gone, or started meanwhile
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
    const path = `/containers/${id}/start`;
    const { status, body } = await this.#call('POST', path, START_TIMEOUT_MS, signal);
    if ([204, 304, 404].includes(status)) return;
    throw refused(path, status, body);
  }

  async #get<T extends TSchema>(
    path: string,
    schema: T,
    signal?: AbortSignal,
  ): Promise<Static<T> | undefined> {
    const { status, body } = await this.#call('GET', path, this.#options.timeoutMs, signal);
    if (status === 404) return undefined;
    if (status !== 200) throw refused(path, status, body);
    const value = parseJson(body);
    if (Value.Check(schema, value)) return value as Static<T>;
    const detail = { code: 'DOCKER_UNREADABLE', path } as const;
    throw new DockerError(detail, `the engine's answer to ${path} is not what weft knows`);
  }

  async #call(method: 'GET' | 'POST', path: string, timeoutMs: number, signal?: AbortSignal) {
    const { socketPath } = this.#options;
    const bounds = { timeoutMs, maxBytes: MAX_REPLY_BYTES, ...(signal && { signal }) };
    try {
      return await callOverSocket({ socketPath, method, path, ...bounds });
    } catch (cause) {
      signal?.throwIfAborted();
      const detail = { code: 'DOCKER_UNREACHABLE', socket: socketPath } as const;
      throw new DockerError(detail, `the engine can't be asked: ${messageOf(cause)}`, { cause });
    }
  }
}

function refused(path: string, status: number, body: string): DockerError {
  const detail = { code: 'DOCKER_REFUSED', path, status } as const;
  return new DockerError(
    detail,
    `the engine answered ${path} with ${status}: ${body.slice(0, 300)}`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
