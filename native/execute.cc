// A request and its replies. rtnetlink and nfnetlink answer inside send: when it returns, acks and the first chunk of
// a dump are queued, and each receive queues the next chunk. So EAGAIN means that the kernel has said everything.
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "job.h"
#include "socket.h"

namespace weft {

namespace {

struct Exchange {
  explicit Exchange(std::shared_ptr<Channel> over) : channel(std::move(over)) { channel->executing = true; }
  // On the JavaScript thread, before the promise's reactions run.
  ~Exchange() { channel->executing = false; }

  const std::shared_ptr<Channel> channel;
  std::vector<uint8_t> request;
  std::vector<uint8_t> replies;
  std::vector<size_t> ends;
};

Failure Send(int fd, const std::vector<uint8_t>& request) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  ssize_t sent;
  do {
    sent = sendto(fd, request.data(), request.size(), 0, reinterpret_cast<sockaddr*>(&kernel), sizeof kernel);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return {errno, "sendto"};
  return {};
}

// Reads until nothing is left, past an overrun too, so that the next exchange starts clean.
Failure Drain(int fd, Exchange& exchange) {
  const std::unique_ptr<uint8_t[]> buffer(new uint8_t[kDatagramBytes]);
  Failure failure;
  for (;;) {
    ssize_t length = Receive(fd, buffer.get());
    if (length == -EAGAIN) return failure;
    if (length < 0) {
      failure = {static_cast<int>(-length), "recvmsg"};
      if (length != -ENOBUFS) return failure;
    } else if (static_cast<size_t>(length) > kDatagramBytes) {
      failure = {EMSGSIZE, "recvmsg"};
    } else {
      exchange.replies.insert(exchange.replies.end(), buffer.get(), buffer.get() + length);
      exchange.ends.push_back(exchange.replies.size());
    }
  }
}

// One ArrayBuffer for all datagrams, one Uint8Array for each.
napi_value Replies(napi_env env, const Exchange& exchange) {
  void* bytes = nullptr;
  napi_value buffer = nullptr;
  napi_value list = nullptr;
  if (napi_create_arraybuffer(env, exchange.replies.size(), &bytes, &buffer) != napi_ok) return nullptr;
  if (!exchange.replies.empty()) memcpy(bytes, exchange.replies.data(), exchange.replies.size());
  if (napi_create_array_with_length(env, exchange.ends.size(), &list) != napi_ok) return nullptr;
  size_t start = 0;
  uint32_t index = 0;
  for (size_t end : exchange.ends) {
    napi_value view = nullptr;
    if (napi_create_typedarray(env, napi_uint8_array, end - start, buffer, start, &view) != napi_ok) return nullptr;
    if (napi_set_element(env, list, index++, view) != napi_ok) return nullptr;
    start = end;
  }
  return list;
}

}  // namespace

Napi::Value Execute(const Napi::CallbackInfo& info) {
  std::shared_ptr<Channel> channel = IdleChannel(info);
  if (channel == nullptr) return info.Env().Undefined();
  auto exchange = std::make_shared<Exchange>(channel);
  auto request = info[1].As<Napi::Uint8Array>();
  exchange->request.assign(request.Data(), request.Data() + request.ByteLength());
  auto work = [exchange]() -> Failure {
    int fd = exchange->channel->fd.get();
    Failure failure = Send(fd, exchange->request);
    return failure ? failure : Drain(fd, *exchange);
  };
  return StartJob(info.Env(), work, [exchange](napi_env env) { return Replies(env, *exchange); });
}

}  // namespace weft
