// Network namespaces: files that keep them alive, descriptors, and what can only be done from inside.
#pragma once

#include <napi.h>

namespace weft {

// openNetns(path): number
Napi::Value OpenNetns(const Napi::CallbackInfo& info);
// createNetns(path): Promise<void>
Napi::Value CreateNetns(const Napi::CallbackInfo& info);
// bindNetns(netnsFd, path): Promise<void>
Napi::Value BindNetns(const Napi::CallbackInfo& info);
// deleteNetns(path): Promise<void>
Napi::Value DeleteNetns(const Napi::CallbackInfo& info);
// writeInNetns(netnsFd, path, data): Promise<void>
Napi::Value WriteInNetns(const Napi::CallbackInfo& info);
// closeFd(fd)
void CloseFd(const Napi::CallbackInfo& info);

}  // namespace weft
