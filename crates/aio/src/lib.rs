//! Python's asyncio and aiohttp for Rust: an event loop, tasks, streams and HTTP on tokio.
