//! Routes, nested apps, middleware, state and hooks; bodies in and out; cookies.
#![cfg(feature = "http")]

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
};

use aio::http::{
    App, BodyError, Cookie, Event, Gone, Method, Next, Request, Response, Route, RouteError, Setup,
    StatusCode, TestClient,
};

fn on_loop(test: impl AsyncFnOnce() -> io::Result<()>) -> io::Result<()> {
    aio::run(aio::wait_for(test(), std::time::Duration::from_secs(20)))??
}

async fn show(request: Request) -> String {
    let matched: Vec<String> = request
        .matches()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    matched.join(",")
}

#[test]
fn a_segment_may_have_a_shape() -> io::Result<()> {
    on_loop(async || {
        let app = App::new()
            .get(r"/{year:\d{4}}/{month:\d\d}", show)
            .get("/{id:[a-z]+}", show)
            .get("/{other}", async |_: Request| "any")
            .get("/{rest:*}", async |_: Request| "rest");
        let client = TestClient::new(app).await?;
        for (path, expected) in [
            ("/2026/11", "year=2026,month=11"),
            ("/20266/11", "rest"),
            ("/2026/1", "rest"),
            ("/abc", "id=abc"),
            ("/abc1", "any"),
            ("/ab%0Ac", "any"),
        ] {
            assert_eq!(client.get(path).send().await.text(), expected, "{path}");
        }
        let wrong = App::new().get("/{id:[}", show).check();
        assert!(matches!(wrong, Err(RouteError::BadPattern { .. })));
        Ok(())
    })
}

#[test]
fn options_and_unknown_methods_are_answered_with_allow() -> io::Result<()> {
    on_loop(async || {
        let app = App::new()
            .get("/a", async |_: Request| "a")
            .add_route(Route::any("/any", async |request: Request| {
                request.method().to_string()
            }));
        let client = TestClient::new(app).await?;
        let options = client.request(Method::OPTIONS, "/a").send().await;
        assert_eq!(
            (options.status().as_u16(), options.header("allow")),
            (204, Some("GET, HEAD, OPTIONS"))
        );
        let delete = client.delete("/a").send().await;
        assert_eq!(
            (delete.status().as_u16(), delete.header("allow")),
            (405, Some("GET, HEAD, OPTIONS"))
        );
        assert_eq!(client.delete("/any").send().await.text(), "DELETE");
        Ok(())
    })
}

/// A middleware that tells its name on the way in and on the way out.
fn tell(
    log: &Rc<RefCell<Vec<String>>>,
    name: &'static str,
) -> impl AsyncFn(Request, Next) -> Response + use<> {
    let log = log.clone();
    async move |request: Request, next: Next| {
        log.borrow_mut().push(format!("{name} in"));
        let response = next.run(request).await;
        log.borrow_mut()
            .push(format!("{name} out {}", response.status().as_u16()));
        response
    }
}

#[test]
fn middleware_runs_from_the_outermost_app_inwards_also_around_404() -> io::Result<()> {
    on_loop(async || {
        let log = Rc::new(RefCell::new(Vec::new()));
        let inner = App::new().wrap(tell(&log, "inner")).add_route(
            Route::new(Method::GET, "/x", async |_: Request| "x").wrap(tell(&log, "route")),
        );
        let app = App::new()
            .wrap(tell(&log, "first"))
            .wrap(tell(&log, "second"))
            .get("/plain", async |_: Request| "plain")
            .nest("/inner", inner);
        let client = TestClient::new(app).await?;
        let seen = async |path: &str| {
            client.get(path).send().await;
            log.take().join(" ")
        };
        assert_eq!(
            seen("/inner/x").await,
            "first in second in inner in route in route out 200 inner out 200 second out 200 first out 200"
        );
        assert_eq!(
            seen("/plain").await,
            "first in second in second out 200 first out 200"
        );
        assert_eq!(
            seen("/inner/nowhere").await,
            "first in second in inner in inner out 404 second out 404 first out 404"
        );
        assert_eq!(
            seen("/innerness").await,
            "first in second in second out 404 first out 404"
        );
        Ok(())
    })
}

