#include "poll.h"

#include <cerrno>
#include <cstring>

#include "job.h"

namespace weft {

namespace {

// Datagrams handed over before the loop gets its turn; it comes back as long as there are more.
constexpr int kBurst = 64;
constexpr int kDiscardBurst = 4096;

}  // namespace

Failure Monitor::Start(Napi::Env env, std::shared_ptr<Channel> channel, Napi::Function callback) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return {ENOSYS, "napi_get_uv_event_loop"};
  Monitor* monitor = new Monitor(env, channel);
  int status = uv_poll_init(loop, &monitor->handle_, channel->fd.get());
  if (status != 0) {
    delete monitor;
    return {-status, "uv_poll_init"};
  }
  monitor->handle_.data = monitor;
  monitor->callback_ = Napi::Persistent(callback);
  channel->monitor = monitor;
  auto end = [](napi_async_cleanup_hook_handle, void* data) { static_cast<Monitor*>(data)->Stop(); };
  (void)napi_add_async_cleanup_hook(env, end, monitor, &monitor->hook_);
  status = uv_poll_start(&monitor->handle_, UV_READABLE, OnPoll);
  if (status == 0) return {};
  monitor->Stop();
  return {-status, "uv_poll_start"};
}

// Called by JavaScript, or by the environment's end; that waits until the hook is removed, with the loop running.
void Monitor::Stop() {
  if (stopped_) return;
  stopped_ = true;
  channel_->monitor = nullptr;
  callback_.Reset();
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_), [](uv_handle_t* handle) {
    Monitor* self = static_cast<Monitor*>(handle->data);
    if (self->hook_ != nullptr) (void)napi_remove_async_cleanup_hook(self->hook_);
    delete self;
  });
}

// An overrun puts the socket in error, for which libuv reports EBADF and stops polling. Receiving tells the truth.
void Monitor::OnPoll(uv_poll_t* handle, int status, int) {
  Monitor* self = static_cast<Monitor*>(handle->data);
  Napi::HandleScope scope(self->env_);
  Failure failure = self->Drain();
  if (!failure && status != 0 && !self->stopped_) {
    failure = {-uv_poll_start(handle, UV_READABLE, OnPoll), "uv_poll_start"};
  }
  if (!failure) return;
  self->Deliver(nullptr, MakeError(self->env_, failure));
  self->Stop();
}

// After an overrun the kernel goes on dropping what comes, without another word, until the queue has been empty. So the
// rest of the queue is thrown away, and the loss is told when it is empty: whoever observes anew then misses nothing.
Failure Monitor::Drain() {
  for (int i = 0; i < (overrun_ ? kDiscardBurst : kBurst) && !stopped_; i++) {
    Napi::HandleScope scope(env_);
    ssize_t length = Receive(channel_->fd.get(), buffer_.get());
    if (length == -EAGAIN) {
      if (overrun_) Deliver(nullptr, nullptr);
      overrun_ = false;
      break;
    }
    if (length < 0 && length != -ENOBUFS) return {static_cast<int>(-length), "recvmsg"};
    // A datagram that did not fit is lost like one for which there was no room.
    if (length < 0 || static_cast<size_t>(length) > kDatagramBytes) overrun_ = true;
    if (!overrun_) Deliver(Copy(static_cast<size_t>(length)), nullptr);
  }
  return {};
}

napi_value Monitor::Copy(size_t length) {
  void* bytes = nullptr;
  napi_value buffer = nullptr;
  napi_value view = nullptr;
  if (napi_create_arraybuffer(env_, length, &bytes, &buffer) != napi_ok) return nullptr;
  memcpy(bytes, buffer_.get(), length);
  (void)napi_create_typedarray(env_, napi_uint8_array, length, buffer, 0, &view);
  return view;
}

// What the callback throws is an uncaught exception, as from any event. While the environment goes away nothing is
// called and nothing is thrown.
void Monitor::Deliver(napi_value datagram, napi_value error) {
  napi_value nothing = Undefined(env_);
  napi_value arguments[] = {datagram != nullptr ? datagram : nothing, error != nullptr ? error : nothing};
  napi_value global = nullptr;
  napi_value callback = nullptr;
  if (napi_get_global(env_, &global) != napi_ok) return;
  if (napi_get_reference_value(env_, callback_, &callback) != napi_ok) return;
  napi_status status = napi_make_callback(env_, nullptr, global, callback, 2, arguments, nullptr);
  bool thrown = false;
  napi_value exception = nullptr;
  if (status == napi_ok || napi_is_exception_pending(env_, &thrown) != napi_ok || !thrown) return;
  if (napi_get_and_clear_last_exception(env_, &exception) == napi_ok) (void)napi_fatal_exception(env_, exception);
}

void StartMonitor(const Napi::CallbackInfo& info) {
  std::shared_ptr<Channel> channel = IdleChannel(info);
  if (channel == nullptr) return;
  Failure failure = Monitor::Start(info.Env(), channel, info[1].As<Napi::Function>());
  if (failure) Throw(info.Env(), failure);
}

void StopMonitor(const Napi::CallbackInfo& info) {
  Socket* socket = SocketArgument(info);
  if (socket == nullptr || socket->channel == nullptr) return;
  if (Monitor* monitor = socket->channel->monitor) monitor->Stop();
}

}  // namespace weft
