// Work off the JavaScript thread, on libuv's pool, that settles a promise.
#pragma once

#include <napi.h>

#include <functional>

#include "error.h"

namespace weft {

// `work` runs on a pool thread and must not touch JavaScript. When it succeeds, `result` makes the promise's value on
// the JavaScript thread; it may return nullptr while the environment goes away. Both own what they capture.
Napi::Value StartJob(Napi::Env env, std::function<Failure()> work, std::function<napi_value(napi_env)> result);

// For jobs without a value.
napi_value Undefined(napi_env env);

}  // namespace weft
