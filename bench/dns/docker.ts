import { request } from 'node:http';
import { type Host, imageName, runOk } from '../../lab/index.js';
import { NETWORK, nameOf } from './names.js';
import type { Running } from './subjects.js';

const CALL_MS = 120_000;
const SUBNET = ['--ipv6', '--subnet', '10.45.0.0/16', '--subnet', 'fd00:45::/64'];

/**
 * Docker's own resolver, with so many names: one container that has them all as aliases, on a bridge network. It has no "no such name" of its
 * own, but asks servers elsewhere then.
 */
export async function startDocker(
  host: Host,
  { names, clients, core }: { names: number; clients: number; core: number },
): Promise<Running> {
  const pid = await host.engine.pid();
  if (pid === undefined) throw new Error('the engine does not run');
  await runOk(['taskset', '--all-tasks', '--cpu-list', '--pid', String(core), String(pid)]);
  await host.docker('network', 'create', ...SUBNET, NETWORK);
  await host.docker('run', '--detach', '--name', 'named', imageName, 'sleep', '86400');
  const aliases = Array.from({ length: names }, (_, i) => nameOf(i));
  await connect(host, { Container: 'named', EndpointConfig: { Aliases: aliases } });
  const places: string[] = [];
  for (let i = 0; i < clients; i += 1) {
    const name = `client-${i}`;
    const on = ['--name', name, '--network', NETWORK];
    await host.docker('run', '--detach', ...on, imageName, 'sleep', '86400');
    const inside = await host.docker('inspect', '--format', '{{.State.Pid}}', name);
    places.push(`/proc/${inside}/ns/net`);
  }
  return {
    subject: 'docker',
    address: '127.0.0.11',
    places,
    kinds: ['A', 'AAAA'],
    pid,
    [Symbol.asyncDispose]: async () => clear(host),
  };
}

async function clear(host: Host): Promise<void> {
  const ids = (await host.docker('ps', '--all', '--quiet')).split('\n').filter((id) => id !== '');
  if (ids.length > 0) await host.docker('rm', '--force', ...ids);
  await host.docker('network', 'rm', NETWORK);
}

/** So many aliases are more than a command line takes. */
async function connect(host: Host, body: unknown): Promise<void> {
  const text = JSON.stringify(body);
  await new Promise<void>((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': text.length };
    const asked = request(
      {
        socketPath: host.path('/run/docker.sock'),
        method: 'POST',
        path: `/networks/${NETWORK}/connect`,
        headers,
        timeout: CALL_MS,
      },
      (reply) => {
        let said = '';
        reply.on('data', (piece) => (said += String(piece)));
        reply.on('end', () => {
          if (reply.statusCode === 200) resolve();
          else reject(new Error(`docker: ${reply.statusCode} ${said}`));
        });
      },
    );
    asked.on('timeout', () => asked.destroy(new Error('docker did not connect it in time')));
    asked.on('error', reject);
    asked.end(text);
  });
}
