//! The client sends what it is told, the way it is told, and shows nobody what is not for them.
#![cfg(feature = "client")]

use std::{
    cell::{Cell, RefCell},
    error::Error,
    io,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    rc::Rc,
    task::Poll,
    time::Duration,
};

use aio::{
    StreamReader, StreamWriter,
    http::{
        App, BodyError, ClientErrorKind, ClientSession, Cookie, CookieJar, HeaderValue, Listener,
        Method, ParamError, Request, Response, Server, SessionBuilder, StatusCode, TestServer,
    },
};

type Outcome = Result<(), Box<dyn Error>>;

fn on_loop(test: impl AsyncFnOnce() -> Outcome) -> Outcome {
    aio::run(aio::wait_for(test(), Duration::from_secs(30)))??
}

/// A file in the temporary folder, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Scratch(std::env::temp_dir().join(format!("aio-client-{}-{name}", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Tells what it was asked.
async fn show(mut request: Request) -> Result<String, BodyError> {
    let text = |name: &str| request.header(name).unwrap_or("-").to_owned();
    let head = format!(
        "{} {} auth={} cookie={} kind={} length={}",
        request.method(),
        request.path(),
        text("authorization"),
        text("cookie"),
        text("content-type"),
        text("content-length"),
    );
    Ok(format!("{head} body={}", request.text().await?))
}

const METHODS: [Method; 4] = [Method::GET, Method::POST, Method::PUT, Method::DELETE];

fn showing() -> App {
    METHODS
        .into_iter()
        .fold(App::new(), |app, method| app.route(method, "/show", show))
}

fn with_header(mut response: Response, name: &'static str, value: &str) -> Response {
    let value = HeaderValue::from_str(value).expect("it can be a header's");
    response.headers_mut().append(name, value);
    response
}

/// A session for which `home.test` and `away.test` are these servers.
fn at(home: &TestServer, away: &TestServer) -> SessionBuilder {
    ClientSession::builder()
        .no_proxy()
        .resolve("home.test", home.address())
        .resolve("away.test", away.address())
}

async fn text_of(request: aio::http::ClientRequest) -> Result<String, aio::http::ClientError> {
    request.send().await?.text().await
}

#[test]
fn credentials_stay_where_they_belong() -> Outcome {
    on_loop(async || {
        let home = TestServer::start(showing().get("/away", async |_: Request| {
            Response::redirect("http://away.test/show")
        }));
        let home = home.await?;
        let away = TestServer::start(showing()).await?;
        let session = at(&home, &away)
            .base_url("http://home.test/")
            .basic_auth("ann", "open sesame")
            .build()?;
        let jar = session.cookies().expect("cookies are kept");
        assert!(jar.set("http://home.test/", Cookie::new("theirs", "1")));
        let basic = "auth=Basic YW5uOm9wZW4gc2VzYW1l";
        let at_home = text_of(session.get("show").cookie("own", "a b")).await?;
        let cookies = "cookie=own=a%20b; theirs=1";
        assert!(
            at_home.contains(basic) && at_home.contains(cookies),
            "{at_home}"
        );
        let nothing = "GET /show auth=- cookie=- kind=- length=- body=";
        assert_eq!(
            text_of(session.get("http://away.test/show")).await?,
            nothing
        );
        let told = session.get("away").bearer_auth("token").cookie("own", "1");
        assert_eq!(text_of(told).await?, nothing, "after a redirect");
        let own = session.get("show").bearer_auth("token");
        assert!(text_of(own).await?.contains("auth=Bearer token"));
        let in_url = session.get("http://b%40b:p%3Aw@away.test/show");
        let response = in_url.send().await?;
        assert_eq!(response.url(), "http://away.test/show");
        let text = response.text().await?;
        assert!(text.contains("auth=Basic YkBiOnA6dw=="), "{text}");
        Ok(())
    })
}

