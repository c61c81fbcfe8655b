// weft's native addon: netlink sockets, network namespaces, and sockets and datagrams in them for src/netlink/native.ts, its only user.
//
// Bytes in, bytes out: it parses nothing, retries nothing and decides nothing. It keeps no state outside the objects
// that JavaScript holds, so it can be loaded in any number of environments (workers) of one process. Arguments are
// checked in TypeScript.
#include <napi.h>

#include "datagrams.h"
#include "inet.h"
#include "netns.h"
#include "socket.h"

namespace {

template <typename F>
void Export(Napi::Object exports, const char* name, F function) {
  exports.Set(name, Napi::Function::New(exports.Env(), function, name));
}

}  // namespace

static Napi::Object Init(Napi::Env, Napi::Object exports) {
  Export(exports, "openSocket", weft::OpenSocket);
  Export(exports, "execute", weft::Execute);
  Export(exports, "closeSocket", weft::CloseSocket);
  Export(exports, "startMonitor", weft::StartMonitor);
  Export(exports, "stopMonitor", weft::StopMonitor);
  Export(exports, "openNetns", weft::OpenNetns);
  Export(exports, "createNetns", weft::CreateNetns);
  Export(exports, "bindNetns", weft::BindNetns);
  Export(exports, "deleteNetns", weft::DeleteNetns);
  Export(exports, "writeInNetns", weft::WriteInNetns);
  Export(exports, "openInet", weft::OpenInet);
  Export(exports, "localPort", weft::LocalPort);
  Export(exports, "startDatagrams", weft::StartDatagrams);
  Export(exports, "sendDatagram", weft::SendDatagram);
  Export(exports, "stopDatagrams", weft::StopDatagrams);
  Export(exports, "closeFd", weft::CloseFd);
  return exports;
}

NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)