#[test]
fn a_middleware_may_answer_itself() -> io::Result<()> {
    on_loop(async || {
        let called = Rc::new(Cell::new(false));
        let flag = called.clone();
        let guard = async |request: Request, next: Next| {
            if request.header("authorization").is_none() {
                return Response::from(StatusCode::UNAUTHORIZED);
            }
            next.run(request).await
        };
        let app = App::new().wrap(guard).get("/", async move |_: Request| {
            flag.set(true);
            "secret"
        });
        let client = TestClient::new(app).await?;
        assert_eq!(client.get("/").send().await.status(), 401);
        assert!(!called.get());
        assert_eq!(
            client
                .get("/")
                .header("authorization", "x")
                .send()
                .await
                .text(),
            "secret"
        );
        Ok(())
    })
}

struct Name(&'static str);

#[test]
fn state_of_a_nested_app_wins_over_the_outer_one() -> io::Result<()> {
    on_loop(async || {
        let name = async |request: Request| request.state::<Name>().map_or("none", |name| name.0);
        let app = App::new()
            .state(Name("outer"))
            .get("/", name)
            .nest("/own", App::new().state(Name("inner")).get("/", name))
            .nest("/none", App::new().get("/", name));
        let client = TestClient::new(app).await?;
        for (path, expected) in [("/", "outer"), ("/own/", "inner"), ("/none/", "outer")] {
            assert_eq!(client.get(path).send().await.text(), expected, "{path}");
        }
        assert!(matches!(
            App::new().nest("no slash", App::new()).check(),
            Err(RouteError::BadPattern { .. })
        ));
        Ok(())
    })
}

#[test]
fn hooks_run_in_order_and_their_cleanups_backwards() -> io::Result<()> {
    on_loop(async || {
        let log = Rc::new(RefCell::new(Vec::new()));
        let hook = |name: &'static str, fails: bool| {
            let log = log.clone();
            async move |setup: Setup| {
                let log = log.clone();
                log.borrow_mut().push(format!("{name} up"));
                setup.insert(Name(name));
                if fails {
                    return Err("the database is away");
                }
                setup.on_cleanup(async move || log.borrow_mut().push(format!("{name} down")));
                Ok(())
            }
        };
        let app = App::new()
            .on_startup(hook("one", false))
            .on_startup(hook("two", false))
            .get("/", async |request: Request| {
                request.state::<Name>().map_or("none", |name| name.0)
            });
        let client = TestClient::new(app).await?;
        assert_eq!(client.get("/").send().await.text(), "two");
        client.close().await;
        assert_eq!(log.take(), ["one up", "two up", "two down", "one down"]);
        let broken = App::new()
            .on_startup(hook("one", false))
            .on_startup(hook("two", true));
        let error = TestClient::new(broken).await.map(|_| ()).unwrap_err();
        assert!(
            error.to_string().contains("the database is away"),
            "{error}"
        );
        assert_eq!(log.take(), ["one up", "two up", "one down"]);
        Ok(())
    })
}

#[test]
fn a_body_that_is_not_what_it_should_be_is_answered_with_the_reason() -> io::Result<()> {
    on_loop(async || {
        let app = App::new()
            .post("/json", async |mut request: Request| {
                request
                    .json::<Vec<u8>>()
                    .await
                    .map(|list| format!("{list:?}"))
            })
            .post("/text", async |mut request: Request| request.text().await)
            .add_route(
                Route::new(Method::POST, "/small", async |mut request: Request| {
                    let body = request.read().await?;
                    Ok::<_, Response>(Response::bytes(body))
                })
                .body_limit(3),
            );
        let client = TestClient::new(app).await?;
        let json = "application/json; charset=utf-8";
        assert_eq!(
            client
                .post("/json")
                .header("content-type", json)
                .body("[1]")
                .send()
                .await
                .text(),
            "[1]"
        );
        for (path, kind, body, status, says) in [
            ("/json", json, "[1,\n 300]", 400, "line 2, column 4"),
            ("/json", json, "[1", 400, "line 1"),
            ("/json", "text/plain", "[1]", 415, "text/plain"),
            ("/small", json, "1234", 413, "3 bytes"),
        ] {
            let answer = client
                .post(path)
                .header("content-type", kind)
                .body(body)
                .send()
                .await;
            assert_eq!(answer.status(), status, "{path} {body}");
            assert!(answer.text().contains(says), "{}", answer.text());
        }
        assert_eq!(
            client.post("/text").body(vec![0xff]).send().await.status(),
            400
        );
        assert_eq!(BodyError::TimedOut.status(), 408);
        Ok(())
    })
}

