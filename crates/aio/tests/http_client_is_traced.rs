//! What happens to a request is told to hooks, in order, with one end for each beginning.
#![cfg(feature = "client")]

use std::{cell::RefCell, error::Error, rc::Rc, time::Duration};

use aio::http::{
    App, ClientLimits, ClientSession, HeaderValue, Request, Response, SessionBuilder, TestServer,
    TraceEvent,
};

type Outcome = Result<(), Box<dyn Error>>;

fn on_loop(test: impl AsyncFnOnce() -> Outcome) -> Outcome {
    aio::run(aio::wait_for(test(), Duration::from_secs(30)))??
}

/// The events of a session, a word each.
#[derive(Clone, Default)]
struct Heard(Rc<RefCell<Vec<String>>>);

impl Heard {
    fn builder(&self, server: &TestServer) -> SessionBuilder {
        let heard = self.0.clone();
        let builder = ClientSession::builder()
            .no_proxy()
            .base_url(&server.url("/"));
        builder.trace(move |request, event| {
            let word = match event {
                TraceEvent::Started { .. } => "started".to_owned(),
                TraceEvent::Redirected { to } => {
                    format!("redirected to {}", to.rsplit('/').next().unwrap_or(""))
                }
                TraceEvent::Answered { reused, .. } => format!(
                    "answered {}{}",
                    request.status().map_or(0, |status| status.as_u16()),
                    if *reused { " reused" } else { "" }
                ),
                TraceEvent::Received { bytes } => format!("received {bytes}"),
                TraceEvent::Ended { received } => format!("ended {received}"),
                TraceEvent::Failed { error } => format!("failed {:?}", error.kind()),
                other => format!("{other:?}").to_lowercase(),
            };
            heard.borrow_mut().push(format!("{} {word}", request.id()));
        })
    }

    fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

#[test]
fn a_request_is_told_from_its_beginning_to_its_end() -> Outcome {
    on_loop(async || {
        let app = App::new()
            .get("/a", async |_: Request| Response::redirect("/b"))
            .get("/b", async |request: Request| {
                request.header("traceparent").unwrap_or("-").to_owned()
            });
        let server = TestServer::start(app).await?;
        let heard = Heard::default();
        let session = heard.builder(&server).trace(|request, event| {
            if let TraceEvent::Started { headers } = event {
                let id = HeaderValue::from(request.id());
                headers.insert("traceparent", id);
            }
        });
        let session = session.build()?;
        assert_eq!(session.get("a?secret").send().await?.text().await?, "1");
        let expected = [
            "1 started",
            "1 connecting",
            "1 connected",
            "1 redirected to b",
            "1 answered 200 reused",
            "1 received 1",
            "1 ended 1",
        ];
        assert_eq!(heard.take(), expected);
        drop(session.get("b").send().await?);
        assert_eq!(
            heard.take(),
            ["2 started", "2 answered 200 reused", "2 ended 0"]
        );
        Ok(())
    })
}

#[test]
fn what_fails_and_what_is_given_up_is_told() -> Outcome {
    on_loop(async || {
        let app = App::new()
            .get("/never", async |_: Request| -> &'static str {
                std::future::pending().await
            })
            .get("/", async |_: Request| "");
        let server = TestServer::start(app).await?;
        let heard = Heard::default();
        let limits = ClientLimits {
            per_host: 1,
            ..ClientLimits::default()
        };
        let session = heard.builder(&server).limits(limits).build()?;
        let never = session.clone();
        let given_up = aio::create_task(async move { never.get("never").send().await.is_ok() });
        while !heard.0.borrow().iter().any(|word| word == "1 connected") {
            aio::yield_now().await;
        }
        let short = Duration::from_millis(20);
        let queued = session.get("/").timeout(short).send().await;
        assert!(queued.is_err());
        given_up.cancel();
        assert!(given_up.await.is_err());
        let expected = [
            "1 started",
            "1 connecting",
            "1 connected",
            "2 started",
            "2 queued",
            "2 failed TimedOut(Pool)",
            "1 cancelled",
        ];
        assert_eq!(heard.take(), expected);
        assert!(session.get("http://127.0.0.1:1/").send().await.is_err());
        let words = heard.take();
        let repeated = words.iter().any(|word| word.starts_with("3 repeated"));
        assert!(
            repeated && words.last().is_some_and(|word| word == "3 failed Connect"),
            "{words:?}"
        );
        Ok(())
    })
}

