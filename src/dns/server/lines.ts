import type { Socket } from 'node:net';
import { StringDecoder } from 'node:string_decoder';

/** One host's share of a network with 10,000 endpoints is a tenth of this. */
const MAX_LINE = 64 << 20;

/** Hands on each line as the JSON that it holds. A line that is none, or too long, or that `onLine` throws for, ends the connection. */
export function readLines(socket: Socket, onLine: (line: unknown) => void): void {
  const decoder = new StringDecoder('utf8');
  let pieces: string[] = [];
  let length = 0;
  socket.on('data', (data) => {
    const [first = '', ...others] = decoder.write(data as Buffer).split('\n');
    pieces.push(first);
    length += first.length;
    try {
      for (const other of others) {
        const line = pieces.join('');
        pieces = [other];
        length = other.length;
        onLine(JSON.parse(line));
      }
      if (length > MAX_LINE) throw new RangeError(`a line of more than ${MAX_LINE} characters`);
    } catch (error) {
      socket.destroy(error as Error);
    }
  });
}