#[test]
fn a_redirect_changes_the_method_as_in_browsers() -> Outcome {
    on_loop(async || {
        let mut app = showing();
        for status in [301, 302, 303, 307, 308] {
            for method in METHODS {
                app = app.route(method, &format!("/{status}"), async move |_: Request| {
                    let status = StatusCode::from_u16(status).expect("it is one");
                    Response::redirect_with(status, "/show")
                });
            }
        }
        let server = TestServer::start(app).await?;
        let session = ClientSession::builder()
            .base_url(&server.url("/"))
            .no_proxy()
            .build()?;
        for (status, method) in [(301, "GET"), (302, "GET"), (303, "GET"), (308, "POST")] {
            let text = text_of(session.post(&status.to_string()).json(&[1])).await?;
            let rest = match method {
                "GET" => "kind=- length=- body=",
                _ => "kind=application/json length=3 body=[1]",
            };
            assert_eq!(text, format!("{method} /show auth=- cookie=- {rest}"));
        }
        let put = text_of(session.put("302").body("x")).await?;
        assert!(
            put.starts_with("PUT /show") && put.ends_with("body=x"),
            "{put}"
        );
        let head = session.head("303").send().await?;
        assert_eq!(
            (head.status().as_u16(), head.url()),
            (200, &*server.url("/show"))
        );
        let unmoved = session.get("302").redirects(0).send().await?;
        assert_eq!(unmoved.status(), 302);
        let too_many = session.get("302").redirects(1).send().await?;
        assert_eq!(too_many.status(), 200);
        let file = Scratch::new("once");
        std::fs::write(&file.0, "once")?;
        let sent = session.post("307").file(&file.0).await?.send().await?;
        assert_eq!(sent.status(), 307, "a file is not sent twice");
        Ok(())
    })
}

#[test]
fn a_jar_is_filled_by_its_rules() -> Outcome {
    on_loop(async || {
        let set = |line: String| {
            async move |_: Request| with_header(Response::text(""), "set-cookie", &line)
        };
        let many = async |request: Request| {
            let from = request.param::<u32>("from")?;
            let lines = (from..from + 90).map(|number| format!("c{number}=1"));
            Ok::<_, ParamError>(lines.fold(Response::text(""), |response, line| {
                with_header(response, "set-cookie", &line)
            }))
        };
        let app = showing()
            .get("/wide", set("wide=1; Domain=test".to_owned()))
            .get("/foreign", set("foreign=1; Domain=away.test".to_owned()))
            .get("/large", set(format!("large={}", "x".repeat(5000))))
            .get("/fine", set("fine=1; Domain=home.test".to_owned()))
            .get(
                "/gone",
                set("fine=; Domain=home.test; Max-Age=0".to_owned()),
            )
            .get("/many/{from}", many);
        let home = TestServer::start(app).await?;
        let away = TestServer::start(showing()).await?;
        let jar = CookieJar::new();
        let session = at(&home, &away)
            .base_url("http://home.test/")
            .cookie_jar(&jar)
            .build()?;
        for refused in ["wide", "foreign", "large"] {
            session.get(refused).send().await?;
            assert!(jar.is_empty(), "{refused}: {jar:?}");
        }
        session.get("fine").send().await?;
        assert_eq!(jar.get("http://x.home.test/", "fine").as_deref(), Some("1"));
        assert_eq!(jar.get("http://away.test/", "fine"), None);
        session.get("gone").send().await?;
        assert!(jar.is_empty(), "{jar:?}");
        for from in [0, 90, 180, 270] {
            session.get(&format!("many/{from}")).send().await?;
        }
        assert_eq!(jar.len(), 180, "one domain has so many and no more");
        jar.clear();
        assert!(text_of(session.get("show")).await?.contains("cookie=-"));
        Ok(())
    })
}

