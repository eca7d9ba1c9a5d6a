"""What one task does: the same work as in Rust, with the same checksum, in the three ways of waiting."""

import asyncio
import hashlib
import os
import socket
import time

MASK = (1 << 64) - 1
PATTERN = bytes(range(256)) * 256
PRIMES_WIDTH = 8192
ECHO_US = 20_000
FILE_BYTES = 16 * 1024


def mix(hash, value):
    return ((hash ^ value ^ 0xCBF29CE484222325) * 0x100000001B3) & MASK


def first_eight(digest):
    return int.from_bytes(digest[:8], "big")


# Computations: generators that yield between two steps and return their checksum.


def pi(index):
    hash, left = index, 480 + index % 8
    q, r, t, k, m, x = 1, 0, 1, 1, 3, 3
    while left:
        if 4 * q + r - t < m * t:
            hash, left = mix(hash, m), left - 1
            q, r, m = 10 * q, 10 * (r - m * t), (10 * (3 * q + r)) // t - 10 * m
            yield
        else:
            q, r, t, k, m, x = (
                q * k,
                (2 * q + r) * x,
                t * x,
                k + 1,
                (q * (7 * k + 2) + r * x) // (t * x),
                x + 2,
            )
    return hash


def is_prime(n):
    if n < 2 or n % 2 == 0:
        return n == 2
    d = 3
    while d * d <= n:
        if n % d == 0:
            return False
        d += 2
    return True


def primes(index):
    hash, first = 0, 1_000_000 + index * PRIMES_WIDTH
    for block in range(first, first + PRIMES_WIDTH, 256):
        for candidate in range(block, block + 256):
            if is_prime(candidate):
                hash = mix(hash, candidate)
        yield
    return hash


def sha256(index):
    hash = hashlib.sha256(index.to_bytes(8, "big"))
    for _ in range(16):
        hash.update(PATTERN)
        yield
    return first_eight(hash.digest())


def chain(index, links):
    link = hashlib.sha256(index.to_bytes(8, "big")).digest()
    for done in range(links):
        link = hashlib.sha256(link * 32).digest()
        if done % 16 == 15:
            yield
    return first_eight(link)


def whole(computation):
    while True:
        try:
            next(computation)
        except StopIteration as end:
            return end.value


class Ask:
    """A question to a service, which closes after its answer."""

    def __init__(self, address, question, understand):
        host, port = address.rsplit(":", 1)
        self.address, self.question, self.understand = (host, int(port)), question, understand

    def blocking(self):
        with socket.create_connection(self.address, 30) as stream:
            stream.sendall(self.question)
            answer = b""
            while part := stream.recv(1024):
                answer += part
        return self.understand(answer)

    def polled(self):
        with socket.create_connection(self.address, 30) as stream:
            stream.sendall(self.question)
            stream.setblocking(False)
            answer = b""
            while True:
                try:
                    part = stream.recv(1024)
                except BlockingIOError:
                    yield False
                    continue
                if not part:
                    return self.understand(answer)
                answer += part

    async def awaited(self, loop):
        reader, writer = await asyncio.open_connection(*self.address)
        writer.write(self.question)
        await writer.drain()
        answer = await reader.read()
        writer.close()
        return self.understand(answer)


class Get(Ask):
    """A request, which aiohttp makes where it is installed and an event loop runs."""

    def __init__(self, address, index):
        self.path = f"/hello/task-{index}"
        head = f"GET {self.path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        super().__init__(address, head.encode(), self.body_of)

    def body_of(self, answer):
        head, body = answer.split(b"\r\n\r\n", 1)
        assert head.startswith(b"HTTP/1.1 200 "), head
        return self.checksum(body)

    def checksum(self, body):
        hash = 0
        for byte in body:
            hash = mix(hash, byte)
        return hash

    async def awaited(self, loop):
        if loop.session is None:
            return await super().awaited(loop)
        async with loop.session.get("http://%s:%d%s" % (*self.address, self.path)) as answer:
            assert answer.status == 200, answer.status
            return self.checksum(await answer.read())


class Write:
    """A file that is forced to the disk."""

    def __init__(self, folder, index):
        self.path, self.index = os.path.join(folder, f"task-{index}"), index

    def blocking(self):
        with open(self.path, "wb") as file:
            file.write(self.index.to_bytes(4, "big") * (FILE_BYTES // 4))
            file.flush()
            os.fsync(file.fileno())
        os.remove(self.path)
        return mix(self.index, FILE_BYTES)

    def polled(self):
        return self.blocking()
        yield

    async def awaited(self, loop):
        return await asyncio.to_thread(self.blocking)


class Compute:
    def __init__(self, computation):
        self.computation = computation

    def blocking(self):
        return whole(self.computation)

    def polled(self):
        while True:
            try:
                next(self.computation)
            except StopIteration as end:
                return end.value
            yield True

    async def awaited(self, loop):
        return whole(self.computation)


class Unit:
    """One task, handed over when it is made."""

    def __init__(self, plan, index):
        self.plan, self.index, self.handed_over = plan, index, time.monotonic_ns()

    def ask_echo(self, delay_us):
        question = self.index.to_bytes(8, "big") + delay_us.to_bytes(4, "big")
        understand = lambda answer: mix(0, int.from_bytes(answer, "big"))
        return Ask(self.plan["services"]["echo"], question, understand)

    def parts(self):
        workload, index, plan = self.plan["workload"], self.index, self.plan
        if workload in COMPUTATIONS:
            yield Compute(COMPUTATIONS[workload](index))
        elif workload == "echo":
            yield self.ask_echo(ECHO_US)
        elif workload == "http":
            yield Get(plan["services"]["http"], index)
        elif workload == "fsync":
            yield Write(plan["folder"], index)
        elif workload == "mixed":
            if plan["mix"]["links"]:
                yield Compute(chain(index, plan["mix"]["links"]))
            if plan["mix"]["io_us"]:
                yield self.ask_echo(plan["mix"]["io_us"])
        else:
            raise ValueError(f"there is no workload {workload} in Python")

    def outcome(self, checksum):
        return self.index, checksum, time.monotonic_ns() - self.handed_over

    def blocking(self):
        checksum = 0
        for part in self.parts():
            checksum = mix(checksum, part.blocking())
        return self.outcome(checksum)

    def polled(self):
        checksum = 0
        for part in self.parts():
            checksum = mix(checksum, (yield from part.polled()))
        return self.outcome(checksum)

    async def awaited(self, loop):
        checksum = 0
        for part in self.parts():
            checksum = mix(checksum, await part.awaited(loop))
        return self.outcome(checksum)


COMPUTATIONS = {"pi": pi, "primes": primes, "sha256": sha256}
