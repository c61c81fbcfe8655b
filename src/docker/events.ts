import type { Readable } from 'node:stream';
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';
import { Backoff, openOverSocket } from '../util/index.js';
import { DockerError } from './errors.js';

const EventSchema = Type.Object({
  Type: Type.String(),
  Action: Type.String(),
  Actor: Type.Object({
    ID: Type.String(),
    Attributes: Type.Optional(Type.Record(Type.String(), Type.String())),
  }),
  timeNano: Type.Number(),
});

export interface DockerEvent {
  /** "network" or "container". */
  readonly type: string;
  /** "create", "connect", "disconnect", "destroy", "start", "die", "health_status: healthy", … */
  readonly action: string;
  /** Docker's id of the network or container. */
  readonly id: string;
  /** Of a network's "connect" and "disconnect": the container. */
  readonly container?: string;
  /** When it happened, by the engine's clock, ms since 1970. */
  readonly at: number;
}

export interface FollowOptions {
  readonly socketPath: string;
  readonly signal: AbortSignal;
  readonly onEvent: (event: DockerEvent) => void;
  /** The stream is there (again): whatever happened before is unknown, so compare. */
  readonly onConnected: () => void;
  /** After each stream that ended and each attempt that failed. */
  readonly onLost: (error: unknown) => void;
}

/** An event with many labels has some thousands of characters. */
const MAX_EVENT_LENGTH = 1_000_000;

/** What changes who is attached where, and under which name. Without this list each health check would be three events; `health_status` comes when its outcome turns. */
const FILTERS = {
  type: ['network', 'container'],
  event: ['create', 'connect', 'disconnect', 'destroy', 'start', 'die', 'rename', 'health_status'],
};

/** A stream that lasted this long was a good one: the next attempt comes at once again. */
const STEADY_MS = 10_000;

/**
 * Follows the engine's events until `signal` aborts, reconnecting with backoff.
 *
 * Events are hints: one may come twice, and what it says may be stale. None is lost between `onConnected` and what follows: the
 * engine answers before it subscribes, so the request asks for what happened since shortly before it. The engine drops events
 * of a reader that is slow for 100 ms (moby daemon/events), so the callbacks must not block.
 */
export async function followEvents(options: FollowOptions): Promise<void> {
  const { signal, onLost } = options;
  const backoff = new Backoff({ minMs: 200, maxMs: 5000 });
  while (!signal.aborted) {
    const startedAt = performance.now();
    try {
      await followOnce(options);
    } catch (error) {
      if (!signal.aborted) onLost(error);
    }
    if (performance.now() - startedAt > STEADY_MS) backoff.reset();
    await backoff.wait(signal).catch(() => undefined);
  }
}

/** Ends by throwing: there is no good end of the stream. */
async function followOnce(options: FollowOptions): Promise<never> {
  const { socketPath, signal, onConnected } = options;
  const since = Math.floor(Date.now() / 1000) - 1;
  const path = `/events?since=${since}&filters=${encodeURIComponent(JSON.stringify(FILTERS))}`;
  const stream = await openOverSocket({ socketPath, path, timeoutMs: 5000, signal });
  try {
    const status = stream.statusCode ?? 0;
    if (status !== 200) {
      const detail = { code: 'DOCKER_REFUSED', path, status } as const;
      throw new DockerError(detail, `the engine answered its event stream with ${status}`);
    }
    onConnected();
    await readEvents(stream, options);
    const detail = { code: 'DOCKER_UNREACHABLE', socket: socketPath } as const;
    throw new DockerError(detail, 'the engine closed its event stream');
  } finally {
    stream.destroy();
  }
}

async function readEvents(stream: Readable, { signal, onEvent }: FollowOptions): Promise<void> {
  stream.setEncoding('utf8');
  let rest = '';
  for await (const chunk of stream as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    if (rest.length > MAX_EVENT_LENGTH) throw unreadable('an event without an end');
    for (const line of lines) {
      if (line === '') continue;
      const event = parseEvent(line);
      if (signal.aborted) return;
      onEvent(event);
    }
  }
}

/** Throws DOCKER_UNREADABLE, which ends the stream: the comparison after the next connection makes good for what it said. */
function parseEvent(line: string): DockerEvent {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw unreadable('an event that is not JSON', cause);
  }
  if (!Value.Check(EventSchema, value)) throw unreadable('an event of a shape weft does not know');
  const { Type: type, Action: action, Actor, timeNano } = value as Static<typeof EventSchema>;
  const container = type === 'network' ? Actor.Attributes?.['container'] : undefined;
  return {
    type,
    action,
    id: Actor.ID,
    at: timeNano / 1e6,
    ...(container !== undefined && { container }),
  };
}

function unreadable(what: string, cause?: unknown): DockerError {
  const detail = { code: 'DOCKER_UNREADABLE', path: '/events' } as const;
  return new DockerError(detail, `the engine sent ${what}`, { cause });
}
