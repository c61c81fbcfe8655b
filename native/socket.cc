#include "socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>

#include "job.h"
#include "thread.h"

namespace weft {

namespace {

struct Options {
  int protocol;
  int buffer;
  std::vector<int> groups;
};

Failure Set(const Fd& fd, int level, int option, int value) {
  if (setsockopt(fd.get(), level, option, &value, sizeof value) == 0) return {};
  return {errno, "setsockopt"};
}

Failure Open(const Options& options, Fd& out) {
  Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, options.protocol));
  if (!fd.ok()) return {errno, "socket"};
  Failure failure;
  if ((failure = Set(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1))) return failure;
  if ((failure = Set(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1))) return failure;
  if ((failure = Set(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1))) return failure;
  // A whole batch must fit the send buffer, and the acks to all its messages the receive buffer.
  if ((failure = Set(fd, SOL_SOCKET, SO_SNDBUFFORCE, options.buffer))) return failure;
  if ((failure = Set(fd, SOL_SOCKET, SO_RCVBUFFORCE, options.buffer))) return failure;
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return {errno, "bind"};
  for (int group : options.groups) {
    if ((failure = Set(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group))) return failure;
  }
  out = std::move(fd);
  return {};
}

napi_value Wrap(napi_env env, Fd fd) {
  auto socket = std::make_unique<Socket>();
  socket->channel = std::make_shared<Channel>(std::move(fd));
  napi_value value = nullptr;
  auto finalize = [](napi_env, void* data, void*) { delete static_cast<Socket*>(data); };
  if (napi_create_external(env, socket.get(), finalize, nullptr, &value) != napi_ok) return nullptr;
  socket.release();
  return value;
}

}  // namespace

ssize_t Receive(int fd, uint8_t* buffer) {
  for (;;) {
    sockaddr_nl sender{};
    iovec part{buffer, kDatagramBytes};
    msghdr message{};
    message.msg_name = &sender;
    message.msg_namelen = sizeof sender;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT | MSG_TRUNC);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return -errno;
    if (sender.nl_pid == 0) return length;
  }
}

Socket* SocketArgument(const Napi::CallbackInfo& info) {
  if (info[0].IsExternal()) return info[0].As<Napi::External<Socket>>().Data();
  Napi::TypeError::New(info.Env(), "not a netlink socket").ThrowAsJavaScriptException();
  return nullptr;
}

std::shared_ptr<Channel> IdleChannel(const Napi::CallbackInfo& info) {
  Socket* socket = SocketArgument(info);
  if (socket == nullptr) return nullptr;
  std::shared_ptr<Channel> channel = socket->channel;
  int error = 0;
  if (channel == nullptr) error = EBADF;
  if (channel != nullptr && (channel->executing || channel->monitor != nullptr)) error = EBUSY;
  if (error == 0) return channel;
  Throw(info.Env(), {error, "netlink"});
  return nullptr;
}

Napi::Value OpenSocket(const Napi::CallbackInfo& info) {
  auto options = std::make_shared<Options>();
  options->protocol = info[0].As<Napi::Number>().Int32Value();
  auto groups = info[1].As<Napi::Array>();
  for (uint32_t i = 0; i < groups.Length(); i++) {
    options->groups.push_back(Napi::Value(groups[i]).As<Napi::Number>().Int32Value());
  }
  options->buffer = info[2].As<Napi::Number>().Int32Value();
  int given = info[3].As<Napi::Number>().Int32Value();
  // A copy, so that the caller may close its own while the thread starts.
  auto netns = std::make_shared<Fd>(given < 0 ? -1 : fcntl(given, F_DUPFD_CLOEXEC, 0));
  if (given >= 0 && !netns->ok()) {
    Throw(info.Env(), {errno, "fcntl"});
    return info.Env().Undefined();
  }
  auto fd = std::make_shared<Fd>();
  auto open = [options, fd]() { return Open(*options, *fd); };
  return StartJob(
      info.Env(), [netns, open]() { return netns->ok() ? RunInNetns(netns->get(), open) : open(); },
      [fd](napi_env env) { return Wrap(env, std::move(*fd)); });
}

void CloseSocket(const Napi::CallbackInfo& info) {
  Socket* socket = SocketArgument(info);
  if (socket == nullptr) return;
  StopMonitor(info);
  socket->channel.reset();
}

}  // namespace weft
