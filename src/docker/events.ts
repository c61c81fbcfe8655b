import type { Readable } from 'node:stream';
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';
import { Backoff, openOverSocket } from '../util/index.js';

const EventSchema = Type.Object({
  Type: Type.String(),
  Action: Type.String(),
  Actor: Type.Object({
    ID: Type.String(),
    Attributes: Type.Optional(Type.Record(Type.String(), Type.String())),
  }),
});

export interface DockerEvent {
  /** "network" or "container". */
  readonly type: string;
  /** "create", "connect", "disconnect", "destroy", "start", "die", … */
  readonly action: string;
  /** Docker's id of the network or container. */
  readonly id: string;
}

export interface FollowOptions {
  readonly socketPath: string;
  readonly signal: AbortSignal;
  readonly onEvent: (event: DockerEvent) => void;
  /** The stream is there (again): whatever happened before is unknown, so compare. */
  readonly onConnected: () => void;
  readonly onLost: (error: unknown) => void;
}

/** An event with many labels has some thousands of characters. */
const MAX_EVENT_LENGTH = 1_000_000;

const PATH = `/events?filters=${encodeURIComponent(JSON.stringify({ type: ['network', 'container'] }))}`;

/** Follows the engine's events until `signal` aborts, reconnecting with backoff. Events are hints: what they say may be stale. */
export async function followEvents(options: FollowOptions): Promise<void> {
  const { socketPath, signal, onConnected, onLost } = options;
  const backoff = new Backoff({ minMs: 200, maxMs: 5000 });
  while (!signal.aborted) {
    try {
      const stream = await openOverSocket({ socketPath, path: PATH, timeoutMs: 5000, signal });
      backoff.reset();
      onConnected();
      await readEvents(stream, options);
      if (!signal.aborted) onLost(new Error('the engine closed its event stream'));
    } catch (error) {
      if (!signal.aborted) onLost(error);
    }
    await backoff.wait(signal).catch(() => undefined);
  }
}

async function readEvents(stream: Readable, { signal, onEvent }: FollowOptions): Promise<void> {
  stream.setEncoding('utf8');
  let rest = '';
  for await (const chunk of stream as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    if (rest.length > MAX_EVENT_LENGTH) throw new Error('the engine sent an event without an end');
    for (const event of lines.map(parseEvent)) {
      if (event && !signal.aborted) onEvent(event);
    }
  }
}

function parseEvent(line: string): DockerEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!Value.Check(EventSchema, value)) return undefined;
  const { Type: type, Action: action, Actor } = value as Static<typeof EventSchema>;
  return { type, action, id: Actor.ID };
}
