import { execFile } from 'node:child_process';
import path from 'node:path';
import test from 'ava';

const main = path.resolve(import.meta.dirname, '../../../src/cli/main.js');

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function weft(...args: string[]): Promise<Ended> {
  const env = { PATH: process.env['PATH'] };
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), stdout, stderr });
    });
  });
}

test('weft command > answers its shell with text on the right stream and an exit code', async (t) => {
  t.deepEqual(await weft('version'), { code: 0, stdout: 'weft 0.1.0\n', stderr: '' });
  const { code, stdout, stderr } = await weft('status', '--control-socket', '/nonexistent/c');
  t.deepEqual([code, stdout], [3, '']);
  t.regex(stderr, /^weft: no daemon answers: \/nonexistent\/c does not exist\n/);
});

test('weft command > up reaches the daemon', async (t) => {
  const { code, stdout } = await weft('up', '--mtu', '1400', '--print-config');
  t.is(code, 0);
  t.is((JSON.parse(stdout) as { underlay: { mtu: number } }).underlay.mtu, 1400);
});
