//! Every error of this crate: what happened, and what to do about it.

#[cfg(feature = "client")]
mod client;
#[cfg(feature = "http")]
mod http;
mod per_core;
mod running;
mod stream;
mod sync;
mod task;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "ws")]
mod websocket;

#[cfg(feature = "client")]
pub(crate) use client::bare_url;
#[cfg(feature = "client")]
pub use client::{ClientError, ClientErrorKind, ClientPhase};
#[cfg(feature = "http")]
pub use http::{BodyError, Gone, ParamError, ProxyError, RouteError};
pub use per_core::{FailureCause, LoopFailure, PerCoreError};
pub use running::{LoopClosed, LoopRunning, NoRunningLoop, RunError};
pub use stream::ReadError;
pub use sync::{Broken, Full, GetError, PutError, TooManyDone, WouldBlock};
pub use task::{Abandoned, Cancelled, GroupError, GroupFailure, Panicked, TaskError, TimedOut};
#[cfg(feature = "tls")]
pub use tls::TlsError;
#[cfg(feature = "ws")]
pub use websocket::{WebSocketError, WebSocketFault};
