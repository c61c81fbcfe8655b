// End-to-end tests that start all they need themselves and so run once, not once per engine.
export default {
  files: ['dist/test/e2e/alone/**/*.test.js'],
  workerThreads: false,
  concurrency: 1,
  serial: true,
  timeout: '300s',
};
