"""Two network namespaces, and between them a wire that delays, loses or cuts packets, in each direction by itself.

The wire is a process in user space, since a kernel needn't have netem: each namespace has a TUN device, and a thread here carries
packets from one to the other. The namespaces are held by processes, so nothing stays behind when those end. Needs root,
/dev/net/tun, iproute2, and unshare and nsenter of util-linux; Unavailable says what is missing.

    with Wire("left", "right", seed) as wire:
        subprocess.run([*wire.within("left"), "ping", wire.address("right")])
        wire.towards("right").loss = 0.1
"""
import fcntl
import heapq
import os
import pathlib
import random
import select
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time

DEVICE = "wire0"
PACKET_MAX = 1 << 16
MTU = 1500
AT_ONCE = 64  # packets taken from one side before the other gets its turn


class Unavailable(Exception):
    """Why there can be no such wire here."""


class Direction:
    """What happens to packets on their way to one side."""

    def __init__(self):
        self.mend()

    def mend(self):
        self.loss = 0.0  # probability of each packet to be lost
        self.delay_s = 0.0
        self.cut = False


class Wire:
    def __init__(self, left, right, seed=0):
        check_it_is_possible()
        self.addresses = {left: "10.213.0.1", right: "10.213.0.2"}
        self.directions = {side: Direction() for side in self.addresses}
        self.chance = random.Random(seed)
        self.holders, self.tuns = {}, {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.carry)
        try:
            for side, address in self.addresses.items():
                self.open_side(side, address)
        except Exception:
            self.close()
            raise
        self.thread.start()

    def address(self, side):
        return self.addresses[side]

    def towards(self, side):
        return self.directions[side]

    def within(self, side):
        """The words of a program that goes into that namespace and becomes what follows."""
        return ["nsenter", f"--net=/proc/{self.holders[side].pid}/ns/net", "--"]

    def mend(self):
        for direction in self.directions.values():
            direction.mend()

    def close(self):
        self.over.set()
        if self.thread.is_alive():
            self.thread.join()
        for tun in self.tuns.values():
            os.close(tun)
        for holder in self.holders.values():
            holder.communicate()  # closes its stdin, at which it ends
        self.tuns, self.holders = {}, {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def open_side(self, side, address):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self.holders[side] = subprocess.Popen(
                ["unshare", "--net", "--", sys.executable, __file__, str(theirs.fileno()), address],
                pass_fds=[theirs.fileno()], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            theirs.close()
            _, fds, _, _ = socket.recv_fds(ours, 1, 1)
        if not fds:
            raise Unavailable(self.holders[side].stderr.read().strip().splitlines()[-1])
        self.tuns[side] = fds[0]

    def carry(self):
        left, right = self.tuns
        other = {self.tuns[left]: right, self.tuns[right]: left}
        under_way, number = [], 0  # (when it arrives, in order, towards whom, packet)
        while not self.over.is_set():
            wait_s = 0.05 if not under_way else min(0.05, max(0, under_way[0][0] - time.monotonic()))
            ready, _, _ = select.select(list(other), [], [], wait_s)
            for tun in ready:
                side = other[tun]
                direction = self.directions[side]
                for packet in packets_of(tun):
                    if direction.cut or self.chance.random() < direction.loss:
                        continue
                    number += 1
                    heapq.heappush(under_way, (time.monotonic() + direction.delay_s, number, side, packet))
            while under_way and under_way[0][0] <= time.monotonic():
                _, _, side, packet = heapq.heappop(under_way)
                try:
                    os.write(self.tuns[side], packet)
                except OSError:  # a full queue loses packets, as everywhere
                    pass


def packets_of(tun):
    for _ in range(AT_ONCE):
        try:
            yield os.read(tun, PACKET_MAX)
        except BlockingIOError:
            return


def check_it_is_possible():
    if os.geteuid() != 0:
        raise Unavailable("network namespaces need root")
    if not pathlib.Path("/dev/net/tun").exists():
        raise Unavailable("there is no /dev/net/tun")
    missing = [program for program in ("ip", "unshare", "nsenter") if shutil.which(program) is None]
    if missing:
        raise Unavailable(f"not installed: {', '.join(missing)}")


def hold(fd, address):
    """In the new namespace: makes the device, hands it over, and stays until stdin ends."""
    tun_set_interface, is_tun, without_header = 0x400454CA, 0x0001, 0x1000
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, tun_set_interface, struct.pack("16sH22x", DEVICE.encode(), is_tun | without_header))
    for words in (f"address add {address}/24 dev {DEVICE}", f"link set {DEVICE} mtu {MTU} up", "link set lo up"):
        subprocess.run(["ip", *words.split()], check=True)
    with socket.socket(fileno=fd) as parent:
        socket.send_fds(parent, [b"x"], [tun])
    os.close(tun)
    sys.stdin.read()


if __name__ == "__main__":
    hold(int(sys.argv[1]), sys.argv[2])
