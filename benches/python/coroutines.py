"""CPython's side of the `coroutines` table: one line a case, `name nanoseconds-per-item`, the best of five rounds."""

import asyncio
import sys
import time

N = 200_000


def count(n):
    for i in range(n):
        yield i ^ 5


def deep(depth, n):
    if depth == 0:
        for i in range(n):
            yield i
    else:
        yield from deep(depth - 1, n)


async def acount(n):
    for i in range(n):
        yield i ^ 5


def total(n):
    s = 0
    for x in count(n):
        s += x
    return s


def resume(n):
    g, s = count(n), 0
    for _ in range(n):
        s += next(g)
    return s


def create(n):
    s = 0
    for _ in range(n // 10):
        for x in count(10):
            s += x
    return s


def recursion(depth):
    def run(n):
        return sum(deep(depth, n))

    return run


def round_robin(n):
    a, b = count(n // 2), count(n // 2)
    s = 0
    for _ in range(n // 2):
        s += next(a)
        s += next(b)
    return s


def async_generator(n):
    async def run():
        s = 0
        async for x in acount(n):
            s += x
        return s

    return asyncio.run(run())


def measure(name, f, n=N):
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter_ns()
        f(n)
        best = min(best, (time.perf_counter_ns() - start) / n)
    print(name, round(best, 2), flush=True)


if __name__ == "__main__":
    sys.setrecursionlimit(5000)
    measure("iterate", total)
    measure("resume", resume)
    measure("create", create)
    for depth, n in (4, N), (16, N), (1000, N // 20):
        measure(f"depth{depth}", recursion(depth), n)
    measure("round_robin", round_robin)
    measure("async", async_generator)
