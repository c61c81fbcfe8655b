{
  'variables': {
    # build-native.js passes e.g. -Dsanitize=address,undefined
    'sanitize%': '',
  },
  'targets': [{
    'target_name': 'weft',
    'sources': ['all.cc'],
    'include_dirs': ["<!(node -p \"require('node-addon-api').include_dir\")"],
    'defines': ['NAPI_VERSION=8', 'NAPI_DISABLE_CPP_EXCEPTIONS', 'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS'],
    'cflags': ['-Wall', '-Wextra', '-Werror', '-fvisibility=hidden'],
    'cflags!': ['-Wno-unused-parameter'],
    'cflags_cc': ['-fno-exceptions', '-fno-rtti'],
    'cflags_cc!': ['-std=gnu++14', '-std=gnu++17', '-std=gnu++20', '-fexceptions'],
    'conditions': [
      ['1==1', { 'cflags_cc': ['-std=c++17'] }],
      ['sanitize!=""', {
        'cflags': ['-fsanitize=<(sanitize)', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer', '-g'],
        'cflags!': ['-O3', '-fomit-frame-pointer'],
        'ldflags': ['-fsanitize=<(sanitize)'],
      }],
    ],
  }],
}
