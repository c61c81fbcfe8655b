"""What runs inside a container of the data path's tests: sends, receives, listens to the wire.

One JSON request a line on stdin, one JSON answer a line on stdout. Ends with its stdin.
"""
import json
import socket
import sys
import threading
import time

ETH_P_ALL = 3
frames = []


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def udp_echo(sock):
    while True:
        data, sender = sock.recvfrom(70000)
        sock.sendto(str(len(data)).encode(), sender)


def tcp_count(conn):
    total = 0
    while data := conn.recv(65536):
        total += len(data)
    conn.sendall(str(total).encode())
    conn.close()


def tcp_accept(sock):
    while True:
        conn, _ = sock.accept()
        threading.Thread(target=tcp_count, args=(conn,), daemon=True).start()


def serve(address, port):
    """Answers every datagram, and every TCP stream once it is closed, with the octets it had."""
    udp = socket.socket(family(address), socket.SOCK_DGRAM)
    udp.bind((address, port))
    threading.Thread(target=udp_echo, args=(udp,), daemon=True).start()
    tcp = socket.socket(family(address), socket.SOCK_STREAM)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tcp.bind((address, port))
    tcp.listen(64)
    threading.Thread(target=tcp_accept, args=(tcp,), daemon=True).start()


def udp(address, port, size=100, fragment="no", timeout=0.5, broadcast=False):
    """One datagram out; the octets that the other side counted, or why not."""
    with socket.socket(family(address), socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        # IP_MTU_DISCOVER / IPV6_MTU_DISCOVER: IP_PMTUDISC_DO never fragments, WANT may.
        level, option = (41, 23) if ":" in address else (0, 10)
        sock.setsockopt(level, option, {"no": 2, "may": 1}[fragment])
        if broadcast:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        try:
            sock.sendto(b"x" * size, (address, port))
            return {"octets": int(sock.recv(100))}
        except OSError as error:
            return {"error": type(error).__name__, "errno": error.errno}


def tcp(address, port, size=1_000_000, timeout=5):
    with socket.socket(family(address), socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        try:
            sock.connect((address, port))
            sock.sendall(b"x" * size)
            sock.shutdown(socket.SHUT_WR)
            return {"octets": int(sock.recv(100))}
        except OSError as error:
            return {"error": type(error).__name__, "errno": error.errno}


def capture(sock):
    while True:
        frame, (_, _, kind, _, _) = sock.recvfrom(70000)
        if kind != 4:  # PACKET_OUTGOING
            frames.append(frame.hex())


def sniff(link):
    """From now on keeps every frame that arrives on the link."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.bind((link, ETH_P_ALL))
    # All that the port is sent, for whomever: PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC.
    index = socket.if_nametoindex(link)
    sock.setsockopt(263, 1, index.to_bytes(4, "little") + b"\1\0\0\0" + bytes(8))
    threading.Thread(target=capture, args=(sock,), daemon=True).start()


def seen(within=0.0, containing=""):
    """Frames since the last call; waits up to `within` seconds for one that contains these octets."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline and not any(containing in frame for frame in frames):
        time.sleep(0.005)
    taken = frames[:]
    del frames[: len(taken)]
    return [frame for frame in taken if containing in frame]


def send(link, frame):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind((link, 0))
        sock.send(bytes.fromhex(frame))


def stream(address, port, seconds, every=0.01):
    """Datagrams one after another; how many went out and how many were answered."""
    sent = answered = 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        sent += 1
        if "octets" in udp(address, port, timeout=2):
            answered += 1
        time.sleep(every)
    return {"sent": sent, "answered": answered}


verbs = {
    verb.__name__: verb for verb in (serve, udp, tcp, sniff, seen, send, stream)
}

for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {"ok": verbs[request["verb"]](**request["with"])}
    except Exception as error:
        answer = {"failed": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