#[cfg(feature = "multipart")]
#[test]
fn forms_with_files_arrive() -> Outcome {
    use aio::http::FormData;
    on_loop(async || {
        let app = App::new().post("/", async |mut request: Request| {
            let told = request.header("content-length").is_some();
            let mut parts = request.multipart()?;
            let mut lines = vec![format!("told={told}")];
            while let Some(mut part) = parts.next_part().await? {
                let (name, file) = (part.name(), part.file_name());
                let head = format!("{name} {file:?} {:?}", part.content_type());
                lines.push(format!("{head} {}", part.read().await?.len()));
            }
            Ok::<_, BodyError>(lines.join("\n"))
        });
        let server = TestServer::start(app).await?;
        let session = ClientSession::builder().no_proxy().build()?;
        let file = Scratch::new("form.txt");
        std::fs::write(&file.0, vec![b'x'; 300_000])?;
        let small =
            FormData::new()
                .text("na\"me", "Ann\r\n")
                .bytes("pic", "a\"\r\n.png", vec![0; 1000]);
        let text = text_of(session.post(&server.url("/")).multipart(small)).await?;
        let expected = "told=true\nna%22me None None 5\n\
            pic Some(\"a%22%0D%0A.png\") Some(\"image/png\") 1000";
        assert_eq!(text, expected);
        let large = FormData::new()
            .text("a", "1")
            .file("doc", &file.0)
            .await?
            .text("b", "2");
        let text = text_of(session.post(&server.url("/")).multipart(large)).await?;
        let name = file.0.file_name().expect("it has one").to_string_lossy();
        let doc = format!("Some({name:?}) Some(\"text/plain; charset=utf-8\") 300000");
        assert!(
            text.contains(&doc) && text.starts_with("told=true"),
            "{text}"
        );
        assert!(FormData::new().file("doc", "/no/such/file").await.is_err());
        Ok(())
    })
}

#[test]
fn files_and_long_bodies_are_sent_with_their_length() -> Outcome {
    on_loop(async || {
        let server = TestServer::start(showing()).await?;
        let session = ClientSession::builder()
            .base_url(&server.url("/"))
            .no_proxy()
            .build()?;
        let long = "0123456789".repeat(20_000);
        let file = Scratch::new("long");
        std::fs::write(&file.0, &long)?;
        let expected = format!("length=200000 body={long}");
        let sent = text_of(session.put("show").body(long.clone())).await?;
        assert!(sent.ends_with(&expected), "{}", &sent[..100]);
        let sent = text_of(session.put("show").file(&file.0).await?).await?;
        assert!(sent.ends_with(&expected), "{}", &sent[..100]);
        assert!(session.put("show").file("/no/such/file").await.is_err());
        let kind = session
            .post("show")
            .header("content-type", "application/vnd.x+json")
            .json(&1);
        assert!(
            text_of(kind)
                .await?
                .contains("kind=application/vnd.x+json length=1")
        );
        Ok(())
    })
}

#[test]
fn what_a_response_says_is_understood() -> Outcome {
    on_loop(async || {
        let app = App::new()
            .get("/latin", async |_: Request| {
                let kind = "text/plain; charset=\"ISO-8859-1\"";
                Response::bytes(&b"caf\xe9"[..]).with_type(kind)
            })
            .get("/agent", async |request: Request| {
                request.header("user-agent").unwrap_or("-").to_owned()
            })
            .get("/teapot", async |_: Request| StatusCode::IM_A_TEAPOT);
        let server = TestServer::start(app).await?;
        let builder = || {
            ClientSession::builder()
                .base_url(&server.url("/"))
                .no_proxy()
        };
        let session = builder().raise_for_status(true).build()?;
        let latin = session.get("latin").send().await?;
        assert_eq!(latin.content_type(), Some("text/plain"));
        assert_eq!(latin.peer_addr(), Some(server.address()));
        assert_eq!(latin.text().await?, "café");
        let agent = text_of(session.get("agent")).await?;
        assert_eq!(agent, concat!("aio/", env!("CARGO_PKG_VERSION")));
        let other = builder().header("user-agent", "other").build()?;
        assert_eq!(text_of(other.get("agent")).await?, "other");
        let error = session.get("teapot").send().await.unwrap_err();
        assert_eq!(
            *error.kind(),
            ClientErrorKind::Status(StatusCode::IM_A_TEAPOT)
        );
        assert_eq!(other.get("teapot").send().await?.status(), 418);
        Ok(())
    })
}

