import Type, { type Static, type TSchema } from 'typebox';
import Value from 'typebox/value';
import { type SocketCall, type SocketReply, callOverSocket, messageOf } from '../util/index.js';
import { DockerError } from './errors.js';

/** A host with a thousand containers on one network answers with well under a megabyte. */
const MAX_REPLY_BYTES = 16_000_000;

const ErrorSchema = Type.Object({ message: Type.String() });

export interface EngineOptions {
  readonly socketPath: string;
  /** Bound of each answer that has none of its own. */
  readonly timeoutMs: number;
}

/** What may be absent or null: Go writes both. */
export const nullable = <T extends TSchema>(schema: T) =>
  Type.Optional(Type.Union([schema, Type.Null()]));

/**
 * Calls to the engine's API through its socket, without an API version in the path: 20.10 and 29 have none in common for long.
 *
 * Throws DOCKER_UNREACHABLE.
 */
export class EngineApi {
  readonly #options: EngineOptions;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** Throws DOCKER_REFUSED or DOCKER_UNREADABLE too. */
  async get<T extends TSchema>(path: string, schema: T, signal?: AbortSignal): Promise<Static<T>> {
    return read(path, schema, await this.ask(path, signal));
  }

  async ask(
    path: string,
    signal?: AbortSignal,
    request: Partial<Pick<SocketCall, 'method' | 'json' | 'timeoutMs'>> = {},
  ): Promise<SocketReply> {
    const { socketPath, timeoutMs } = this.#options;
    const bounds = { timeoutMs, maxBytes: MAX_REPLY_BYTES, ...(signal && { signal }) };
    try {
      return await callOverSocket({ socketPath, path, method: 'GET', ...bounds, ...request });
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
export function read<T extends TSchema>(
  path: string,
  schema: T,
  reply: SocketReply,
  expected = 200,
): Static<T> {
  if (reply.status !== expected) throw refused(path, reply);
  const value = parseJson(reply.body);
  if (Value.Check(schema, value)) return value as Static<T>;
  throw new DockerError(
    { code: 'DOCKER_UNREADABLE', path },
    `the engine's answer to ${path} is not what weft knows`,
  );
}

/** With Docker's own words. */
export function refused(path: string, { status, body }: SocketReply): DockerError {
  const value = parseJson(body);
  const words = Value.Check(ErrorSchema, value) ? value.message : body;
  return new DockerError(
    { code: 'DOCKER_REFUSED', path, status },
    `the engine answered ${path} with ${status}: ${words.slice(0, 500).trim()}`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
