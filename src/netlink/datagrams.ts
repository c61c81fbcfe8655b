import { type NativeDatagrams, addon, checkFd } from './native.js';

/** Datagrams read with one system call, and answered with one. */
const BATCH = 64;
const SLOT_OCTETS = 2048;
const PEER_OCTETS = 28;

/** One for all sockets of a thread, as one at a time is read. */
let batch: ReturnType<typeof makeBatch> | undefined;

function makeBatch() {
  const incoming = new Uint8Array(BATCH * SLOT_OCTETS);
  return {
    incoming,
    incomingLengths: new Uint32Array(BATCH),
    peers: new Uint8Array(BATCH * PEER_OCTETS),
    outgoing: new Uint8Array(BATCH * SLOT_OCTETS),
    outgoingLengths: new Uint32Array(BATCH),
  };
}

/**
 * Answers one datagram: with what it returns, or later with `send`, or not at all. `message` is valid during the call only. What it throws is an
 * uncaught exception.
 */
export type OnDatagram = (message: Uint8Array, datagrams: Datagrams) => Uint8Array | undefined;

/**
 * A UDP socket that is read and answered in batches: several times as fast as Node's own under load, one datagram at a time without.
 * Datagrams, and answers, of more than 2048 octets are dropped. Keeps the event loop alive.
 */
export class Datagrams {
  readonly #native: NativeDatagrams;
  readonly #onDatagram: OnDatagram;
  readonly #batch = (batch ??= makeBatch());
  #at = 0;
  #isClosed = false;

  /** Takes the descriptor, of openInet with transport udp and no remote. */
  constructor(fd: number, onDatagram: OnDatagram) {
    checkFd('fd', fd);
    this.#onDatagram = onDatagram;
    const { incoming, incomingLengths, peers, outgoing, outgoingLengths } = this.#batch;
    this.#native = addon().startDatagrams(
      fd,
      incoming,
      incomingLengths,
      peers,
      outgoing,
      outgoingLengths,
      (count) => this.#onBatch(count),
    );
  }

  /** Who sent the datagram that is being answered, for `send`. */
  peer(): Uint8Array {
    const start = this.#at * PEER_OCTETS;
    return this.#batch.peers.slice(start, start + PEER_OCTETS);
  }

  /** Nothing happens once it is closed, and when the kernel has no room. */
  send(octets: Uint8Array, peer: Uint8Array): void {
    if (!this.#isClosed) addon().sendDatagram(this.#native, octets, peer);
  }

  /** The socket is closed at once. Closing twice is fine. */
  close(): void {
    if (!this.#isClosed) addon().stopDatagrams(this.#native);
    this.#isClosed = true;
  }

  #onBatch(count: number): void {
    const { incoming, incomingLengths, outgoing, outgoingLengths } = this.#batch;
    for (let i = 0; i < count && !this.#isClosed; i += 1) {
      const start = i * SLOT_OCTETS;
      this.#at = i;
      const message = incoming.subarray(start, start + incomingLengths[i]!);
      const reply = this.#onDatagram(message, this);
      if (reply === undefined || reply.length > SLOT_OCTETS) continue;
      outgoing.set(reply, start);
      outgoingLengths[i] = reply.length;
    }
  }
}
