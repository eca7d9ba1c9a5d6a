//! Server-sent events.

use std::{fmt, time::Duration};

use ::http::{HeaderValue, header};

use super::{
    body::{BodyWriter, BoxError},
    response::Response,
};
use crate::error::Gone;

/// How long a stream of events may be silent before a comment is sent, which keeps proxies from closing it.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// One server-sent event.
///
/// ```
/// use aio::http::Event;
///
/// let event = Event::new("two\nlines").name("news").id("7");
/// assert_eq!(event.to_string(), "event: news\nid: 7\ndata: two\ndata: lines\n\n");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    data: String,
    name: Option<String>,
    id: Option<String>,
    retry: Option<Duration>,
}

impl Event {
    /// An event with this data, which may have several lines.
    pub fn new(data: impl Into<String>) -> Self {
        Event {
            data: data.into(),
            ..Event::default()
        }
    }

    /// What kind of event it is; the client's listeners are told apart by it. Line ends in it are left out.
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(one_line(name));
        self
    }

    /// The event's id: a client that connects again tells the last one it has seen
    /// ([`Request::last_event_id`](super::Request::last_event_id)). Line ends in it are left out.
    pub fn id(mut self, id: &str) -> Self {
        self.id = Some(one_line(id));
        self
    }

    /// How long the client is to wait before it connects again.
    pub fn retry(mut self, pause: Duration) -> Self {
        self.retry = Some(pause);
        self
    }
}

/// Without what would begin another field.
fn one_line(text: &str) -> String {
    text.replace(['\r', '\n', '\0'], "")
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            writeln!(f, "event: {name}")?;
        }
        if let Some(id) = &self.id {
            writeln!(f, "id: {id}")?;
        }
        if let Some(pause) = self.retry {
            writeln!(f, "retry: {}", pause.as_millis())?;
        }
        let data = self.data.replace("\r\n", "\n").replace('\r', "\n");
        for line in data.split('\n') {
            writeln!(f, "data: {line}")?;
        }
        writeln!(f)
    }
}

/// Sends server-sent events; see [`Response::events`].
#[derive(Debug, Clone)]
pub struct EventSender {
    body: BodyWriter,
}

impl EventSender {
    /// Sends an event. Waits while the client has not taken the one before.
    ///
    /// # Errors
    ///
    /// [`Gone`] when the response has ended.
    pub async fn send(&self, event: Event) -> Result<(), Gone> {
        self.body.write(event.to_string()).await
    }
}

impl Response {
    /// A stream of server-sent events, which a coroutine sends. It is dropped when the client hangs up; while it is
    /// silent, a comment every 15 s keeps the connection in use.
    ///
    /// ```
    /// use aio::http::{App, Event, Gone, Request, Response, TestClient};
    ///
    /// async fn news(request: Request) -> Response {
    ///     let seen: u32 = request.last_event_id().and_then(|id| id.parse().ok()).unwrap_or(0);
    ///     Response::events(async move |events| {
    ///         for number in seen + 1..=3 {
    ///             events.send(Event::new(format!("news {number}")).id(&number.to_string())).await?;
    ///         }
    ///         Ok::<(), Gone>(())
    ///     })
    /// }
    ///
    /// aio::run(async {
    ///     let client = TestClient::new(App::new().get("/news", news)).await?;
    ///     let answer = client.get("/news").header("last-event-id", "2").send().await;
    ///     assert_eq!(answer.text(), "id: 3\ndata: news 3\n\n");
    ///     Ok::<(), std::io::Error>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn events<W, E>(send: W) -> Self
    where
        W: AsyncFnOnce(EventSender) -> Result<(), E> + 'static,
        E: Into<BoxError> + 'static,
    {
        let write = async move |body| send(EventSender { body }).await;
        let body = Response::writing(write, Some(KEEP_ALIVE));
        // nginx, too, must not gather events before it passes them on.
        Response::streamed("text/event-stream", body)
            .with_header(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))
            .with_header(
                ::http::HeaderName::from_static("x-accel-buffering"),
                HeaderValue::from_static("no"),
            )
    }
}
