"""Asks 127.0.0.11 for one name, so many times a second, until a file is there; says what failed, as JSON.

A query fails when anything but the one address comes, or nothing within five seconds. Sockets are used for 50 queries each, so that
new connections, which nat rules judge anew, are made all the time.
"""
import json
import os
import select
import socket
import struct
import sys
import time

name, address, rate, stop = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
question = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0\0\1\0\1"
wanted = socket.inet_aton(address)

sent = answered = 0
failed, millis = [], []
open_sockets, waiting = {}, {}
poll = select.epoll()
began = time.monotonic()


def fail(why):
    if len(failed) < 20:
        failed.append(f"{time.monotonic() - began:.3f}: {why}")


def new_socket():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(("127.0.0.11", 53))
    s.setblocking(False)
    open_sockets[s.fileno()] = s
    poll.register(s.fileno(), select.EPOLLIN)
    return s


def receive(timeout):
    global answered
    for fd, _ in poll.poll(timeout):
        while True:
            try:
                reply = open_sockets[fd].recv(4096)
            except BlockingIOError:
                break
            except OSError as error:
                fail(str(error))
                break
            since = waiting.pop((fd, struct.unpack("!H", reply[:2])[0]), None)
            if since is None:
                continue
            answered += 1
            millis.append((time.monotonic() - since) * 1000)
            if reply[3] & 15 or wanted not in reply[12:]:
                fail(f"rcode {reply[3] & 15}")


print("ready", flush=True)
current = new_socket()
while not os.path.exists(stop):
    # After a pause of its own it makes up for it, but not all at once.
    for _ in range(min(20, int((time.monotonic() - began) * rate) - sent)):
        if sent % 50 == 0:
            current = new_socket()
            for old in list(open_sockets)[:-200]:
                poll.unregister(old)
                open_sockets.pop(old).close()
                for key in [key for key in waiting if key[0] == old]:
                    del waiting[key]
                    fail("no answer")
        sent += 1
        key = (current.fileno(), sent & 0xFFFF)
        waiting[key] = time.monotonic()
        try:
            current.send(struct.pack("!6H", sent & 0xFFFF, 0x0100, 1, 0, 0, 0) + question)
        except OSError as error:
            del waiting[key]
            fail(str(error))
    receive(0.001)
end = time.monotonic() + 5
while waiting and time.monotonic() < end:
    receive(0.1)
for _ in waiting:
    fail("no answer")
millis.sort()
p = {f"p{n}": millis[min(len(millis) - 1, len(millis) * n // 100)] for n in (50, 99)} if millis else {}
print(json.dumps({"sent": sent, "answered": answered, "failed": failed, "max": max(millis, default=0), **p}))
