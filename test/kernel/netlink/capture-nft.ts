/**
 * Writes test/fixtures/netlink/nf anew: the batch that nft sends for each case, by strace. Needs root, nftables 1.0.6 and
 * strace; run by hand:
 *
 *     node dist/test/kernel/netlink/capture-nft.js
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cases, type NftCase } from '../../unit/netlink/nf/golden-cases.js';

const fixtures = new URL('../../../../test/fixtures/netlink/nf/', import.meta.url);
const netns = `weft-golden-${process.pid}`;

/** The octets of the last sendmsg call: what comes before it are questions. */
function batchOf(c: NftCase): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'weft-golden-'));
  const log = join(folder, 'strace');
  const traced = ['-o', log, '-e', 'trace=sendmsg', '-e', 'write=all', 'nft', '-f', '-'];
  const args = ['netns', 'exec', netns, 'strace', ...traced];
  execFileSync('ip', args, { input: `${c.text}\n`, stdio: ['pipe', 'inherit', 'inherit'] });
  let hex = '';
  for (const line of readFileSync(log, 'utf8').split('\n')) {
    if (line.startsWith('sendmsg')) hex = '';
    hex += /^ \| [0-9a-f]+ {2}([0-9a-f ]{48}) /.exec(line)?.[1] ?? '';
  }
  rmSync(folder, { recursive: true });
  return Buffer.from(hex.replaceAll(' ', ''), 'hex');
}

for (const c of cases) {
  execFileSync('ip', ['netns', 'add', netns]);
  try {
    execFileSync('ip', `-n ${netns} link add v0 type veth peer name v1`.split(' '));
    const lines =
      batchOf(c)
        .toString('hex')
        .match(/.{1,32}/g) ?? [];
    const octets = lines.map((line) => line.replaceAll(/(..)(?!$)/g, '$1 '));
    const title = `# nft -f - <<< '${c.text.replaceAll('\n', '\n# ')}'`;
    writeFileSync(new URL(`${c.name}.hex`, fixtures), `${title}\n${octets.join('\n')}\n`);
  } finally {
    execFileSync('ip', ['netns', 'del', netns]);
  }
}
