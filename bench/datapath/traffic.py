"""What neither iperf3 nor sockperf measures: new TCP connections, and round trips over IPv6.

traffic.py serve PORT
    listens on every address until it is killed: TCP and UDP, each octet comes back
traffic.py connections ADDRESS PORT SECONDS
    prints how many connections it made a second: connect, one octet each way, close
traffic.py tcp|udp ADDRESS PORT SECONDS
    prints the median round trip of 64 octets in microseconds
"""

import os
import socket
import statistics
import struct
import sys
import time

MESSAGE = bytes(64)
# Close with a reset: no TIME_WAIT, so ports never run out and one sample leaves nothing to the next.
RESET = struct.pack("ii", 1, 0)


def serve(port):
    if os.fork() == 0:
        serve_udp(port)
    listener = socket.create_server(("::", port), family=socket.AF_INET6, backlog=1024, dualstack_ipv6=True)
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection:
            try:
                while octets := connection.recv(len(MESSAGE)):
                    connection.send(octets)
            except OSError:
                pass  # reset, as agreed


def serve_udp(port):
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
        udp.bind(("::", port))
        while True:
            udp.sendto(*udp.recvfrom(len(MESSAGE)))


def connections(address, port, seconds):
    made = 0
    started = time.monotonic()
    while (now := time.monotonic()) < started + seconds:
        with opened(socket.SOCK_STREAM, address, port) as connection:
            exchange(connection, b"x")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        made += 1
    return made / (now - started)


def round_trip(kind, address, port, seconds):
    took = []
    with opened(kind, address, port) as connection:
        if kind == socket.SOCK_STREAM:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end = time.monotonic() + seconds
        before = time.perf_counter_ns()
        while time.monotonic() < end:
            exchange(connection, MESSAGE)
            now = time.perf_counter_ns()
            took.append(now - before)
            before = now
    return statistics.median(took) / 1000


def opened(kind, address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connection = socket.socket(family, kind)
    connection.connect((address, port))
    # Not a timeout of Python's, which polls before each call.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 5, 0))
    return connection


def exchange(connection, octets):
    connection.send(octets)
    if len(connection.recv(len(octets))) != len(octets):
        raise SystemExit("the answer is not what was sent")


def main():
    what, *rest = sys.argv[1:]
    if what == "serve":
        serve(int(rest[0]))
    address, port, seconds = rest[0], int(rest[1]), float(rest[2])
    if what == "connections":
        print(connections(address, port, seconds))
    else:
        kind = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[what]
        print(round_trip(kind, address, port, seconds))


main()
