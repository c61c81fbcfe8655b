// Reads and answers UDP in batches: a question costs a share of a system call and of a call into JavaScript, not its own.
#pragma once

#include <napi.h>
#include <sys/socket.h>
#include <uv.h>

#include <cstdint>
#include <memory>

#include "error.h"
#include "fd.h"

namespace weft {

// One batch, in memory that JavaScript owns and all sockets of its thread share: `slots` datagrams that came, with their
// lengths and senders, and as many to answer them with; a length of 0 is no answer.
struct Batch {
  uint8_t* in = nullptr;
  uint32_t* in_lengths = nullptr;
  uint8_t* peers = nullptr;
  uint8_t* out = nullptr;
  uint32_t* out_lengths = nullptr;
  uint32_t slots = 0;
  size_t slot_bytes = 0;
};

// Of a sender's address in Batch::peers.
constexpr size_t kPeerBytes = 28;
constexpr uint32_t kMaxSlots = 64;

// Lives until it is stopped or its environment ends. It frees itself when the loop has let go of its handle.
class Datagrams {
 public:
  // What JavaScript holds; `reader` is null once it is stopped.
  struct Handle {
    Datagrams* reader = nullptr;
  };

  static Failure Start(Napi::Env env, Fd fd, const Batch& batch, Napi::Object keep, Napi::Function callback,
                       std::shared_ptr<Handle> handle);
  void Stop();
  // Sends one datagram without waiting; what the kernel has no room for is lost, as datagrams may be.
  void Send(const uint8_t* octets, size_t length, const uint8_t* peer) const;

 private:
  Datagrams(Napi::Env env, Fd fd, const Batch& batch, std::shared_ptr<Handle> handle)
      : env_(env), fd_(std::move(fd)), batch_(batch), handle_(std::move(handle)) {}
  ~Datagrams() = default;

  static void OnPoll(uv_poll_t* poll, int status, int events);
  int Receive();
  bool Deliver(uint32_t count);
  void Answer(uint32_t count) const;

  const napi_env env_;
  Fd fd_;
  const Batch batch_;
  const std::shared_ptr<Handle> handle_;
  Napi::ObjectReference keep_;
  Napi::FunctionReference callback_;
  uv_poll_t poll_{};
  napi_async_cleanup_hook_handle hook_ = nullptr;
  bool stopped_ = false;
};

// startDatagrams(fd, in, inLengths, peers, out, outLengths, callback: (count: number) => void): External. Takes the descriptor.
Napi::Value StartDatagrams(const Napi::CallbackInfo& info);
// sendDatagram(datagrams, octets: Uint8Array, peer: Uint8Array): void
void SendDatagram(const Napi::CallbackInfo& info);
// stopDatagrams(datagrams): void
void StopDatagrams(const Napi::CallbackInfo& info);

}  // namespace weft
