/** RFC 1035 4.2.2: by TCP each message has its length in front, two octets. */

export function framed(message: Uint8Array): Uint8Array {
  const out = new Uint8Array(message.length + 2);
  out[0] = message.length >> 8;
  out[1] = message.length & 255;
  out.set(message, 2);
  return out;
}

/** Cuts a stream into messages, whatever the pieces in which it comes. */
export class Frames {
  #held: Uint8Array = new Uint8Array();
  #at = 0;

  /** Octets that no message was made of yet. */
  get length(): number {
    return this.#held.length - this.#at;
  }

  push(piece: Uint8Array): void {
    this.#held = this.length === 0 ? piece : Buffer.concat([this.#held.subarray(this.#at), piece]);
    this.#at = 0;
  }

  /** The next message that is whole; valid until the next piece. */
  next(): Uint8Array | undefined {
    const start = this.#at + 2;
    if (start <= this.#held.length) {
      const end = start + ((this.#held[start - 2]! << 8) | this.#held[start - 1]!);
      if (end <= this.#held.length) {
        this.#at = end;
        return this.#held.subarray(start, end);
      }
    }
    // What came is a part of something larger.
    if (this.#at > 0) this.#held = Uint8Array.from(this.#held.subarray(this.#at));
    this.#at = 0;
    return undefined;
  }
}
