// Runs the native kernel tests, worker threads included, on an addon built with AddressSanitizer and UBSan: a report
// ends the process that made it with a failure, and so fails its test file. Then looks for leaks in a process of its
// own, since AVA's children end in the middle of Node's own work, which leaks.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

function run(command, args, env = {}) {
  const options = { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } };
  const { status } = spawnSync(command, args, options);
  if (status !== 0) process.exit(status ?? 1);
}

/** The runtimes have to be there before anything allocates. */
function library(name) {
  const { stdout } = spawnSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' });
  return stdout.trim();
}

run(process.execPath, ['scripts/build-native.js', '--sanitize=address,undefined']);

const sanitizers = {
  LD_PRELOAD: `${library('libasan.so')} ${library('libubsan.so')}`,
  UBSAN_OPTIONS: 'print_stacktrace=1',
  WEFT_NATIVE: '../../../native/build-asan/build/Release/weft.node',
};
run('npx', ['ava', '--config', 'ava.kernel.config.js', 'dist/test/kernel/native*.test.js'], {
  ...sanitizers,
  ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=1',
});
run(process.execPath, ['dist/test/helpers/native-exercise.js'], {
  ...sanitizers,
  // Short stacks: with V8's frames at their far end, its suppression would hide everything.
  ASAN_OPTIONS: 'detect_leaks=1:fast_unwind_on_malloc=0:malloc_context_size=6',
  LSAN_OPTIONS: 'suppressions=native/lsan.supp:print_suppressions=0',
});