#[test]
fn middleware_is_around_each_request_in_order() -> Outcome {
    on_loop(async || {
        let server = TestServer::start(showing()).await?;
        let refused = Rc::new(Cell::new(0));
        let count = refused.clone();
        let session = ClientSession::builder()
            .base_url(&server.url("/"))
            .no_proxy()
            .raise_for_status(true)
            .wrap(async move |request, next| {
                let again = request.try_clone();
                let response = next.run(request).await?;
                let Some(again) = again.filter(|_| response.status() == 404) else {
                    return Ok(response);
                };
                count.set(count.get() + 1);
                next.run(again.query(&[("again", "1")])).await
            })
            .wrap(async |request, next| {
                let seen = format!("{} {}", request.method(), request.url());
                let was_set = request.headers().contains_key("cookie");
                next.run(
                    request
                        .cookie("seen", &seen.replace("http://", ""))
                        .cookie("was", &was_set.to_string()),
                )
                .await
            })
            .build()?;
        let text = text_of(session.post("show").body("x")).await?;
        assert!(
            text.contains("seen=POST%20127.0.0.1") && text.contains("was=false"),
            "{text}"
        );
        assert_eq!(refused.get(), 0);
        let error = session.get("nowhere").send().await.unwrap_err();
        assert_eq!(error.status(), Some(StatusCode::NOT_FOUND));
        assert_eq!(
            refused.get(),
            1,
            "the outer one sees the status before it is raised"
        );
        Ok(())
    })
}

/// A piece, and then nothing more for ever, or the end. It stays on its thread.
struct Piece {
    given: bool,
    ends: bool,
    _held: Rc<()>,
}

impl futures_core::Stream for Piece {
    type Item = Result<bytes::Bytes, io::Error>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        match (std::mem::replace(&mut self.given, true), self.ends) {
            (false, _) => Poll::Ready(Some(Ok(bytes::Bytes::from_static(b"piece")))),
            (true, true) => Poll::Ready(None),
            (true, false) => Poll::Pending,
        }
    }
}

#[test]
fn a_stream_is_sent_from_its_own_thread_and_released_with_the_request() -> Outcome {
    on_loop(async || {
        let server = TestServer::start(showing()).await?;
        let session = ClientSession::builder().no_proxy().build()?;
        let held = Rc::new(());
        let ask = |ends: bool| {
            let (given, _held) = (false, held.clone());
            let request = session.post(&server.url("/show"));
            request.stream(Piece { given, ends, _held })
        };
        assert!(ask(true).try_clone().is_none(), "it can be sent once");
        assert!(text_of(ask(true)).await?.ends_with("length=- body=piece"));
        let short = Duration::from_millis(50);
        let error = text_of(ask(false).timeout(short)).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        while Rc::strong_count(&held) > 1 {
            aio::yield_now().await;
        }
        Ok(())
    })
}

#[test]
fn a_unix_socket_takes_the_place_of_hosts() -> Outcome {
    on_loop(async || {
        let path = Scratch::new("sock");
        let server = Server::start(showing(), [Listener::unix(&path.0).await?]).await?;
        let session = ClientSession::builder().unix_socket(&path.0).build()?;
        let response = session.get("http://docker/show").send().await?;
        assert_eq!(response.peer_addr(), None);
        assert!(response.text().await?.starts_with("GET /show"));
        server.close(Duration::ZERO).await;
        let error = session.get("http://docker/show").send().await.unwrap_err();
        assert!(error.is_connect(), "{error}");
        Ok(())
    })
}

