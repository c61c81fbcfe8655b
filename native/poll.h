// Reads a socket's notifications on the event loop of the environment that asked.
#pragma once

#include <napi.h>
#include <uv.h>

#include <memory>

#include "error.h"
#include "socket.h"

namespace weft {

// Lives until it is stopped or its environment ends, whether or not JavaScript still holds the socket. It frees itself
// when the loop has let go of its handle.
class Monitor {
 public:
  static Failure Start(Napi::Env env, std::shared_ptr<Channel> channel, Napi::Function callback);
  void Stop();

 private:
  Monitor(Napi::Env env, std::shared_ptr<Channel> channel) : env_(env), channel_(std::move(channel)) {}
  ~Monitor() = default;

  static void OnPoll(uv_poll_t* handle, int status, int events);
  Failure Drain();
  void Deliver(napi_value datagram, napi_value error);
  napi_value Copy(size_t length);

  const napi_env env_;
  const std::shared_ptr<Channel> channel_;
  const std::unique_ptr<uint8_t[]> buffer_{new uint8_t[kDatagramBytes]};
  Napi::FunctionReference callback_;
  uv_poll_t handle_{};
  napi_async_cleanup_hook_handle hook_ = nullptr;
  bool stopped_ = false;
  bool overrun_ = false;
};

}  // namespace weft
