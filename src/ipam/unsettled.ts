import type { Address } from '../net/index.js';

/**
 * Addresses that were handed out a moment ago and that no endpoint has yet.
 *
 * Docker's releases do not say which hand-out they are for. One that comes now may be for the container before, which had the
 * same address: it is put off until an endpoint has the address, and then it was, or until none can come any more.
 *
 * Kept in memory only: what a restart loses, or comes later still, is mended by the next comparison with Docker.
 */
export class Unsettled {
  readonly #now: () => number;
  readonly #settleMs: number;
  /** Since when; oldest first. */
  readonly #since = new Map<Address, number>();
  readonly #putOff = new Map<Address, PutOff>();

  /** `settleMs`: how long after its hand-out an endpoint can still come for an address. */
  constructor(now: () => number, settleMs: number) {
    this.#now = now;
    this.#settleMs = settleMs;
  }

  /** Handed out just now; a release that was put off was for the one before. */
  add(address: Address): void {
    this.attached(address);
    for (const [old, since] of this.#since) {
      if (this.#isYoung(since)) break;
      this.#since.delete(old);
    }
    this.#since.set(address, this.#now());
  }

  /** An endpoint has it. */
  attached(address: Address): void {
    this.#since.delete(address);
    clearTimeout(this.#putOff.get(address)?.timer);
    this.#putOff.delete(address);
  }

  /** Its endpoint is gone, or did not come about: whichever container a release was for, none has the address. */
  ended(address: Address): void {
    const putOff = this.#putOff.get(address);
    this.attached(address);
    putOff?.release();
  }

  /** True when it can't be told whom a release is for: `release` is called later, unless an endpoint has the address first. */
  putOff(address: Address, release: () => void): boolean {
    const since = this.#since.get(address);
    if (since === undefined || !this.#isYoung(since)) return false;
    if (this.#putOff.has(address)) return true;
    const timer = setTimeout(() => this.ended(address), this.#settleMs);
    this.#putOff.set(address, { release, timer });
    return true;
  }

  /** Forgets everything, what was put off too. */
  clear(): void {
    for (const { timer } of this.#putOff.values()) clearTimeout(timer);
    this.#putOff.clear();
    this.#since.clear();
  }

  #isYoung(since: number): boolean {
    return this.#now() - since < this.#settleMs;
  }
}

interface PutOff {
  readonly release: () => void;
  readonly timer: NodeJS.Timeout;
}
