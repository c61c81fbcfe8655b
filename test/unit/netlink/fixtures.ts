import { readFileSync, readdirSync } from 'node:fs';

const folder = new URL('../../../../test/fixtures/netlink/', import.meta.url);

/** The octets in test/fixtures/netlink/NAME.hex. */
export function fixture(name: string): Buffer {
  const text = readFileSync(new URL(`${name}.hex`, folder), 'utf8');
  return Buffer.from(text.replaceAll(/#.*|\s/g, ''), 'hex');
}

export function fixtureNames(): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.hex'))
    .map((name) => name.slice(0, -4));
}
