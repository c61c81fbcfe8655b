#include "netns.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <string>

#include "fd.h"
#include "job.h"
#include "thread.h"

namespace weft {

namespace {

constexpr char kOwn[] = "/proc/thread-self/ns/net";

// Makes the folder a shared mount, as iproute2 does: a namespace bound or unbound in it then appears or goes in every
// mount namespace that was split off later, and its file can be removed everywhere.
Failure ShareFolder(const std::string& folder) {
  const char* path = folder.c_str();
  if (mount("", path, "none", MS_SHARED | MS_REC, nullptr) == 0) return {};
  if (errno != EINVAL) return {errno, "mount", folder};
  // Not a mount yet.
  if (mount(path, path, "none", MS_BIND | MS_REC, nullptr) != 0) return {errno, "mount", folder};
  if (mount("", path, "none", MS_SHARED | MS_REC, nullptr) != 0) return {errno, "mount", folder};
  return {};
}

Failure Bind(const std::string& source, const std::string& path) {
  if (mount(source.c_str(), path.c_str(), "none", MS_BIND, nullptr) != 0) return {errno, "mount", path};
  return {};
}

// Makes the file and lets `bind` mount a namespace on it.
Failure Place(const std::string& path, const std::function<Failure()>& bind) {
  const std::string folder = path.substr(0, path.rfind('/'));
  if (mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) return {errno, "mkdir", folder};
  // iproute2 takes the same lock: two that share the folder at once would stack mounts on it.
  Fd lock(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock.ok()) return {errno, "open", folder};
  if (flock(lock.get(), LOCK_EX) != 0) return {errno, "flock", folder};
  Fd file(open(path.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0));
  if (!file.ok()) return {errno, "open", path};
  Failure failure = ShareFolder(folder);
  if (!failure) failure = bind();
  if (failure) unlink(path.c_str());
  return failure;
}

Failure Create(const std::string& path) {
  return Place(path, [&path]() {
    return RunOnOwnThread([&path]() -> Failure {
      if (unshare(CLONE_NEWNET) != 0) return {errno, "unshare"};
      return Bind(kOwn, path);
    });
  });
}

Failure Delete(const std::string& path) {
  // Every mount stacked on the file. EINVAL: nothing is mounted there (any more).
  while (umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
  if (errno != EINVAL) return {errno, "umount2", path};
  if (unlink(path.c_str()) != 0) return {errno, "unlink", path};
  return {};
}

Failure Write(const std::string& path, const std::string& data) {
  Fd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.ok()) return {errno, "open", path};
  if (write(file.get(), data.data(), data.size()) < 0) return {errno, "write", path};
  return {};
}

}  // namespace

Napi::Value OpenNetns(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>();
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  Failure failure;
  if (!fd.ok()) {
    failure = {errno, "open", path};
  } else if (ioctl(fd.get(), NS_GET_NSTYPE) != CLONE_NEWNET) {
    failure = {EINVAL, "open", path};  // setns would say the same, but too late to name the file
  }
  if (!failure) return Napi::Number::New(info.Env(), fd.Release());
  Throw(info.Env(), failure);
  return info.Env().Undefined();
}

Napi::Value CreateNetns(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>();
  return StartJob(info.Env(), [path]() { return Create(path); }, Undefined);
}

Napi::Value BindNetns(const Napi::CallbackInfo& info) {
  // A copy, so that the caller may close its own while the thread starts.
  auto netns = std::make_shared<Fd>(fcntl(info[0].As<Napi::Number>().Int32Value(), F_DUPFD_CLOEXEC, 0));
  if (!netns->ok()) {
    Throw(info.Env(), {errno, "fcntl"});
    return info.Env().Undefined();
  }
  const std::string path = info[1].As<Napi::String>();
  auto work = [netns, path]() {
    return Place(path, [&]() { return Bind("/proc/self/fd/" + std::to_string(netns->get()), path); });
  };
  return StartJob(info.Env(), work, Undefined);
}

Napi::Value DeleteNetns(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>();
  return StartJob(info.Env(), [path]() { return Delete(path); }, Undefined);
}

Napi::Value WriteInNetns(const Napi::CallbackInfo& info) {
  // A copy, so that the caller may close its own while the thread starts.
  auto netns = std::make_shared<Fd>(fcntl(info[0].As<Napi::Number>().Int32Value(), F_DUPFD_CLOEXEC, 0));
  if (!netns->ok()) {
    Throw(info.Env(), {errno, "fcntl"});
    return info.Env().Undefined();
  }
  const std::string path = info[1].As<Napi::String>();
  const std::string data = info[2].As<Napi::String>();
  auto work = [netns, path, data]() { return RunInNetns(netns->get(), [&]() { return Write(path, data); }); };
  return StartJob(info.Env(), work, Undefined);
}

void CloseFd(const Napi::CallbackInfo& info) {
  if (close(info[0].As<Napi::Number>().Int32Value()) != 0) Throw(info.Env(), {errno, "close"});
}

}  // namespace weft
