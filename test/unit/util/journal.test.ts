import { copyFile, readFile, readdir, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mock } from 'node:test';
import test from 'ava';
import fc from 'fast-check';
import { Journal, type JournalDamage } from '../../../src/util/index.js';
import { encodeLine, header, scanJournal } from '../../../src/util/journal-format.js';
import { FaultyDisk } from '../../helpers/faulty-file.js';
import { tempDir } from '../../helpers/temp-dir.js';

interface Opened {
  readonly journal: Journal;
  readonly records: string[];
  readonly damage: JournalDamage[];
}

async function openJournal(path: string, disk?: FaultyDisk): Promise<Opened> {
  const records: string[] = [];
  const damage: JournalDamage[] = [];
  const journal = await Journal.open({
    path,
    replay: (record) => void records.push(record),
    onDamage: (found) => void damage.push(found),
    ...(disk ? { openFile: disk.open } : {}),
  });
  return { journal, records, damage };
}

async function readRecords(path: string): Promise<Omit<Opened, 'journal'>> {
  const { journal, records, damage } = await openJournal(path);
  await journal.close();
  return { records, damage };
}

/** A journal of five records in three appends, and its path. */
async function fiveRecords(dir: string): Promise<string> {
  const path = join(dir, 'j');
  await using journal = (await openJournal(path)).journal;
  await journal.append(['one']);
  await journal.append(['two', 'three']);
  await journal.append(['four', 'fünf "5"']);
  return path;
}

const FIVE = ['one', 'two', 'three', 'four', 'fünf "5"'];

test('journal > gives back what was appended, in order, to its owner only', async (t) => {
  await using dir = await tempDir();
  const path = await fiveRecords(dir.path);
  t.deepEqual(await readRecords(path), { records: FIVE, damage: [] });
  t.is((await stat(path)).mode & 0o777, 0o600);
  t.deepEqual(await readdir(dir.path), ['j']);
});

test('journal > keeps the order of calls that do not wait for each other', async (t) => {
  await using dir = await tempDir();
  const path = join(dir.path, 'j');
  const { journal } = await openJournal(path);
  const numbers = Array.from({ length: 50 }, (_, i) => String(i));
  await Promise.all(numbers.map(async (n) => journal.append([n])));
  await journal.close();
  t.deepEqual((await readRecords(path)).records, numbers);
});

test('journal > replaces all records by a rewrite and goes on after it', async (t) => {
  await using dir = await tempDir();
  const path = await fiveRecords(dir.path);
  const { journal } = await openJournal(path);
  await journal.rewrite(['sum']);
  await journal.append(['six']);
  await journal.close();
  t.deepEqual(await readRecords(path), { records: ['sum', 'six'], damage: [] });
  t.is((await stat(path)).mode & 0o777, 0o600);
});

test('journal > wants a rewrite once it has grown', async (t) => {
  await using dir = await tempDir();
  await using journal = (await openJournal(join(dir.path, 'j'))).journal;
  t.false(journal.wantsRewrite);
  await journal.append(['x'.repeat(1 << 20)]);
  t.true(journal.wantsRewrite);
  await journal.rewrite(['x']);
  t.false(journal.wantsRewrite);
});

test('journal > refuses a record of two lines', async (t) => {
  await using dir = await tempDir();
  await using journal = (await openJournal(join(dir.path, 'j'))).journal;
  await t.throwsAsync(journal.append(['a\nb']), { instanceOf: TypeError });
  await journal.append(['c']);
  t.false(journal.isBroken);
});

test('journal > says that it is closed', async (t) => {
  await using dir = await tempDir();
  const { journal } = await openJournal(join(dir.path, 'j'));
  await journal.close();
  await journal.close();
  await t.throwsAsync(journal.append(['x']), { code: 'JOURNAL_CLOSED' });
});

test('journal > leaves a file of a later weft alone', async (t) => {
  await using dir = await tempDir();
  const path = join(dir.path, 'j');
  await writeFile(path, 'weft-journal 2\nwhatever');
  await t.throwsAsync(openJournal(path), { code: 'JOURNAL_TOO_NEW', message: /format 2/ });
  t.is(await readFile(path, 'utf8'), 'weft-journal 2\nwhatever');
});

