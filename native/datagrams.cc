#include "datagrams.h"

#include <netinet/in.h>

#include <cerrno>
#include <cstring>

#include "job.h"

namespace weft {

namespace {

static_assert(sizeof(sockaddr_in6) <= kPeerBytes);

socklen_t PeerLength(const uint8_t* peer) {
  sa_family_t family = 0;
  memcpy(&family, peer, sizeof family);
  return family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

using Shared = std::shared_ptr<Datagrams::Handle>;

Datagrams* DatagramsArgument(const Napi::CallbackInfo& info) {
  if (info[0].IsExternal()) return (*info[0].As<Napi::External<Shared>>().Data())->reader;
  Napi::TypeError::New(info.Env(), "not an open set of datagrams").ThrowAsJavaScriptException();
  return nullptr;
}

}  // namespace

Failure Datagrams::Start(Napi::Env env, Fd fd, const Batch& batch, Napi::Object keep, Napi::Function callback,
                         Shared handle) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return {ENOSYS, "napi_get_uv_event_loop"};
  Datagrams* self = new Datagrams(env, std::move(fd), batch, std::move(handle));
  int status = uv_poll_init(loop, &self->poll_, self->fd_.get());
  if (status != 0) {
    delete self;
    return {-status, "uv_poll_init"};
  }
  self->poll_.data = self;
  self->keep_ = Napi::Persistent(keep);
  self->callback_ = Napi::Persistent(callback);
  self->handle_->reader = self;
  auto end = [](napi_async_cleanup_hook_handle, void* data) { static_cast<Datagrams*>(data)->Stop(); };
  (void)napi_add_async_cleanup_hook(env, end, self, &self->hook_);
  status = uv_poll_start(&self->poll_, UV_READABLE, OnPoll);
  if (status == 0) return {};
  self->Stop();
  return {-status, "uv_poll_start"};
}

// Called by JavaScript, or by the environment's end; that waits until the hook is removed, with the loop running.
void Datagrams::Stop() {
  if (stopped_) return;
  stopped_ = true;
  handle_->reader = nullptr;
  callback_.Reset();
  keep_.Reset();
  uv_close(reinterpret_cast<uv_handle_t*>(&poll_), [](uv_handle_t* handle) {
    Datagrams* self = static_cast<Datagrams*>(handle->data);
    if (self->hook_ != nullptr) (void)napi_remove_async_cleanup_hook(self->hook_);
    delete self;
  });
  // At once: a socket keeps its namespace, and its port takes what nobody reads.
  fd_ = Fd();
}

// One batch, then the loop has its turn: it comes back as long as there is more, after all other sockets.
void Datagrams::OnPoll(uv_poll_t* poll, int status, int) {
  Datagrams* self = static_cast<Datagrams*>(poll->data);
  // An error of the socket itself (an asker that went away) is taken with the next receive, but libuv stopped to poll.
  if (status != 0 && uv_poll_start(poll, UV_READABLE, OnPoll) != 0) return;
  Napi::HandleScope scope(self->env_);
  int count = self->Receive();
  if (count > 0 && self->Deliver(static_cast<uint32_t>(count)) && !self->stopped_) {
    self->Answer(static_cast<uint32_t>(count));
  }
}

// How many came. What is longer than a slot has length 0: no question is.
int Datagrams::Receive() {
  mmsghdr messages[kMaxSlots]{};
  iovec parts[kMaxSlots];
  for (uint32_t i = 0; i < batch_.slots; i++) {
    parts[i] = {batch_.in + i * batch_.slot_bytes, batch_.slot_bytes};
    msghdr& header = messages[i].msg_hdr;
    header.msg_name = batch_.peers + i * kPeerBytes;
    header.msg_namelen = kPeerBytes;
    header.msg_iov = &parts[i];
    header.msg_iovlen = 1;
  }
  int count = 0;
  do {
    count = recvmmsg(fd_.get(), messages, batch_.slots, MSG_DONTWAIT, nullptr);
  } while (count < 0 && errno == EINTR);
  for (int i = 0; i < count; i++) {
    const bool whole = (messages[i].msg_hdr.msg_flags & MSG_TRUNC) == 0;
    batch_.in_lengths[i] = whole ? messages[i].msg_len : 0;
    batch_.out_lengths[i] = 0;
  }
  return count;
}

// What the callback throws is an uncaught exception, as from any event. False when there is nothing to send after it.
bool Datagrams::Deliver(uint32_t count) {
  napi_value argument = nullptr;
  napi_value global = nullptr;
  napi_value callback = nullptr;
  if (napi_create_uint32(env_, count, &argument) != napi_ok) return false;
  if (napi_get_global(env_, &global) != napi_ok) return false;
  if (napi_get_reference_value(env_, callback_, &callback) != napi_ok) return false;
  napi_status status = napi_make_callback(env_, nullptr, global, callback, 1, &argument, nullptr);
  if (status == napi_ok) return true;
  bool thrown = false;
  napi_value exception = nullptr;
  if (napi_is_exception_pending(env_, &thrown) != napi_ok || !thrown) return false;
  if (napi_get_and_clear_last_exception(env_, &exception) == napi_ok) (void)napi_fatal_exception(env_, exception);
  return false;
}

void Datagrams::Answer(uint32_t count) const {
  mmsghdr messages[kMaxSlots]{};
  iovec parts[kMaxSlots];
  unsigned ready = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (batch_.out_lengths[i] == 0 || batch_.out_lengths[i] > batch_.slot_bytes) continue;
    parts[ready] = {batch_.out + i * batch_.slot_bytes, batch_.out_lengths[i]};
    msghdr& header = messages[ready].msg_hdr;
    header.msg_name = batch_.peers + i * kPeerBytes;
    header.msg_namelen = PeerLength(batch_.peers + i * kPeerBytes);
    header.msg_iov = &parts[ready];
    header.msg_iovlen = 1;
    ready++;
  }
  for (unsigned sent = 0; sent < ready;) {
    const int some = sendmmsg(fd_.get(), messages + sent, ready - sent, MSG_DONTWAIT);
    if (some > 0) sent += static_cast<unsigned>(some);
    else if (errno == EAGAIN || errno == EBADF) return;
    else if (errno != EINTR) sent++;  // an asker that can't be reached is no reason to leave the others out
  }
}

