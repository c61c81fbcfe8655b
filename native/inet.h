// Internet sockets inside any network namespace, for the DNS listeners in containers.
#pragma once

#include <napi.h>

namespace weft {

// openInet(netnsFd, isTcp, local: Uint8Array, localPort, remote: Uint8Array | undefined, remotePort): number
//
// A bound and, where a remote is given, connected socket, as a descriptor that the caller owns. Addresses have 4 or 16
// octets; port 0 lets the kernel choose. Waits for a thread that enters the namespace, some tens of microseconds.
Napi::Value OpenInet(const Napi::CallbackInfo& info);

// localPort(fd): number
Napi::Value LocalPort(const Napi::CallbackInfo& info);

}  // namespace weft
