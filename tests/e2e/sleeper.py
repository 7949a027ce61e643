"""A PC that sleeps: a machine in a network of the gateway's, which answers nothing until a magic packet with
its MAC address reaches its network card."""

import socket
import threading
import uuid

import netns
from peers import Recorder, echo

MAGIC_PORT = 9
ETH_P_ALL = 3


def mac_bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


class Sleeper:
    """A namespace with one card, behind a device of the gateway's. A context manager.

    address: its own, GATEWAY: the gateway's in that network. It is awake at first.
    wakes_up: what it does about a magic packet. slow: the seconds that it takes for that.
    """

    def __init__(self, internet, device="lan2", address="192.168.5.22", gateway="192.168.5.1",
                 mac="02:00:00:00:05:22", ports=(22,), wakes_up=True, slow=0.0):
        self.internet, self.device, self.address, self.gateway = internet, device, address, gateway
        self.mac, self.ports, self.wakes_up, self.slow = mac, ports, wakes_up, slow
        self.packets = []       # magic packets for this card, by when they came
        self.recorders = []
        self.timer = None
        self.is_awake = self.is_waking = False

    def __enter__(self):
        self.namespace = netns.Namespace(f"pt{uuid.uuid4().hex[:6]}-pc")
        try:
            self.internet._link(self.internet.gateway, self.device, self.namespace, "card")
            self.internet._address(self.internet.gateway, self.device, f"{self.gateway}/24")
            self.set_mac(self.mac)
            self.card = self.namespace.inside(self._open_card)
            self.thread = threading.Thread(target=self._watch, daemon=True)
            self.thread.start()
            self.wake()
        except BaseException:
            self.namespace.delete()
            raise
        return self

    def __exit__(self, *_):
        self.card.close()
        self.thread.join(2)
        if self.timer:
            self.timer.cancel()
            self.timer.join()
        self.sleep()
        self.internet.gateway.ip("link", "del", self.device)    # at once; with its namespace, some time
        self.namespace.delete()

    def set_mac(self, mac):
        self.mac = mac
        self.namespace.ip("link", "set", "card", "address", mac)

    @staticmethod
    def _open_card():
        card = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        card.bind(("card", 0))
        card.settimeout(0.2)
        return card

    def _watch(self):
        while True:
            try:
                frame = self.card.recv(2048)
            except TimeoutError:
                continue
            except OSError:
                return
            # as the card does it: anywhere in a frame, whatever carries it
            if b"\xff" * 6 + 16 * mac_bytes(self.mac) in frame:
                self.packets.append(frame)
                if self.wakes_up and not self.is_waking:
                    self.is_waking = True
                    self.timer = threading.Timer(self.slow, self.wake)
                    self.timer.start()

    def sleep(self):
        for recorder in self.recorders:
            recorder.__exit__(None, None, None)
        self.recorders = []
        self.packets.clear()
        if self.is_awake:
            self.is_awake = False
            self.namespace.ip("address", "flush", "dev", "card")
        self.forget()

    def forget(self):
        """The gateway's neighbour entry has aged out."""
        self.internet.gateway.ip("neigh", "flush", "dev", self.device)

    def wake(self):
        if not self.is_awake:
            self.is_awake, self.is_waking = True, False
            self.namespace.ip("address", "add", f"{self.address}/24", "dev", "card")
            for port in self.ports:
                recorder = Recorder(echo, listener=self.namespace.listen("0.0.0.0", port))
                recorder.__enter__()
                self.recorders.append(recorder)