void Datagrams::Send(const uint8_t* octets, size_t length, const uint8_t* peer) const {
  (void)sendto(fd_.get(), octets, length, MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(peer), PeerLength(peer));
}

Napi::Value StartDatagrams(const Napi::CallbackInfo& info) {
  Fd fd(info[0].As<Napi::Number>().Int32Value());
  auto in = info[1].As<Napi::Uint8Array>();
  auto in_lengths = info[2].As<Napi::Uint32Array>();
  auto peers = info[3].As<Napi::Uint8Array>();
  auto out = info[4].As<Napi::Uint8Array>();
  auto out_lengths = info[5].As<Napi::Uint32Array>();
  const auto slots = static_cast<uint32_t>(in_lengths.ElementLength());
  const Batch batch{in.Data(), in_lengths.Data(), peers.Data(), out.Data(), out_lengths.Data(),
                    slots,     in.ByteLength() / slots};
  // The memory stays where it is as long as its owners live.
  Napi::Array keep = Napi::Array::New(info.Env(), 5);
  for (uint32_t i = 0; i < 5; i++) keep[i] = info[i + 1];
  auto handle = std::make_shared<Datagrams::Handle>();
  Failure failure = Datagrams::Start(info.Env(), std::move(fd), batch, keep, info[6].As<Napi::Function>(), handle);
  if (!failure) {
    auto free = [](Napi::Env, Shared* held) { delete held; };
    return Napi::External<Shared>::New(info.Env(), new Shared(handle), free);
  }
  Throw(info.Env(), failure);
  return info.Env().Undefined();
}

void SendDatagram(const Napi::CallbackInfo& info) {
  Datagrams* datagrams = DatagramsArgument(info);
  if (datagrams == nullptr) return;
  auto octets = info[1].As<Napi::Uint8Array>();
  datagrams->Send(octets.Data(), octets.ByteLength(), info[2].As<Napi::Uint8Array>().Data());
}

void StopDatagrams(const Napi::CallbackInfo& info) {
  if (Datagrams* datagrams = DatagramsArgument(info)) datagrams->Stop();
}

}  // namespace weft
