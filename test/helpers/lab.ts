/**
 * The lab that all end-to-end tests of one engine share. Each test leaves the hosts as it found them:
 * `leaveClean` in a file's afterEach.
 */
import test from 'ava';
import { Lab, type Host } from '../../lab/index.js';

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

/** Removes all containers and networks a test made, mends what it cut, starts what it stopped. */
export async function leaveClean(lab: Lab): Promise<void> {
  for (const machine of lab.machines) await lab.heal(machine);
  for (const service of lab.services) {
    await service.thaw();
    if ((await service.pid()) === undefined) await service.start();
  }
  // On every host before any network goes: what is in use elsewhere goes from one host alone.
  await Promise.all(lab.hosts.map(removeContainers));
  for (const host of lab.hosts) await host.docker('network', 'prune', '--force');
}

async function removeContainers(host: Host): Promise<void> {
  const containers = await host.docker('ps', '--all', '--quiet');
  if (containers !== '') await host.docker('rm', '--force', '--volumes', ...containers.split('\n'));
}
