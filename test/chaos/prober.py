"""Main process of a chaos container: echoes, asks everybody it is told of, writes down who answered.

Arguments: its name, and a directory that it shares with the driver. There `targets.json` says whom to ask, and it
writes `NAME.json`. All times are of the monotonic clock, which all containers share.
"""
import fcntl
import json
import os
import select
import socket
import struct
import sys
import time

PORT = 7007
EVERY_S = 0.25
SIOCGIFADDR = 0x8915

name, directory = sys.argv[1:]
targets_path = os.path.join(directory, "targets.json")
result_path = os.path.join(directory, name + ".json")
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setblocking(False)
sock.bind(("", PORT))


def own_addresses():
    found = []
    for _, link in socket.if_nameindex():
        try:
            reply = fcntl.ioctl(sock, SIOCGIFADDR, struct.pack("256s", link.encode()))
            found.append(socket.inet_ntoa(reply[20:24]))
        except OSError:
            pass
    return [address for address in found if not address.startswith("127.")]


def send(message, address):
    try:
        sock.sendto(json.dumps(message).encode(), address)
    except OSError:
        pass  # no route, no neighbor, no link: not answered, which is what counts


class Prober:
    def __init__(self):
        self.born = time.monotonic()
        self.targets = {"round": 0, "ask": []}
        self.read_at = None
        self.sent = self.answered = 0
        self.reach = {}
        self.met = {}

    def read_targets(self):
        try:
            at = os.stat(targets_path).st_mtime_ns
            if at == self.read_at:
                return
            with open(targets_path) as file:
                targets = json.load(file)
        except (OSError, ValueError):
            return
        self.read_at = at
        if targets["round"] != self.targets["round"]:
            self.reach = {}
        self.targets = targets

    def ask(self):
        for address in self.targets["ask"]:
            self.sent += 1
            send({"ask": address, "round": self.targets["round"]}, (address, PORT))

    def hear(self, seconds):
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            ready, _, _ = select.select([sock], [], [], left)
            if not ready:
                return
            try:
                data, sender = sock.recvfrom(2000)
            except OSError:
                continue
            message = json.loads(data)
            if "name" not in message:
                send({**message, "name": name}, sender)
                continue
            self.answered += 1
            self.met[message["name"]] = self.met.get(message["name"], 0) + 1
            if message["round"] == self.targets["round"]:
                self.reach.setdefault(message["ask"], message["name"])

    def write(self):
        result = {
            "name": name,
            "at": time.monotonic(),
            "born": self.born,
            "round": self.targets["round"],
            "addresses": own_addresses(),
            "sent": self.sent,
            "answered": self.answered,
            "reach": self.reach,
            "met": self.met,
        }
        with open(result_path + ".new", "w") as file:
            json.dump(result, file)
        os.rename(result_path + ".new", result_path)


prober = Prober()
while True:
    prober.read_targets()
    prober.ask()
    prober.hear(EVERY_S)
    prober.write()
