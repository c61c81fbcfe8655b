// A netlink socket. JavaScript holds it as an External; whoever uses it shares its descriptor, so that a close never
// pulls the descriptor (or, worse, its number, used again) from under a request in flight.
#pragma once

#include <linux/netlink.h>
#include <napi.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "fd.h"

namespace weft {

class Monitor;

// The kernel cuts dumps into datagrams of at most 32 KiB when the reader's buffer allows it.
constexpr size_t kDatagramBytes = 64 * 1024;

// Only the JavaScript thread looks at the fields other than fd.
struct Channel {
  explicit Channel(Fd descriptor) : fd(std::move(descriptor)) {}
  const Fd fd;
  bool executing = false;
  Monitor* monitor = nullptr;  // owned by the event loop, which clears this when it lets go
};

struct Socket {
  std::shared_ptr<Channel> channel;  // null once closed
};

// Receives one datagram from the kernel without waiting. Returns its true length, which is beyond kDatagramBytes when
// the buffer was too small, or a negative errno. Datagrams from other processes are dropped.
ssize_t Receive(int fd, uint8_t* buffer);

// The socket in the first argument. Throws a TypeError and returns nullptr when it is something else.
Socket* SocketArgument(const Napi::CallbackInfo& info);

// Its channel when it is open and idle. Throws EBADF when the socket is closed, EBUSY when a request is in flight or a
// monitor reads, and returns nullptr.
std::shared_ptr<Channel> IdleChannel(const Napi::CallbackInfo& info);

// openSocket(protocol, groups: number[], receiveBuffer, netnsFd | -1): Promise<External>
Napi::Value OpenSocket(const Napi::CallbackInfo& info);
// closeSocket(socket)
void CloseSocket(const Napi::CallbackInfo& info);
// execute(socket, request: Uint8Array): Promise<Uint8Array[]>
Napi::Value Execute(const Napi::CallbackInfo& info);
// startMonitor(socket, callback: (datagram?: Uint8Array, error?: Error) => void): neither argument means an overrun
void StartMonitor(const Napi::CallbackInfo& info);
// stopMonitor(socket)
void StopMonitor(const Napi::CallbackInfo& info);

}  // namespace weft
