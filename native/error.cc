#include "error.h"

#include <uv.h>

namespace weft {

namespace {

napi_value String(napi_env env, const std::string& text) {
  napi_value value = nullptr;
  napi_create_string_utf8(env, text.data(), text.size(), &value);
  return value;
}

void Set(napi_env env, napi_value object, const char* name, napi_value value) {
  // Fails only while the environment goes away, when nobody will look at the error.
  if (value != nullptr) (void)napi_set_named_property(env, object, name, value);
}

}  // namespace

napi_value MakeError(napi_env env, const Failure& failure) {
  char name[64];
  char text[256];
  uv_err_name_r(-failure.error, name, sizeof name);
  uv_strerror_r(-failure.error, text, sizeof text);
  std::string message = std::string(name) + ": " + text + ", " + failure.syscall;
  if (!failure.path.empty()) message += " '" + failure.path + "'";

  napi_value code = String(env, name);
  napi_value error = nullptr;
  if (napi_create_error(env, code, String(env, message), &error) != napi_ok) return nullptr;
  napi_value number = nullptr;
  napi_create_int32(env, -failure.error, &number);
  Set(env, error, "errno", number);
  Set(env, error, "syscall", String(env, failure.syscall));
  if (!failure.path.empty()) Set(env, error, "path", String(env, failure.path));
  return error;
}

void Throw(napi_env env, const Failure& failure) {
  napi_value error = MakeError(env, failure);
  if (error != nullptr) (void)napi_throw(env, error);
}

}  // namespace weft
