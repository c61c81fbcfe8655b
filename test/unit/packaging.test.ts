import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';

const project = path.resolve(import.meta.dirname, '../../..');
const textOf = (name: string): string =>
  readFileSync(path.join(project, 'packaging', name), 'utf8');
const unit = textOf('weft.service');
const namesUnit = textOf('weft-names.service');

/** Settings that give a service a mount namespace of its own: systemd.exec(5), PrivateMounts=. */
const mountNamespace =
  /^(PrivateMounts|PrivateTmp|PrivateDevices|PrivateUsers|Protect(System|Home|KernelTunables|KernelModules|KernelLogs|ControlGroups|Proc)|ProcSubset|(ReadWrite|ReadOnly|Inaccessible|Exec|NoExec)Paths|Bind(ReadOnly)?Paths|TemporaryFileSystem|MountFlags|MountAPIVFS|RootDirectory|RootImage|DynamicUser|InaccessibleDirectories)=/m;

test("packaging > the unit leaves the service in the host's mount namespace, where the data path is held", (t) => {
  for (const text of [unit, namesUnit]) t.notRegex(text, mountNamespace);
});

test('packaging > stopping the service kills nothing but the daemon, and it comes back for ever', (t) => {
  t.regex(unit, /^KillMode=process$/m);
  t.regex(unit, /^Restart=always$/m);
  t.regex(unit, /^StartLimitIntervalSec=0$/m);
  t.regex(unit, /^Before=docker\.service$/m);
});

/** systemd's own complaints about the unit; undefined where it is not installed. */
async function verify(file: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    execFile('systemd-analyze', ['verify', '--man=no', file], (error, _stdout, stderr) => {
      if (!error) resolve(stderr);
      else if (error.code === 'ENOENT') resolve(undefined);
      else reject(new Error(stderr));
    });
  });
}

test('packaging > what answers names comes first, and neither stops nor restarts with the daemon', (t) => {
  t.regex(unit, /^Wants=.* weft-names\.service$/m);
  t.regex(unit, /^After=.* weft-names\.service$/m);
  t.notRegex(namesUnit, /^(PartOf|BindsTo|Requires|Requisite)=/m);
  t.regex(namesUnit, /^Restart=always$/m);
  t.regex(namesUnit, /^StartLimitIntervalSec=0$/m);
});

test('packaging > systemd knows every setting of the units', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'weft-unit-'));
  t.teardown(async () => rm(directory, { recursive: true }));
  for (const [name, text] of Object.entries({ weft: unit, 'weft-names': namesUnit })) {
    const file = path.join(directory, `${name}.service`);
    // It also looks for the command, which is not installed here.
    await writeFile(file, text.replace('ExecStart=weft', 'ExecStart=/bin/true'));
    const complaints = await verify(file);
    if (complaints === undefined) t.log('no systemd-analyze here: not verified');
    t.is(complaints ?? '', '', name);
  }
});
