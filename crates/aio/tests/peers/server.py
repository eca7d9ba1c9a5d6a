"""A server of aiohttp, and one of websockets, for our client. Prints their ports, and ends when its input does."""

import asyncio
import sys

from aiohttp import web


async def show(request):
    return web.json_response(
        {
            "method": request.method,
            "query": dict(request.query),
            "agent": request.headers.get("User-Agent"),
            "auth": request.headers.get("Authorization"),
            "length": request.content_length,
            "body": (await request.read()).decode(),
        }
    )


async def form(request):
    fields = await request.post()
    sizes = {
        name: [value.filename, value.content_type, len(value.file.read())]
        if isinstance(value, web.FileField)
        else value
        for name, value in fields.items()
    }
    return web.json_response(sizes)


async def visits(request):
    count = int(request.cookies.get("visits", "0")) + 1
    response = web.Response(text=str(count))
    response.set_cookie("visits", str(count))
    return response


async def stream(request):
    response = web.StreamResponse()
    await response.prepare(request)
    for number in range(1, 101):
        await response.write(b"line %d\n" % number)
    return response


async def compressed(request):
    response = web.Response(text="long " * 20_000)
    response.enable_compression()
    return response


async def latin(request):
    return web.Response(body="café".encode("latin-1"), content_type="text/plain", charset="latin-1")


async def redirect(request):
    raise web.HTTPSeeOther("/show")


async def websocket(request):
    socket = web.WebSocketResponse(protocols=["chat"], compress=True)
    await socket.prepare(request)
    async for message in socket:
        if message.data == "close":
            await socket.close(code=3002, message=b"as asked")
        elif isinstance(message.data, str):
            await socket.send_str(message.data)
        else:
            await socket.send_bytes(message.data)
    return socket


async def main():
    app = web.Application()
    app.router.add_route("*", "/show", show)
    app.router.add_post("/form", form)
    app.router.add_get("/visits", visits)
    app.router.add_get("/stream", stream)
    app.router.add_get("/compressed", compressed)
    app.router.add_get("/latin", latin)
    app.router.add_post("/redirect", redirect)
    app.router.add_get("/ws", websocket)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    if "websockets" in sys.argv[1:]:
        from websockets.asyncio.server import serve

        async def echo(socket):
            async for message in socket:
                await socket.send(message)

        server = await serve(echo, "127.0.0.1", 0, subprotocols=["chat"])
        port = server.sockets[0].getsockname()[1]
    print(port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
