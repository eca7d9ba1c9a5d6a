"""CPython's multiprocessing and its executor, as `benches::peers::procs` uses ours.

Reads the name of a case a line from standard input, and answers each with nanoseconds a line.
"""

import concurrent.futures
import multiprocessing as mp
import os
import signal
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor

MEBIBYTE = 1 << 20
TINY = 20_000


def nothing():
    pass


def square(n):
    return n * n


def kill_me(_):
    os.kill(os.getpid(), signal.SIGKILL)


def now(_):
    return time.perf_counter()


def timed(count, run):
    begun = time.perf_counter()
    run()
    return (time.perf_counter() - begun) * 1e9 / count


def fresh_pool():
    pool = mp.get_context("fork").Pool(2)
    pool.map(square, range(10))
    return pool


POOLS = {}


def pool():
    if "pool" not in POOLS:
        POOLS["pool"] = fresh_pool()
    return POOLS["pool"]


def executor():
    if "executor" not in POOLS:
        POOLS["executor"] = ProcessPoolExecutor(2, mp.get_context("fork"))
        list(POOLS["executor"].map(square, range(10)))
    return POOLS["executor"]


def map_one_by_one():
    return timed(TINY, lambda: pool().map(square, range(TINY), chunksize=1))


def executor_map():
    return timed(5_000, lambda: list(executor().map(square, range(5_000))))


def map_in_chunks():
    return timed(200_000, lambda: pool().map(square, range(200_000)))


def apply():
    def run():
        for n in range(500):
            pool().apply(square, (n,))

    return timed(500, run)


def put_all(queue, item, count):
    for _ in range(count):
        queue.put(item)


def queue(pairs):
    context = mp.get_context("fork")
    messages, each, item = context.Queue(), 20_000 // pairs, b"0123456789abcdef"
    going = [context.Process(target=put_all, args=(messages, item, each)) for _ in range(pairs)]

    def get_all(count):
        for _ in range(count):
            messages.get()

    going += [context.Process(target=get_all, args=(each,)) for _ in range(pairs - 1)]

    def run():
        for process in going:
            process.start()
        get_all(each)
        for process in going:
            process.join()

    return timed(each * pairs, run)


def send_all(end, item, count):
    for _ in range(count):
        end.send_bytes(item)


def pipe_mebibytes():
    here, there = mp.Pipe()
    sender = mp.get_context("fork").Process(target=send_all, args=(there, b"x" * MEBIBYTE, 200))
    sender.start()
    here.recv_bytes()

    def run():
        for _ in range(199):
            here.recv_bytes()

    figure = timed(199, run)
    sender.join()
    return figure


def answer_all(requests, answers):
    while (item := requests.get()) is not None:
        answers.put(len(item))


def queue_of_64_mebibytes():
    context = mp.get_context("fork")
    requests, answers = context.Queue(), context.Queue()
    process = context.Process(target=answer_all, args=(requests, answers))
    process.start()
    requests.put(b"1")
    answers.get()
    item = b"x" * (64 * MEBIBYTE)

    def run():
        for _ in range(2):
            requests.put(item)
            assert answers.get() == 64 * MEBIBYTE

    figure = timed(2, run)
    requests.put(None)
    process.join()
    return figure


def start_and_join(method, count):
    context = mp.get_context(method)

    def run():
        for _ in range(count):
            process = context.Process(target=nothing)
            process.start()
            process.join()

    run()
    return timed(count, run)


def lock():
    one = mp.Lock()

    def run():
        for _ in range(200_000):
            one.acquire()
            one.release()

    return timed(200_000, run)


def killed():
    """From the kill, which the worker's clock tells as far as it can, to the error."""
    with ProcessPoolExecutor(2, mp.get_context("fork")) as workers:
        list(workers.map(square, range(10)))
        begun = time.perf_counter()
        try:
            workers.submit(kill_me, 0).result()
        except concurrent.futures.process.BrokenProcessPool:
            return (time.perf_counter() - begun) * 1e9


CASES = {
    "map_one_by_one": map_one_by_one,
    "executor_map": executor_map,
    "map_in_chunks": map_in_chunks,
    "apply": apply,
    "queue_1": lambda: queue(1),
    "queue_2": lambda: queue(2),
    "pipe_mebibytes": pipe_mebibytes,
    "queue_of_64_mebibytes": queue_of_64_mebibytes,
    "start_forkserver": lambda: start_and_join("forkserver", 20),
    "start_fork": lambda: start_and_join("fork", 50),
    "lock": lock,
    "killed": killed,
}

if __name__ == "__main__":
    for line in sys.stdin:
        print(CASES[line.strip()](), flush=True)
    for shared in POOLS.values():
        getattr(shared, "terminate", shared.shutdown if hasattr(shared, "shutdown") else None)()
