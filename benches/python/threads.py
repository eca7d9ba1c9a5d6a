"""CPython's queue.Queue and ThreadPoolExecutor, as `benches::peers::threads` uses ours: a name and nanoseconds a line."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from queue import Queue


def queue(size, pairs):
    each = (5_000 if size == 1 else 50_000) // pairs
    messages = Queue(size)

    def put():
        for n in range(each):
            messages.put(n)

    def get():
        for _ in range(each):
            messages.get()

    sides = [threading.Thread(target=side) for side in (put, get) for _ in range(pairs)]
    start = time.perf_counter_ns()
    for side in sides:
        side.start()
    for side in sides:
        side.join()
    return (time.perf_counter_ns() - start) / (each * pairs)


def executor(n=5_000):
    with ThreadPoolExecutor(2) as pool:
        start = time.perf_counter_ns()
        for i in range(n):
            pool.submit(int, i).result()
        return (time.perf_counter_ns() - start) / n


def best(measure, *arguments):
    return round(min(measure(*arguments) for _ in range(3)), 1)


if __name__ == "__main__":
    for size in 0, 128, 1:
        for pairs in 1, 2:
            print(f"queue/{size}/{pairs}", best(queue, size, pairs), flush=True)
    print("executor", best(executor), flush=True)
