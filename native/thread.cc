#include "thread.h"

#include <pthread.h>
#include <sched.h>

#include <cerrno>

namespace weft {

namespace {

struct Call {
  const std::function<Failure()>& body;
  Failure failure;
};

void* Run(void* data) {
  Call* call = static_cast<Call*>(data);
  call->failure = call->body();
  return nullptr;
}

}  // namespace

// pthreads and not std::thread: that one can only report a failure by an exception.
Failure RunOnOwnThread(const std::function<Failure()>& body) {
  Call call{body, {}};
  pthread_t thread;
  int error = pthread_create(&thread, nullptr, Run, &call);
  if (error != 0) return {error, "pthread_create"};
  pthread_join(thread, nullptr);
  return call.failure;
}

Failure RunInNetns(int netns, const std::function<Failure()>& body) {
  return RunOnOwnThread([netns, &body]() -> Failure {
    if (setns(netns, CLONE_NEWNET) != 0) return {errno, "setns"};
    return body();
  });
}

}  // namespace weft
