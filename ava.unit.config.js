// Unit tests: milliseconds each, no root, no network; compiled by tsc first.
export default {
  files: ['dist/test/unit/**/*.test.js'],
  timeout: '30s',
};
