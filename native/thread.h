// A thread that may change its network namespace because it dies right after.
#pragma once

#include <functional>

#include "error.h"

namespace weft {

// Runs `body` on a new thread and waits for it. The namespace of a thread is its own: neither the JavaScript thread nor
// libuv's pool ever changes theirs, so nothing has to be restored, and nothing can be restored wrongly.
Failure RunOnOwnThread(const std::function<Failure()>& body);

// The same, inside the network namespace behind `netns`.
Failure RunInNetns(int netns, const std::function<Failure()>& body);

}  // namespace weft
