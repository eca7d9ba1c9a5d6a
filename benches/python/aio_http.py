"""aiohttp, for `benches::peers::aio_http`:  aio_http.py server [uvloop] | client ADDRESS

The server prints the address it listens on, and serves until it is killed. The client reads how many requests to make,
a number a line, and answers each line with the nanoseconds of processor time that one of them took.
"""

import asyncio
import html
import sys
import time

import aiohttp
from aiohttp import web

PAGE = "<h1>hello, world!</h1>"
WARM_UP = 100


async def hello(request):
    name = html.escape(request.match_info["name"])
    return web.Response(text=f"<h1>hello, {name}!</h1>", content_type="text/html")


async def serve():
    app = web.Application()
    app.router.add_get("/hello/{name}", hello)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    print(f"{host}:{port}", flush=True)
    await asyncio.Event().wait()


async def get(session, url, count):
    for _ in range(count):
        async with session.get(url) as response:
            assert response.status == 200
            assert await response.text() == PAGE


async def ask(address):
    url = f"http://{address}/hello/world"
    async with aiohttp.ClientSession() as session:
        for line in sys.stdin:
            count = int(line)
            await get(session, url, WARM_UP)
            start = time.process_time_ns()
            await get(session, url, count)
            print((time.process_time_ns() - start) / count, flush=True)


if sys.argv[1] == "client":
    asyncio.run(ask(sys.argv[2]))
elif sys.argv[2:] == ["uvloop"]:
    import uvloop

    uvloop.run(serve())
else:
    asyncio.run(serve())
