// One failure path: a system call that failed becomes an Error with code, errno, syscall and path, like Node's own.
#pragma once

#include <napi.h>

#include <string>

namespace weft {

struct Failure {
  int error = 0;  // an errno; 0 means that nothing failed
  const char* syscall = "";
  std::string path = {};

  explicit operator bool() const { return error != 0; }
};

// Returns the Error, or nullptr when the environment can't run JavaScript any more.
napi_value MakeError(napi_env env, const Failure& failure);

// Throws it into JavaScript.
void Throw(napi_env env, const Failure& failure);

}  // namespace weft
