/** RFC 1035 4.2.2: by TCP each message has its length in front, two octets. */

export function framed(message: Uint8Array): Uint8Array {
  const out = new Uint8Array(message.length + 2);
  out[0] = message.length >> 8;
  out[1] = message.length & 255;
  out.set(message, 2);
  return out;
}

/** Cuts a stream into messages, whatever the pieces in which it comes. Holds at most one message and one piece. */
export class Frames {
  #rest: Uint8Array = new Uint8Array();

  /** The messages that are whole with this piece; valid until the next call. */
  push(piece: Uint8Array): Uint8Array[] {
    const all = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    const messages: Uint8Array[] = [];
    let at = 0;
    while (at + 2 <= all.length) {
      const end = at + 2 + ((all[at]! << 8) | all[at + 1]!);
      if (end > all.length) break;
      messages.push(all.subarray(at + 2, end));
      at = end;
    }
    this.#rest = Uint8Array.from(all.subarray(at));
    return messages;
  }
}
