"""In a container's network: answers on some ports, and asks others there. Ends with its stdin.

Arguments: the ports. One JSON request a line on stdin, a list of [address, protocol, port]; one JSON answer a line on stdout, for
each whether it was answered. TCP and UDP by sockets. SCTP and ICMP by raw ones: few kernels here have SCTP's.
"""
import json
import os
import select
import socket
import struct
import sys
import threading
import time

PATIENCE_S = 0.7
SCTP = 132
INIT, INIT_ACK = 1, 2

POLY = 0x82F63B78
TABLE = []
for n in range(256):
    for _ in range(8):
        n = (n >> 1) ^ (POLY if n & 1 else 0)
    TABLE.append(n)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def sctp(source, destination, tag, kind):
    chunk = struct.pack("!BBHIIHHI", kind, 0, 20, 1, 65536, 1, 1, 1)
    packet = struct.pack("!HHII", source, destination, tag, 0) + chunk
    return packet[:8] + struct.pack("<I", crc32c(packet)) + packet[12:]


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def echo(sock):
    while True:
        try:
            data, sender = sock.recvfrom(2048)
            sock.sendto(data, sender)
        except OSError:
            pass  # an answer that may not pass


def accept(sock):
    while True:
        conn, _ = sock.accept()
        conn.close()


def answer_sctp(sock, ports):
    while True:
        data, (sender, _) = sock.recvfrom(2048)
        packet = data[(data[0] & 15) * 4:]
        source, destination = struct.unpack("!HH", packet[:4])
        if destination in ports and packet[12] == INIT:
            tag = struct.unpack("!I", packet[16:20])[0]
            try:
                sock.sendto(sctp(destination, source, tag, INIT_ACK), (sender, 0))
            except OSError:
                pass


def serve(ports):
    for port in ports:
        tcp = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind(("::", port))
        tcp.listen(1024)
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("0.0.0.0", port))
        udp6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        udp6.setsockopt(41, 26, 1)  # IPV6_V6ONLY
        udp6.bind(("::", port))
        for target, sock in ((accept, tcp), (echo, udp), (echo, udp6)):
            threading.Thread(target=target, args=(sock,), daemon=True).start()
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, SCTP)
    threading.Thread(target=answer_sctp, args=(raw, set(ports)), daemon=True).start()


def begin(index, address, protocol, port):
    """A socket that becomes readable, or for TCP writable, with the answer."""
    if protocol == "tcp":
        sock = socket.socket(family(address), socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.connect_ex((address, port))
    elif protocol == "udp":
        sock = socket.socket(family(address), socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.connect((address, port))
        try:
            sock.send(b"?")
        except OSError:
            pass
    elif protocol == "sctp":
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, SCTP)
        sock.setblocking(False)
        sock.connect((address, 0))
        source = 20000 + (os.getpid() * 64 + index) % 40000
        try:
            sock.send(sctp(source, port, 0, INIT))
        except OSError:
            pass
        return sock, source
    else:
        v6 = ":" in address
        number = socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP
        sock = socket.socket(family(address), socket.SOCK_DGRAM, number)
        sock.setblocking(False)
        sock.connect((address, 0))
        try:
            sock.send(struct.pack("!BBHHH", 128 if v6 else 8, 0, 0, 0, index))
        except OSError:
            pass
    return sock, None


def is_answer(sock, protocol, port, source):
    if protocol == "tcp":
        return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    try:
        data = sock.recv(2048)
    except OSError:
        return False
    if protocol != "sctp":
        return len(data) > 0
    packet = data[(data[0] & 15) * 4:]
    return struct.unpack("!HH", packet[:4]) == (port, source) and packet[12] == INIT_ACK


def ask(probes):
    answers = [False] * len(probes)
    poll = select.poll()
    open_socks = {}
    for index, (address, protocol, port) in enumerate(probes):
        try:
            sock, source = begin(index, address, protocol, port)
        except OSError:
            continue
        open_socks[sock.fileno()] = (sock, index, protocol, port, source)
        poll.register(sock, select.POLLOUT if protocol == "tcp" else select.POLLIN)
    deadline = time.monotonic() + PATIENCE_S
    while open_socks and (left := deadline - time.monotonic()) > 0:
        for fd, _ in poll.poll(left * 1000):
            sock, index, protocol, port, source = open_socks[fd]
            if is_answer(sock, protocol, port, source):
                answers[index] = True
            elif protocol == "sctp":
                continue  # a raw socket hears what is others'
            poll.unregister(fd)
            sock.close()
            del open_socks[fd]
    for sock, *_ in open_socks.values():
        sock.close()
    return answers


serve([int(port) for port in sys.argv[1:]])
print("ready", flush=True)
for line in sys.stdin:
    print(json.dumps(ask(json.loads(line))), flush=True)
