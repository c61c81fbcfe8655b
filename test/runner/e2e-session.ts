/**
 * Inside a jail: makes one lab, runs AVA on it, and keeps the logs when something failed.
 *
 * Arguments: engine, store, then the AVA command line.
 */
import { spawn } from 'node:child_process';
import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { engineReleases, Lab, projectDirectory, type StoreKind } from '../../lab/index.js';

const [engineName, storeName, ...ava] = process.argv.slice(2);
const engine = engineReleases.find((release) => release === engineName) ?? '28.5';
const store: StoreKind = storeName === 'embedded' ? 'embedded' : 'consul';

const lab = await Lab.create({
  hosts: store === 'embedded' ? 1 : 3,
  engine,
  store,
});
const child = spawn(process.execPath, ava, {
  cwd: projectDirectory,
  stdio: 'inherit',
  env: { ...process.env, WEFT_LAB: lab.directory },
});
const code = await new Promise<number>((resolve) => {
  child.once('error', () => resolve(1));
  child.once('exit', (exit) => resolve(exit ?? 1));
});
if (code !== 0) await keepLogs();
process.exit(code);

async function keepLogs(): Promise<void> {
  const kept = join(projectDirectory, 'dist/lab-logs', `${engine}-${store}`);
  await rm(kept, { recursive: true, force: true });
  await mkdir(kept, { recursive: true });
  for (const machine of lab.machines) {
    const logs = join(machine.state.directory, 'log');
    await cp(logs, join(kept, machine.name), { recursive: true }).catch(() => {});
  }
  console.log(`the logs of every machine are in ${kept}`);
}
