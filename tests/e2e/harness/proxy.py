"""A network that can fail: a TCP proxy between client and server whose connections can be stalled or cut."""

import selectors
import socket
import struct
import threading

TLS_HANDSHAKE = 0x16  # first byte of a control connection; a data connection's preface begins otherwise


class _Pair:
    def __init__(self, inside: socket.socket, outside: socket.socket):
        self.inside = inside    # towards the client
        self.outside = outside  # towards the server
        self.control: bool | None = None  # not known before its first byte
        self.queue = {inside: bytearray(), outside: bytearray()}  # bytes that still go to that end
        self.head = b""  # the client's first bytes
        self.ended = {inside: False, outside: False}  # that end has said all

    def other(self, end):
        return self.outside if end is self.inside else self.inside


class Proxy:
    """Forwards 127.0.0.1:port to `target`. All work is done by one thread; the calls below only post to it."""

    def __init__(self, target_port: int):
        self._target = target_port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        self._wake_read, self._wake_write = socket.socketpair()
        self._lock = threading.Lock()
        self._orders: list = []
        self._pairs: list[_Pair] = []
        self._forgotten: list[_Pair] = []
        self._stalled = False
        self._refusing = False
        self._running = True
        self.refused = 0  # connections turned away
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def stall(self) -> None:
        """From now on no byte passes and nobody is told: a pulled cable."""
        self._do(lambda: setattr(self, "_stalled", True))

    def flow(self) -> None:
        """The cable is back."""
        def order():
            self._stalled = False
            self._refusing = False
        self._do(order)

    def drop_stalled(self) -> None:
        """Forgets the connections of before without a word to either end, as a NAT box does when it restarts."""
        def order():
            self._forgotten += self._pairs  # kept open: closing them would tell
            self._pairs.clear()
        self._do(order)

    def cut(self, control_only: bool = False) -> int:
        """Resets the connections that pass now (only the control connections, or all). Returns how many."""
        cut = []

        def order():
            for pair in list(self._pairs):
                if pair.control or not control_only:
                    cut.append(pair)
                    self._end(pair, reset=True)
        self._do(order)
        return len(cut)

    def refuse(self) -> None:
        """New connections are reset at once until flow()."""
        self._do(lambda: setattr(self, "_refusing", True))

    def data_heads(self) -> list[bytes]:
        """The first bytes that the client sent on each data connection that is open now."""
        with self._lock:
            return [pair.head for pair in self._pairs if pair.control is False]

    def close(self) -> None:
        self._do(lambda: setattr(self, "_running", False))
        self._thread.join()
        for pair in self._forgotten + list(self._pairs):
            self._end(pair, reset=False)
        self._listener.close()
        self._wake_read.close()
        self._wake_write.close()

    def _do(self, order):
        done = threading.Event()
        with self._lock:
            self._orders.append((order, done))
        self._wake_write.send(b"x")
        done.wait(10)

    def _end(self, pair, reset: bool):
        for end in (pair.inside, pair.outside):
            if reset:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()
        if pair in self._pairs:
            self._pairs.remove(pair)

    def _loop(self):
        while self._running:
            selector = selectors.DefaultSelector()
            selector.register(self._wake_read, selectors.EVENT_READ)
            if not self._stalled:
                selector.register(self._listener, selectors.EVENT_READ)
                for pair in self._pairs:
                    self._watch(selector, pair)
            ready = selector.select()
            selector.close()
            with self._lock:
                for key, events in ready:
                    if key.fileobj is self._wake_read:
                        self._wake_read.recv(4096)
                    elif key.fileobj is self._listener:
                        self._accept()
                    elif key.data in self._pairs:
                        self._move(key.data, key.fileobj, events)
                orders, self._orders = self._orders, []
                for order, done in orders:
                    order()
                    done.set()

    def _watch(self, selector, pair):
        for end in (pair.inside, pair.outside):
            events = 0
            if not pair.ended[end] and len(pair.queue[pair.other(end)]) < 1 << 18:
                events |= selectors.EVENT_READ
            if pair.queue[end]:
                events |= selectors.EVENT_WRITE
            if events:
                selector.register(end, events, pair)

    def _accept(self):
        inside, _ = self._listener.accept()
        if self._refusing:
            self.refused += 1
            inside.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            inside.close()
            return
        try:
            outside = socket.create_connection(("127.0.0.1", self._target), timeout=5)
        except OSError:
            inside.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            inside.close()
            return
        for end in (inside, outside):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pairs.append(_Pair(inside, outside))

    def _move(self, pair, end, events):
        try:
            if events & selectors.EVENT_WRITE:
                sent = end.send(pair.queue[end])
                del pair.queue[end][:sent]
            if events & selectors.EVENT_READ:
                piece = end.recv(1 << 16)
                if piece:
                    if pair.control is None and end is pair.inside:
                        pair.control = piece[0] == TLS_HANDSHAKE
                        pair.head = piece
                    pair.queue[pair.other(end)] += piece
                else:
                    pair.ended[end] = True
        except BlockingIOError:
            return
        except OSError:
            self._end(pair, reset=True)
            return
        for this in (pair.inside, pair.outside):
            if pair.ended[this] and not pair.queue[pair.other(this)]:
                try:
                    pair.other(this).shutdown(socket.SHUT_WR)
                except OSError:
                    pass
        if all(pair.ended.values()) and not any(pair.queue.values()):
            self._end(pair, reset=False)
