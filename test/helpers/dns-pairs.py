"""Asks 127.0.0.11 for A and AAAA of a name at once, from one socket, so many times, as a JVM or glibc does; says how long both took."""
import json
import socket
import struct
import sys
import time

name, address, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
wanted = socket.inet_aton(address)
s = None
millis, wrong = [], 0
for n in range(count):
    if n % 50 == 0:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.connect(("127.0.0.11", 53))
        s.settimeout(10)
    since = time.monotonic()
    pair = [(n * 2) & 0xFFFF, (n * 2 + 1) & 0xFFFF]
    for qid, qtype in zip(pair, (1, 28)):
        s.send(struct.pack("!6H", qid, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!2H", qtype, 1))
    replies = {}
    while len(replies) < 2:
        reply = s.recv(4096)
        replies[struct.unpack("!H", reply[:2])[0]] = reply
    millis.append((time.monotonic() - since) * 1000)
    a, aaaa = (replies.get(qid, b"\0" * 12) for qid in pair)
    # AAAA: the name is there, and has none.
    if wanted not in a[12:] or aaaa[3] & 15 or aaaa[6:8] != b"\0\0":
        wrong += 1
millis.sort()
print(json.dumps({"wrong": wrong, "p50": millis[count // 2], "p999": millis[count * 999 // 1000], "max": millis[-1]}))
