import test from 'ava';
import fc from 'fast-check';
import { Frames, framed } from '../../../../src/dns/server/frames.js';

test('frames > messages come out as they went in, however the stream is cut', (t) => {
  const messages = fc.array(fc.uint8Array({ maxLength: 700 }), { maxLength: 8 });
  const cuts = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(messages, cuts, (sent, sizes) => {
      const stream = Buffer.concat(sent.map(framed));
      const frames = new Frames();
      const received: Uint8Array[] = [];
      for (let at = 0, i = 0; at < stream.length; i += 1) {
        const size = sizes[i % sizes.length]!;
        frames.push(stream.subarray(at, at + size));
        for (let one = frames.next(); one !== undefined; one = frames.next()) {
          received.push(Uint8Array.from(one));
        }
        at += size;
      }
      t.deepEqual(
        received,
        sent.map((message) => Uint8Array.from(message)),
      );
    }),
  );
});
