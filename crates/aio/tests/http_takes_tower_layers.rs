//! Layers and services that were made for tower.
#![cfg(feature = "tower")]

use std::{cell::Cell, io, rc::Rc, time::Duration};

use aio::http::{App, Method, Request, RequestBody, TestClient};
use tower_http::cors::CorsLayer;

fn on_loop(test: impl AsyncFnOnce() -> io::Result<()>) -> io::Result<()> {
    aio::run(aio::wait_for(test(), Duration::from_secs(20)))??
}

/// What a layer counts is counted over all requests.
#[test]
fn a_tower_layer_is_one_for_all_requests() -> io::Result<()> {
    on_loop(async || {
        let (now, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (count, peak) = (now.clone(), most.clone());
        let app = App::new()
            .layer(tower::limit::ConcurrencyLimitLayer::new(2))
            .get("/", async move |_: Request| {
                count.set(count.get() + 1);
                peak.set(peak.get().max(count.get()));
                aio::sleep(Duration::from_millis(2)).await;
                count.set(count.get() - 1);
                "ok"
            });
        let client = Rc::new(TestClient::new(app).await?);
        let asking: Vec<_> = (0..10)
            .map(|_| {
                let client = client.clone();
                aio::create_task(async move { client.get("/").send().await.status().as_u16() })
            })
            .collect();
        let answers = aio::gather(asking).await.map_err(io::Error::other)?;
        assert_eq!(answers, [200; 10]);
        assert_eq!((now.get(), most.get()), (0, 2));
        Ok(())
    })
}

/// Pages of other sites may ask: tower-http's layer.
#[test]
fn cross_origin_requests_are_allowed_by_a_layer_of_tower_http() -> io::Result<()> {
    on_loop(async || {
        let cors = CorsLayer::new()
            .allow_origin(["https://shop.example".parse().map_err(io::Error::other)?])
            .allow_methods([Method::PUT]);
        let app = App::new()
            .layer(cors)
            .put("/cart", async |_: Request| "put");
        let client = TestClient::new(app).await?;
        let preflight = client
            .request(Method::OPTIONS, "/cart")
            .header("origin", "https://shop.example")
            .header("access-control-request-method", "PUT");
        let preflight = preflight.send().await;
        assert_eq!(preflight.status(), 200);
        assert_eq!(
            preflight.header("access-control-allow-methods"),
            Some("PUT")
        );
        let asked = client.put("/cart").header("origin", "https://shop.example");
        let answer = asked.send().await;
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("https://shop.example")
        );
        let stranger = client
            .put("/cart")
            .header("origin", "https://evil.example")
            .send()
            .await;
        assert_eq!(stranger.header("access-control-allow-origin"), None);
        let unknown = client
            .get("/none")
            .header("origin", "https://shop.example")
            .send()
            .await;
        assert_eq!(
            unknown.header("access-control-allow-origin"),
            Some("https://shop.example")
        );
        Ok(())
    })
}

#[test]
fn a_tower_service_answers_beneath_its_prefix() -> io::Result<()> {
    on_loop(async || {
        let service = tower::service_fn(async |request: http::Request<RequestBody>| {
            Ok::<_, String>(http::Response::new(request.uri().path().to_owned()))
        });
        let failing = tower::service_fn(async |_: http::Request<RequestBody>| {
            Err::<http::Response<String>, _>("broken")
        });
        let app = App::new()
            .mount_service("/tower", service)
            .mount_service("/fails", failing)
            .get("/own", async |_: Request| "own");
        aio::get_running_loop()?.set_exception_handler(|_| {});
        let client = TestClient::new(app).await?;
        assert_eq!(
            client.delete("/tower/a/b").send().await.text(),
            "/tower/a/b"
        );
        assert_eq!(client.get("/fails/x").send().await.status(), 500);
        assert_eq!(client.get("/own").send().await.text(), "own");
        Ok(())
    })
}
