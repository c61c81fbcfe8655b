// End-to-end tests: real programs started by the tests themselves; one at a time.
export default {
  files: ['dist/test/e2e/**/*.test.js'],
  workerThreads: false,
  concurrency: 1,
  serial: true,
  timeout: '300s',
};
