// Unit tests: milliseconds each, no root, no network; compiled by tsc first.
export default {
  files: ['dist/test/unit/**/*.test.js'],
  // Some tests wait for a timer or a process: others use the processor meanwhile.
  concurrency: 4,
  timeout: '120s',
};
