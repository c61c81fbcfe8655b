#include "inet.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "error.h"
#include "fd.h"
#include "thread.h"

namespace weft {

namespace {

struct Endpoint {
  sockaddr_storage address{};
  socklen_t length = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

Endpoint MakeEndpoint(const Napi::Uint8Array& octets, uint32_t port) {
  Endpoint endpoint;
  if (octets.ByteLength() == sizeof(in_addr)) {
    auto* in = reinterpret_cast<sockaddr_in*>(&endpoint.address);
    in->sin_family = AF_INET;
    in->sin_port = htons(static_cast<uint16_t>(port));
    memcpy(&in->sin_addr, octets.Data(), sizeof(in_addr));
    endpoint.length = sizeof(sockaddr_in);
  } else if (octets.ByteLength() == sizeof(in6_addr)) {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&endpoint.address);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(static_cast<uint16_t>(port));
    memcpy(&in6->sin6_addr, octets.Data(), sizeof(in6_addr));
    endpoint.length = sizeof(sockaddr_in6);
  }
  return endpoint;
}

// What may wait to be read from a UDP socket, in octets; the kernel doubles it, and counts 768 for a short datagram. Its usual
// 208 KiB are 270 queries: half a second in which all processors are busy with something else loses some.
constexpr int kReceiveBuffer = 1 << 20;

Failure Open(bool tcp, const Endpoint& local, const Endpoint& remote, Fd& out) {
  const int type = (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
  Fd fd(socket(local.address.ss_family, type, 0));
  if (!fd.ok()) return {errno, "socket"};
  if (!tcp && setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer) != 0) {
    return {errno, "SO_RCVBUFFORCE"};
  }
  if (bind(fd.get(), local.get(), local.length) != 0) return {errno, "bind"};
  if (remote.length != 0 && connect(fd.get(), remote.get(), remote.length) != 0 && errno != EINPROGRESS) {
    return {errno, "connect"};
  }
  out = std::move(fd);
  return {};
}

}  // namespace

Napi::Value OpenInet(const Napi::CallbackInfo& info) {
  const int netns = info[0].As<Napi::Number>().Int32Value();
  const bool tcp = info[1].As<Napi::Boolean>();
  const Endpoint local = MakeEndpoint(info[2].As<Napi::Uint8Array>(), info[3].As<Napi::Number>().Uint32Value());
  Endpoint remote;
  if (!info[4].IsUndefined()) {
    remote = MakeEndpoint(info[4].As<Napi::Uint8Array>(), info[5].As<Napi::Number>().Uint32Value());
  }
  Fd fd;
  Failure failure = RunInNetns(netns, [&]() { return Open(tcp, local, remote, fd); });
  if (!failure) return Napi::Number::New(info.Env(), fd.Release());
  Throw(info.Env(), failure);
  return info.Env().Undefined();
}

Napi::Value LocalPort(const Napi::CallbackInfo& info) {
  Endpoint local;
  local.length = sizeof local.address;
  auto* address = reinterpret_cast<sockaddr*>(&local.address);
  if (getsockname(info[0].As<Napi::Number>().Int32Value(), address, &local.length) != 0) {
    Throw(info.Env(), {errno, "getsockname"});
    return info.Env().Undefined();
  }
  // The port is in the same place for both families.
  return Napi::Number::New(info.Env(), ntohs(reinterpret_cast<sockaddr_in*>(address)->sin_port));
}

}  // namespace weft