#[cfg(feature = "ws")]
#[test]
fn a_websockets_handshake_is_a_request() -> Outcome {
    use aio::http::{WebSocket, WebSocketError, WebSocketOptions};
    on_loop(async || {
        let app = App::new().get("/ws", async |request: Request| {
            let origin = request.header("origin").unwrap_or("-").to_owned();
            WebSocket::upgrade(request, async move |mut socket: WebSocket| {
                socket.send(origin.as_str()).await?;
                Ok::<(), WebSocketError>(())
            })
        });
        let server = TestServer::start(app).await?;
        let heard = Heard::default();
        let session = heard.builder(&server).build()?;
        let url = server.url("/ws").replace("http://", "ws://");
        let asked = session.get(&url).header("origin", "http://here.test");
        let mut socket = asked.ws_connect(WebSocketOptions::default()).await?;
        let text = socket.receive().await?;
        assert_eq!(text, Some("http://here.test".into()));
        assert!(session.ws_connect("/nowhere").await.is_err());
        let expected = [
            "1 started",
            "1 connecting",
            "1 connected",
            "1 answered 101",
            "1 ended 0",
            "2 started",
            "2 connecting",
            "2 connected",
            "2 failed Status(404)",
        ];
        assert_eq!(heard.take(), expected);
        Ok(())
    })
}

#[cfg(feature = "tracing")]
#[test]
fn the_log_has_an_event_for_each_request_within_a_span_while_it_is_asked() -> Outcome {
    use std::sync::{Arc, Mutex};

    use tracing::{Event, Metadata, Subscriber, field, span};

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<String>>>);

    struct Line(String);

    impl field::Visit for Line {
        fn record_debug(&mut self, field: &field::Field, value: &dyn std::fmt::Debug) {
            if field.name() != "micros" {
                self.0.push_str(&format!(" {}={value:?}", field.name()));
            }
        }
    }

    impl Subscriber for Log {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target() == "aio::client"
        }
        fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
            let mut line = Line("span".to_owned());
            attributes.record(&mut line);
            self.0.lock().expect("no panic").push(line.0);
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, event: &Event<'_>) {
            let mut line = Line("event".to_owned());
            event.record(&mut line);
            self.0.lock().expect("no panic").push(line.0);
        }
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    let log = Log::default();
    // With one subscriber alone, tracing takes the word of whichever thread comes first, another test's too.
    let _second = tracing::Dispatch::new(log.clone());
    tracing::subscriber::with_default(log.clone(), || {
        on_loop(async || {
            let server = TestServer::start(App::new().get("/", async |_: Request| "ok")).await?;
            let session = ClientSession::builder().no_proxy().build()?;
            let url = server.url("/");
            session
                .get(&format!("{url}?secret"))
                .send()
                .await?
                .text()
                .await?;
            assert!(session.get("http://127.0.0.1:1/").send().await.is_err());
            let lines = log.0.lock().expect("no panic").clone();
            assert_eq!(
                lines[..2],
                [
                    format!("span id=1 method=GET url=\"{url}\""),
                    format!(
                        "event message=answered id=1 method=GET url=\"{url}\" status=200 bytes=2"
                    ),
                ]
            );
            assert!(
                lines[3].starts_with("event message=failed id=2") && lines[3].contains("error="),
                "{lines:?}"
            );
            Ok(())
        })
    })
}
