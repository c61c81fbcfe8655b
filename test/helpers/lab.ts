/**
 * The lab that all end-to-end tests of one engine share. Each test leaves the hosts as it found them:
 * `leaveClean` in a file's afterEach.
 */
import test, { type ExecutionContext } from 'ava';
import { Lab, type Host } from '../../lab/index.js';

const lastLines = 15;

/** The lab of this run; throws outside `npm test -- --layer e2e`. */
export async function sharedLab(): Promise<Lab> {
  const directory = process.env['WEFT_LAB'];
  if (directory === undefined) {
    throw new Error('end-to-end tests run in a lab; use "npm test -- --layer e2e"');
  }
  return Lab.attach(directory);
}

/** `test` where the lab has this many hosts, else a test that is skipped: the embedded store serves one. */
export function onHosts(lab: Lab, count: number): typeof test.serial | typeof test.serial.skip {
  return lab.hosts.length >= count ? test.serial : test.serial.skip;
}

/**
 * Removes all containers and networks a test made, mends what it cut, starts what it stopped. Of a test that failed it shows
 * what the daemons said last: a machine that ran it elsewhere may be gone with its logs.
 */
export async function leaveClean(lab: Lab, t: ExecutionContext): Promise<void> {
  if (!t.passed) await showLogs(lab);
  await cleanUp(lab);
}

/** The same for tests that share what they made, after the last of them. */
export async function cleanUp(lab: Lab): Promise<void> {
  for (const machine of lab.machines) await lab.heal(machine);
  for (const service of lab.services) {
    await service.thaw();
    if ((await service.pid()) === undefined) await service.start();
  }
  // On every host before any network goes: what is in use elsewhere goes from one host alone.
  await Promise.all(lab.hosts.map(removeContainers));
  for (const host of lab.hosts) await host.docker('network', 'prune', '--force');
}

/** What the daemons and engines said last. */
export async function showLogs(lab: Lab): Promise<void> {
  for (const { name, daemon, engine } of lab.hosts) {
    const said = { weftd: daemon, engine };
    for (const [who, service] of Object.entries(said)) {
      for (const line of (await service.lastWords(lastLines)).split('\n')) {
        console.log(`${name} ${who}: ${line}`);
      }
    }
  }
}

async function removeContainers(host: Host): Promise<void> {
  const containers = await host.docker('ps', '--all', '--quiet');
  if (containers !== '') await host.docker('rm', '--force', '--volumes', ...containers.split('\n'));
}