test('journal > cut at any byte, is a beginning of its records', async (t) => {
  await using dir = await tempDir();
  const path = await fiveRecords(dir.path);
  const whole = await readFile(path);
  for (let length = header.length; length < whole.length; length += 1) {
    await writeFile(path, whole.subarray(0, length));
    const { records, damage } = await readRecords(path);
    t.deepEqual(records, FIVE.slice(0, records.length), `cut at ${length}`);
    t.true(
      damage.every(({ kind }) => kind === 'torn'),
      `cut at ${length}`,
    );
    t.deepEqual((await readRecords(path)).damage, [], `opened again after the cut at ${length}`);
  }
  t.deepEqual(await readdir(dir.path), ['j']);
});

test('journal > goes on after a torn end', async (t) => {
  await using dir = await tempDir();
  const path = await fiveRecords(dir.path);
  await truncate(path, (await stat(path)).size - 3);
  const { journal, damage } = await openJournal(path);
  t.like(damage, [{ kind: 'torn', keptRecords: 4, lostRecords: 0 }]);
  await journal.append(['new']);
  await journal.close();
  t.deepEqual(await readRecords(path), { records: [...FIVE.slice(0, 4), 'new'], damage: [] });
});

test('journal > drops what follows a hole that was never acknowledged', (t) => {
  // Two records of one write, of which the disk kept only the second.
  const lines = [encodeLine(1, 0, 'one'), encodeLine(2, 1, 'two'), encodeLine(3, 1, 'three')];
  const bytes = Buffer.from(header + lines[0] + '\0'.repeat(lines[1]!.length) + lines[2]);
  const scan = scanJournal(bytes);
  t.deepEqual(scan.records, ['one']);
  t.is(scan.lost, 0);
  t.is(scan.goodBytes, header.length + lines[0]!.length);
});

test('journal > keeps all that is good when one byte is damaged, and sets the file aside', async (t) => {
  await using dir = await tempDir();
  const path = await fiveRecords(dir.path);
  const whole = await readFile(path);
  // Up to the line of 'four' without the line feed before it: that nothing tells the last write's damage from a torn end is known.
  const lastWrite = whole.indexOf('four') - '\nxxxxxxxx 4 3 '.length;
  for (let at = 0; at < lastWrite; at += 1) {
    const damaged = Buffer.from(whole);
    damaged[at]! ^= 0x10;
    await writeFile(path, damaged);
    const { records, damage } = await readRecords(path);
    // A line feed takes the lines on both its sides along; the header holds no record.
    const lost = (at < header.length ? 0 : 1) + (whole[at] === 0x0a ? 1 : 0);
    t.like(damage, [{ kind: 'corrupt', lostRecords: lost }], `byte ${at}`);
    t.is(records.length, FIVE.length - lost, `byte ${at}`);
    t.deepEqual(
      records,
      FIVE.filter((record) => records.includes(record)),
      `byte ${at}`,
    );
    t.deepEqual(await readFile(damage[0]!.setAside!), damaged, `byte ${at}`);
    t.deepEqual((await readRecords(path)).damage, [], `byte ${at}`);
  }
});

test('journal > opens whatever a disk makes of it', async (t) => {
  await using dir = await tempDir();
  const path = await fiveRecords(dir.path);
  const whole = await readFile(path);
  const splice = fc.record({
    at: fc.nat(whole.length),
    drop: fc.nat(40),
    put: fc.uint8Array({ maxLength: 40 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(splice, { maxLength: 3 }), async (splices) => {
      let bytes = whole;
      for (const { at, drop, put } of splices) {
        bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + drop)]);
      }
      await writeFile(path, bytes);
      const { records } = await readRecords(path);
      t.deepEqual(
        records,
        FIVE.filter((record) => records.includes(record)),
      );
      t.deepEqual(await readRecords(path), { records, damage: [] });
    }),
    { numRuns: 60 },
  );
});

