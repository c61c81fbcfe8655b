import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Datagrams, closeFd, currentNetnsFd, openInet } from '../../netlink/index.js';
import { messageOf } from '../../util/index.js';
import type { Upstream } from '../upstream.js';
import type { Zone } from '../zone/index.js';
import type { SandboxState } from './protocol.js';
import { respondToHost } from './respond.js';
import { adopted } from './sockets.js';
import { StreamServer } from './streams.js';

/** The address may come later, or another program may let go of the port. */
const RETRY_MS = 5000;

/** Answers the host itself, on one address of it: names in our domain and nothing else, whoever asks. */
export class HostListener implements AsyncDisposable {
  readonly #at: Upstream;
  readonly #zone: Zone;
  readonly #onState: (state: SandboxState, reason?: string) => void;
  readonly #aborter = new AbortController();
  readonly #running: Promise<void>;
  #udp: Datagrams | undefined;
  #streams: StreamServer | undefined;

  /** Starts at once, and tries until it can: `waiting` is told once. */
  constructor(at: Upstream, zone: Zone, onState: (state: SandboxState, reason?: string) => void) {
    this.#at = at;
    this.#zone = zone;
    this.#onState = onState;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    const { signal } = this.#aborter;
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      try {
        await this.#open();
        this.#onState('serving');
        return;
      } catch (error) {
        this.#close();
        if (attempt === 1) this.#onState('waiting', messageOf(error));
      }
      await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #open(): Promise<void> {
    const netns = currentNetnsFd();
    try {
      const local = this.#at;
      const udp = openInet(netns, { transport: 'udp', local });
      this.#udp = adopted(udp, () => new Datagrams(udp, (message) => this.#answer(message, 'udp')));
      const tcp = openInet(netns, { transport: 'tcp', local });
      const streams = new StreamServer((message, reply) => reply(this.#answer(message, 'tcp')));
      this.#streams = streams;
      adopted(tcp, () => streams.server.listen({ fd: tcp }));
      if (!streams.server.listening) await once(streams.server, 'listening');
      streams.server.on('error', () => undefined);
    } finally {
      closeFd(netns);
    }
  }

  #answer(message: Uint8Array, transport: 'udp' | 'tcp'): Uint8Array | undefined {
    return respondToHost(message, this.#zone, transport);
  }

  #close(): void {
    this.#udp?.close();
    this.#streams?.closeAll();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#aborter.abort();
    await this.#running;
    this.#close();
  }
}