#[test]
fn what_is_written_is_sent_and_a_failure_is_no_end() -> io::Result<()> {
    on_loop(async || {
        let app = App::new()
            .get("/write", async |_: Request| {
                Response::write_with(async |body| {
                    for number in 0..100 {
                        body.write(format!("{number}\n")).await?;
                        aio::yield_now().await;
                    }
                    Ok::<(), Gone>(())
                })
            })
            .get("/events", async |_: Request| {
                Response::events(async |events| {
                    events
                        .send(Event::new("a\r\nb").name("x\ny").id("1"))
                        .await?;
                    events.send(Event::new("")).await
                })
            });
        let client = TestClient::new(app).await?;
        let lines: String = (0..100).map(|number| format!("{number}\n")).collect();
        assert_eq!(client.get("/write").send().await.text(), lines);
        let events = client.get("/events").send().await;
        assert_eq!(events.header("content-type"), Some("text/event-stream"));
        assert_eq!(
            events.text(),
            "event: xy\nid: 1\ndata: a\ndata: b\n\ndata: \n\n"
        );
        Ok(())
    })
}

#[test]
fn redirects_and_cookies_hold_nothing_that_breaks_a_header() -> io::Result<()> {
    on_loop(async || {
        let split = Response::redirect("/a\r\nset-cookie: b\u{e9}");
        assert_eq!(split.headers()["location"], "/a%0D%0Aset-cookie:%20b%C3%A9");
        assert_eq!(split.status(), 302);
        let app = App::new()
            .get("/set", async |_: Request| {
                Response::text("").with_cookie(Cookie::new("a", "1; x=\r\n2"))
            })
            .get("/get", async |request: Request| {
                request.cookie("a").unwrap_or_default()
            })
            .get("/forget", async |_: Request| {
                Response::text("").without_cookie("a")
            });
        let client = TestClient::new(app).await?;
        client.get("/set").send().await;
        assert_eq!(client.get("/get").send().await.text(), "1; x=\r\n2");
        client.get("/forget").send().await;
        assert_eq!(client.get("/get").send().await.text(), "");
        Ok(())
    })
}

#[test]
fn request_ids_are_made_or_kept() -> io::Result<()> {
    on_loop(async || {
        let app = App::new()
            .request_ids()
            .get("/", async |request: Request| request.id().to_owned());
        let server = aio::http::TestServer::start(app).await?;
        let ask = async |id: &str| {
            let (mut reader, writer) = aio::open_connection(server.address()).await?;
            writer.write(format!("GET / HTTP/1.0\r\n{id}\r\n").as_bytes());
            let answer = String::from_utf8_lossy(&reader.read_to_end().await?).into_owned();
            Ok::<_, io::Error>(answer)
        };
        let made = ask("").await?;
        let id = made.rsplit("\r\n").next().unwrap_or("").to_owned();
        assert_eq!(id.len(), 32, "{made}");
        assert!(made.contains(&format!("x-request-id: {id}")), "{made}");
        assert!(ask("X-Request-Id: mine-1\r\n").await?.ends_with("mine-1"));
        assert!(!ask("X-Request-Id: a b\r\n").await?.ends_with("a b"));
        Ok(())
    })
}

#[test]
fn a_nested_app_answers_its_prefix_with_and_without_a_slash() -> io::Result<()> {
    on_loop(async || {
        let nested = App::new()
            .get("", async |_: Request| "prefix")
            .get("/", async |_: Request| "slash")
            .get("/{id}", async |request: Request| {
                request.pattern().unwrap_or("none").to_owned()
            });
        let client = TestClient::new(App::new().nest("/api/{v}", nested)).await?;
        for (path, expected) in [
            ("/api/1", "prefix"),
            ("/api/1/", "slash"),
            ("/api/1/x", "/api/{v}/{id}"),
        ] {
            assert_eq!(client.get(path).send().await.text(), expected, "{path}");
        }
        assert!(App::new().get("", show).check().is_err());
        Ok(())
    })
}

#[test]
fn other_slashes_lead_to_the_known_path_and_never_to_another_site() -> io::Result<()> {
    on_loop(async || {
        let app = || {
            App::new()
                .get("/a", show)
                .get("/b/", show)
                .post("/p/{name}", show)
                .nest("/c", App::new().get("/{x}/", show))
        };
        let strict = TestClient::new(app()).await?;
        let client = TestClient::new(app().redirect_slashes()).await?;
        for (path, location) in [
            ("/a/", Some("/a")),
            ("/b?q=1&q=2", Some("/b/?q=1&q=2")),
            ("//b//", Some("/b/")),
            ("/c/%2F", Some("/c/%2F/")),
            ("//c///evil.example", Some("/c/evil.example/")),
            ("/c/\\evil.example", Some("/c/%5Cevil.example/")),
            ("/p/x/", None),
            ("/none/", None),
        ] {
            let answer = client.get(path).send().await;
            let status = if location.is_some() { 308 } else { 404 };
            assert_eq!(
                (answer.status().as_u16(), answer.header("location")),
                (status, location),
                "{path}"
            );
            assert_eq!(strict.get(path).send().await.status(), 404, "{path}");
        }
        assert_eq!(client.post("/p/x/").send().await.status(), 308);
        Ok(())
    })
}

