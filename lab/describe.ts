import type { Lab } from './lab.js';
import { outerPid } from './processes.js';

/** How a person outside enters each machine of a lab. */
export async function describeLab(lab: Lab): Promise<string> {
  const rows = await Promise.all(
    lab.machines.map(async (machine) => {
      const enter = `nsenter -a -t ${await outerPid(machine.state.pid)}`;
      return `  ${machine.name.padEnd(10)}${machine.address.padEnd(16)}${enter}`;
    }),
  );
  return [
    `  ${'machine'.padEnd(10)}${'address'.padEnd(16)}enter it, as root, with`,
    ...rows,
    '\nOn a host, "docker" and "weft" work as they would on a real one; the image is "busybox".',
    `Logs: /proc/${await outerPid(process.pid)}/root${lab.directory}/*/log/`,
    'Ctrl-C ends the lab; nothing stays behind.',
  ].join('\n');
}

/** Keeps a lab until the jail ends. */
export async function forever(): Promise<never> {
  return new Promise(() => setInterval(() => {}, 2 ** 30));
}
