import { type ConnectionOptions, openSocketIn } from './connection.js';
import { NetlinkError } from './errors.js';
import { type Received, splitDatagram } from './message.js';
import { type Monitor as NativeMonitor, closeSocket, openMonitor } from './native.js';

/**
 * Changes were lost, because we read too slowly, or could not be read (`cause`): whatever was known must be observed anew.
 */
export interface Overrun {
  readonly type: 'overrun';
  readonly cause?: NetlinkError | undefined;
}

export interface MonitorOptions<E> extends ConnectionOptions {
  /** Multicast groups by number. */
  readonly groups: readonly number[];
  /** The event a message is; undefined when it is none of ours. What it throws becomes an overrun. */
  readonly decode: (m: Received) => E | undefined;
  /** Runs once an event, in the kernel's order, never inside another call of ours. What it throws is uncaught. */
  readonly onEvent: (event: E | Overrun) => void;
  /** The socket failed, and the monitor has ended. At most once. */
  readonly onError: (error: Error) => void;
}

/** The events in one datagram of notifications. */
export function readEvents<E>(
  datagram: Uint8Array | undefined,
  decode: (m: Received) => E | undefined,
): (E | Overrun)[] {
  if (datagram === undefined) return [{ type: 'overrun' }];
  const events: (E | Overrun)[] = [];
  try {
    for (const m of splitDatagram(datagram)) {
      const event = decode(m);
      if (event !== undefined) events.push(event);
    }
  } catch (cause) {
    if (!(cause instanceof NetlinkError)) throw cause;
    events.push({ type: 'overrun', cause });
  }
  return events;
}

/**
 * Listens to the kernel's notifications. Everything that changes after `open` has settled is an event or an overrun, so
 * open first and dump then. Keeps the process alive until closed.
 */
export class Monitor implements AsyncDisposable {
  readonly #close: () => void;

  private constructor(close: () => void) {
    this.#close = close;
  }

  static async open<E>(options: MonitorOptions<E>): Promise<Monitor> {
    const socket = await openSocketIn(options);
    let native: NativeMonitor;
    try {
      native = openMonitor(
        socket,
        (datagram) => {
          for (const event of readEvents(datagram, options.decode)) options.onEvent(event);
        },
        (error) => {
          closeSocket(socket);
          options.onError(error);
        },
      );
    } catch (error) {
      closeSocket(socket);
      throw error;
    }
    return new Monitor(() => {
      native.close();
      closeSocket(socket);
    });
  }

  /** No event after this. Closing twice is fine. */
  close(): void {
    this.#close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}