/// A proxy that answers itself, and keeps the heads that it was sent.
async fn proxy() -> io::Result<(aio::Server, SocketAddr, Rc<RefCell<Vec<String>>>)> {
    let heads = Rc::new(RefCell::new(Vec::new()));
    let seen = heads.clone();
    let server = aio::start_server(
        "127.0.0.1:0",
        async move |mut reader: StreamReader, writer: StreamWriter| {
            while let Ok(head) = reader.readuntil(b"\r\n\r\n").await {
                let head = String::from_utf8_lossy(&head).into_owned();
                let answer: &[u8] = match head.starts_with("CONNECT ") {
                    true => b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
                    false => b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nvia",
                };
                seen.borrow_mut().push(head);
                writer.write(answer);
                let _ = writer.drain().await;
            }
        },
    )
    .await?;
    let address = server.local_addr();
    Ok((server, address, heads))
}

#[test]
fn a_proxy_is_asked_in_place_of_the_server() -> Outcome {
    on_loop(async || {
        let (_server, address, heads) = proxy().await?;
        let session = ClientSession::builder()
            .proxy(&format!("http://me:secret@{address}"))
            .build()?;
        assert_eq!(text_of(session.get("http://far.test/x?y")).await?, "via");
        let refused = session.get("https://far.test/").send().await.unwrap_err();
        assert!(refused.is_connect(), "{refused}");
        let heads = heads.borrow();
        assert!(
            heads[0].starts_with("GET http://far.test/x?y HTTP/1.1\r\n"),
            "{heads:?}"
        );
        assert!(heads[1].starts_with("CONNECT far.test:443 "), "{heads:?}");
        let credentials = "proxy-authorization: basic bwu6c2vjcmv0";
        let all_have = heads
            .iter()
            .all(|head| head.to_lowercase().contains(credentials));
        assert!(all_have, "{heads:?}");
        assert!(
            ClientSession::builder().proxy("no proxy").build().is_err(),
            "a proxy that cannot be is told at once"
        );
        Ok(())
    })
}

#[cfg(feature = "tls")]
#[test]
fn tls_knows_whom_to_trust_and_whom_to_show_itself() -> Outcome {
    use aio::tls::ServerConfig;
    use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
    on_loop(async || {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let issue = |name: &str| {
            let key = KeyPair::generate()?;
            let params = CertificateParams::new([name.to_owned()])?;
            let certificate = params.signed_by(&key, &authority)?;
            Ok::<_, rcgen::Error>((certificate.pem(), key.serialize_pem()))
        };
        let (certificate, key) = issue("home.test")?;
        let config = ServerConfig::from_pem(certificate, key)?.require_clients(authority.pem())?;
        let app = showing().get("/down", async |_: Request| {
            Response::redirect("http://home.test/show")
        });
        let listener = Listener::tcp("127.0.0.1:0").await?.tls(&config);
        let server = Server::start(app, [listener]).await?;
        let builder = || {
            let builder = ClientSession::builder().no_proxy();
            builder.resolve("home.test", server.local_addr())
        };
        let (certificate, key) = issue("client")?;
        let identity = format!("{certificate}{key}");
        let ask = async |builder: SessionBuilder, path: &str| {
            let url = format!("https://home.test{path}");
            text_of(builder.build()?.get(&url)).await
        };
        let trusting = || builder().root_certificate(authority.pem().as_bytes());
        let shown = trusting().client_certificate(identity.as_bytes());
        assert!(ask(shown, "/show").await?.starts_with("GET /show"));
        let shown = trusting().client_certificate(identity.as_bytes());
        let down = ask(shown, "/down").await.unwrap_err();
        assert_eq!(*down.kind(), ClientErrorKind::RefusedRedirect, "{down}");
        let strange = builder().client_certificate(identity.as_bytes());
        let error = ask(strange, "/show").await.unwrap_err();
        assert!(error.is_connect(), "{error}");
        let anyone = builder()
            .danger_accept_invalid_certs(true)
            .client_certificate(identity.as_bytes());
        assert!(ask(anyone, "/show").await?.starts_with("GET /show"));
        assert!(
            ask(trusting(), "/show").await.is_err(),
            "the server asks who we are"
        );
        server.close(Duration::ZERO).await;
        Ok(())
    })
}
