"""Traffic without a pause, each packet counted: a TCP stream, 1,000 UDP packets and 100 echo requests a second.

    traffic.py receive ADDRESS
    traffic.py send ADDRESS STOP_FILE

`send` ends when the file is there, `receive` when the stream does. Each prints what it counted, as JSON.
"""
import json
import os
import socket
import struct
import sys
import threading
import time

UDP_EVERY_S = 0.001
ECHO_EVERY_S = 0.01
TCP_CHUNK = 64 * 1024
TCP_EVERY_S = 0.01
PORT = 7100
# SO_RCVBUFFORCE: beyond the limit of the machine, so that a busy one loses nothing on the last metre.
SO_RCVBUFFORCE = 33

mode, address = sys.argv[1:3]


def udp_socket():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    return sock


def receive():
    seen = set()
    udp = udp_socket()
    udp.bind((address, PORT))
    udp.settimeout(0.2)
    over = threading.Event()

    def take_datagrams():
        quiet = False
        while not (over.is_set() and quiet):
            try:
                seen.add(struct.unpack("!I", udp.recv(100))[0])
                quiet = False
            except TimeoutError:
                quiet = True

    server = socket.create_server((address, PORT))
    print("ready", flush=True)
    thread = threading.Thread(target=take_datagrams)
    thread.start()
    conn, _ = server.accept()
    octets, error = 0, None
    try:
        while data := conn.recv(1 << 20):
            octets += len(data)
    except OSError as failure:
        error = str(failure)
    over.set()
    thread.join()
    print(json.dumps({"udp": len(seen), "tcp": octets, "error": error}), flush=True)


def paced(every, send):
    """Calls `send` with 0, 1, 2, … as often as time says, until the file is there; how often that was."""
    stop_file = sys.argv[3]
    begin = time.monotonic()
    count = 0
    while not os.path.exists(stop_file):
        due = int((time.monotonic() - begin) / every)
        while count < due:
            send(count)
            count += 1
        time.sleep(every)
    return count


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def send():
    sent = {"udp": 0, "tcp": 0, "echo": 0, "answered": 0, "error": None}

    def stream():
        try:
            conn = socket.create_connection((address, PORT), timeout=30)
            chunk = b"x" * TCP_CHUNK
            sent["tcp"] = TCP_CHUNK * paced(TCP_EVERY_S, lambda _: conn.sendall(chunk))
            conn.close()
        except OSError as failure:
            sent["error"] = str(failure)

    def datagrams():
        udp = udp_socket()
        one = lambda n: udp.sendto(struct.pack("!I", n), (address, PORT))
        sent["udp"] = paced(UDP_EVERY_S, one)

    def echoes():
        icmp = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        icmp.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        icmp.settimeout(1)
        own = os.getpid() & 0xFFFF
        answered = set()
        over = threading.Event()

        def take_replies():
            while True:
                try:
                    packet = icmp.recv(2000)[20:]
                except TimeoutError:
                    if over.is_set():
                        return
                    continue
                kind, _, _, ident, _ = struct.unpack("!BBHHH", packet[:8])
                if kind == 0 and ident == own:
                    answered.add(struct.unpack("!I", packet[8:12])[0])

        def one(n):
            head = struct.pack("!BBHHH", 8, 0, 0, own, n & 0xFFFF)
            body = struct.pack("!I", n)
            head = struct.pack("!BBHHH", 8, 0, checksum(head + body), own, n & 0xFFFF)
            icmp.sendto(head + body, (address, 0))

        thread = threading.Thread(target=take_replies)
        thread.start()
        sent["echo"] = paced(ECHO_EVERY_S, one)
        over.set()
        thread.join()
        sent["answered"] = len(answered)

    threads = [threading.Thread(target=run) for run in (stream, datagrams, echoes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(sent), flush=True)


{"receive": receive, "send": send}[mode]()
