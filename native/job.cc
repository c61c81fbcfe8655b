#include "job.h"

#include <memory>
#include <utility>

namespace weft {

namespace {

struct Job {
  std::function<Failure()> work;
  std::function<napi_value(napi_env)> result;
  Failure failure;
  napi_deferred deferred = nullptr;
  napi_async_work handle = nullptr;
};

void Execute(napi_env, void* data) {
  Job* job = static_cast<Job*>(data);
  job->failure = job->work();
}

// Runs also while the environment goes away: Node waits for work in flight. JavaScript can't be entered then, every
// call below may fail, and nobody is left to be told; so statuses are not looked at and the C API is used throughout
// (its C++ wrappers abort where a failure can't be thrown).
void Complete(napi_env env, napi_status, void* data) {
  std::unique_ptr<Job> job(static_cast<Job*>(data));
  napi_handle_scope scope = nullptr;
  (void)napi_open_handle_scope(env, &scope);
  napi_value value = job->failure ? MakeError(env, job->failure) : job->result(env);
  if (value == nullptr) value = Undefined(env);
  if (job->failure) {
    (void)napi_reject_deferred(env, job->deferred, value);
  } else {
    (void)napi_resolve_deferred(env, job->deferred, value);
  }
  (void)napi_delete_async_work(env, job->handle);
  (void)napi_close_handle_scope(env, scope);
}

}  // namespace

napi_value Undefined(napi_env env) {
  napi_value value = nullptr;
  (void)napi_get_undefined(env, &value);
  return value;
}

Napi::Value StartJob(Napi::Env env, std::function<Failure()> work, std::function<napi_value(napi_env)> result) {
  auto job = std::make_unique<Job>();
  job->work = std::move(work);
  job->result = std::move(result);
  napi_value promise = nullptr;
  napi_status status = napi_create_promise(env, &job->deferred, &promise);
  if (status == napi_ok) {
    status = napi_create_async_work(env, nullptr, Napi::String::New(env, "weft"), Execute, Complete, job.get(),
                                    &job->handle);
  }
  if (status == napi_ok) status = napi_queue_async_work(env, job->handle);
  NAPI_THROW_IF_FAILED(env, status, env.Undefined());
  job.release();  // Complete owns it now
  return Napi::Value(env, promise);
}

}  // namespace weft