#[test]
fn what_a_middleware_finds_out_is_of_this_request_alone() -> io::Result<()> {
    on_loop(async || {
        let app = App::new()
            .state(Name("app"))
            .wrap(async |mut request: Request, next: Next| {
                if request.query("name").is_some() {
                    request.insert(Name("request"));
                }
                request.extensions_mut().insert(7u8);
                next.run(request).await
            })
            .get("/", async |request: Request| {
                let name = request.state::<Name>()?.0;
                let number: u8 = *request.extensions().get()?;
                Some(format!("{name} {number}"))
            });
        let client = TestClient::new(app).await?;
        for (path, expected) in [("/", "app 7"), ("/?name", "request 7"), ("/", "app 7")] {
            assert_eq!(client.get(path).send().await.text(), expected);
        }
        Ok(())
    })
}

#[test]
fn a_fault_of_ours_is_told_to_us_and_not_to_the_client() -> io::Result<()> {
    on_loop(async || {
        let reports = Rc::new(RefCell::new(Vec::new()));
        let seen = reports.clone();
        aio::get_running_loop()?
            .set_exception_handler(move |context| seen.borrow_mut().push(context.to_string()));
        let app = App::new()
            .get("/failed", async |_: Request| {
                let opened = std::fs::File::open("/no/such/secret").map(|_| "");
                opened.map_err(Response::failed)
            })
            .get("/header", async |_: Request| {
                Response::text("").with_header("x-a", "a\r\nset-cookie: b")
            });
        let client = TestClient::new(app).await?;
        for path in ["/failed", "/header"] {
            let answer = client.get(path).send().await;
            assert_eq!(
                (answer.status().as_u16(), answer.text()),
                (500, "500: Internal Server Error")
            );
            assert_eq!(reports.take().len(), 1, "{path}");
        }
        Ok(())
    })
}

#[cfg(feature = "cookies")]
#[test]
fn a_cookie_of_ours_is_worth_nothing_when_it_was_touched() -> io::Result<()> {
    use aio::http::Key;
    on_loop(async || {
        let key = Key::generate();
        let setting = key.clone();
        let app = App::new()
            .get("/set", async move |_: Request| {
                Response::text("")
                    .with_signed_cookie(&setting, Cookie::new("user", "ann; b=\u{e9}"))
                    .with_private_cookie(&setting, Cookie::new("note", "secret"))
            })
            .get("/get", async move |request: Request| {
                let signed = |name| request.signed_cookie(&key, name);
                let private = |name| request.private_cookie(&key, name);
                format!(
                    "{:?} {:?} {:?} {:?}",
                    signed("user"),
                    signed("admin"),
                    private("note"),
                    private("other")
                )
            });
        let client = TestClient::new(app).await?;
        let set = client.get("/set").send().await;
        let sent: Vec<String> = set
            .headers()
            .get_all("set-cookie")
            .iter()
            .filter_map(|line| Some(line.to_str().ok()?.split(';').next()?.to_owned()))
            .collect();
        assert!(
            sent[0].contains("ann") && !sent[1].contains("secret"),
            "{sent:?}"
        );
        let all = "Some(\"ann; b=\u{e9}\") None Some(\"secret\") None";
        assert_eq!(client.get("/get").send().await.text(), all);
        // Each value under the other name, each with one byte changed, and each without its signature.
        let (user, note) = (&sent[0]["user=".len()..], &sent[1]["note=".len()..]);
        let flip = |text: &str| text.replacen(|c: char| c.is_ascii_alphanumeric(), "_", 1);
        for cookies in [
            format!("admin={user}; other={note}"),
            format!("user={}; note={}", flip(user), flip(note)),
            "user=ann; note=secret".to_owned(),
            "user=; note=".to_owned(),
        ] {
            client.forget_cookies();
            let answer = client.get("/get").header("cookie", &cookies).send().await;
            assert_eq!(answer.text(), "None None None None", "{cookies}");
        }
        Ok(())
    })
}