test.serial('journal > sets two files aside that are damaged in one millisecond', async (t) => {
  await using dir = await tempDir();
  const path = await fiveRecords(dir.path);
  mock.timers.enable({ apis: ['Date'], now: 0 });
  t.teardown(() => mock.timers.reset());
  const asides: (string | undefined)[] = [];
  for (const text of ['once', 'twice']) {
    await writeFile(path, text);
    const { journal, damage } = await openJournal(path);
    await journal.close();
    asides.push(damage[0]?.setAside);
  }
  const texts = asides.map(async (aside) => readFile(aside ?? '', 'utf8'));
  t.deepEqual(await Promise.all(texts), ['once', 'twice']);
});

test('journal > counts a record as damaged that its owner does not take', async (t) => {
  await using dir = await tempDir();
  const path = await fiveRecords(dir.path);
  const damage: JournalDamage[] = [];
  const journal = await Journal.open({
    path,
    replay: (record) => {
      if (record === 'two') throw new Error('not a record of mine');
    },
    onDamage: (found) => void damage.push(found),
  });
  await journal.close();
  t.like(damage, [{ kind: 'corrupt', keptRecords: 4, lostRecords: 1 }]);
  t.deepEqual((await readRecords(path)).records, ['one', 'three', 'four', 'fünf "5"']);
});

test('journal > leaves nothing of an append that found the disk full', async (t) => {
  await using dir = await tempDir();
  const path = await fiveRecords(dir.path);
  const disk = new FaultyDisk();
  const { journal } = await openJournal(path, disk);
  for (let freeBytes = 0; freeBytes < 40; freeBytes += 1) {
    disk.freeBytes = freeBytes;
    await t.throwsAsync(journal.append(['lost', 'lost too, and longer']), { code: 'ENOSPC' });
    await copyFile(path, `${path}.copy`);
    t.deepEqual((await readRecords(`${path}.copy`)).records, FIVE, `with ${freeBytes} octets`);
  }
  disk.freeBytes = 100;
  await journal.append(['six']);
  await journal.close();
  t.deepEqual(await readRecords(path), { records: [...FIVE, 'six'], damage: [] });
});

test('journal > takes nothing after a failure that it could not undo, until it is rewritten', async (t) => {
  await using dir = await tempDir();
  const path = await fiveRecords(dir.path);
  const disk = new FaultyDisk();
  const { journal } = await openJournal(path, disk);
  disk.failing.add('write').add('truncate');
  await t.throwsAsync(journal.append(['six']), { code: 'EIO' });
  t.true(journal.isBroken && journal.wantsRewrite);
  disk.failing.clear();
  await t.throwsAsync(journal.append(['six']), { code: 'JOURNAL_BROKEN' });
  await journal.rewrite(FIVE);
  await journal.append(['six']);
  await journal.close();
  t.deepEqual(await readRecords(path), { records: [...FIVE, 'six'], damage: [] });
});

test('journal > goes on with the old file when a rewrite fails', async (t) => {
  await using dir = await tempDir();
  const path = await fiveRecords(dir.path);
  const disk = new FaultyDisk();
  const { journal } = await openJournal(path, disk);
  disk.freeBytes = 10;
  await t.throwsAsync(journal.rewrite(['sum']), { code: 'ENOSPC' });
  disk.freeBytes = 1000;
  disk.failing.add('sync');
  await t.throwsAsync(journal.rewrite(['sum']), { code: 'EIO' });
  t.deepEqual(await readdir(dir.path), ['j']);
  await journal.append(['six']);
  await journal.close();
  t.deepEqual(await readRecords(path), { records: [...FIVE, 'six'], damage: [] });
});

test('journal > removes what an interrupted rewrite left', async (t) => {
  await using dir = await tempDir();
  const path = await fiveRecords(dir.path);
  await writeFile(`${path}.tmp`, 'half a snapshot');
  t.deepEqual(await readRecords(path), { records: FIVE, damage: [] });
  t.deepEqual(await readdir(dir.path), ['j']);
});
