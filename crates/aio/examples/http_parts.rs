//! Serves an app whose handlers have an error type of their own, work that goes on after the response, and a layer of
//! tower.
//!
//! `cargo run -p aio --features tower --example http_parts -- 8000` listens on port 8000 (0 picks a free one) and prints
//!
//! ```text
//! Server started at http://127.0.0.1:8000...
//! ```
//!
//! `PUT /stock/NAME` takes `{"count": 3}`, `GET /stock/NAME` gives it or says that there is none; pages of
//! `https://shop.example` may ask. Each change is written on standard error, after its answer. Ctrl-c stops it cleanly.

use std::{cell::RefCell, collections::BTreeMap, env, error::Error};

use aio::http::{App, BodyError, IntoResponse, Method, Request, Response, StatusCode, run_app};
use tower_http::cors::CorsLayer;

type Stock = RefCell<BTreeMap<String, u32>>;

/// What can go wrong in a handler.
enum Fault {
    Unknown(String),
    Body(BodyError),
}

impl From<BodyError> for Fault {
    fn from(error: BodyError) -> Self {
        Fault::Body(error)
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        match self {
            Fault::Unknown(name) => {
                Response::text(format!("no {name} here")).with_status(StatusCode::NOT_FOUND)
            }
            Fault::Body(error) => error.into_response(),
        }
    }
}

#[derive(serde::Deserialize, serde::Serialize)]
struct Item {
    count: u32,
}

async fn put(mut request: Request) -> Result<StatusCode, Fault> {
    let item: Item = request.json().await?;
    let name = request.match_info("name").unwrap_or_default().to_owned();
    let stock = request.state::<Stock>().unwrap_or_default();
    stock.borrow_mut().insert(name.clone(), item.count);
    aio::create_task(async move { eprintln!("{name}: {}", item.count) }).detach();
    Ok(StatusCode::CREATED)
}

async fn get(request: Request) -> Result<Response, Fault> {
    let name = request.match_info("name").unwrap_or_default();
    let stock = request.state::<Stock>().unwrap_or_default();
    let count = stock.borrow().get(name).copied();
    let count = count.ok_or_else(|| Fault::Unknown(name.to_owned()))?;
    Ok(Response::json(&Item { count }))
}

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = env::args().nth(1).as_deref().unwrap_or("8000").parse()?;
    let shop = CorsLayer::new()
        .allow_origin(["https://shop.example".parse()?])
        .allow_methods([Method::PUT]);
    let app = App::new()
        .state(Stock::default())
        .layer(shop)
        .put("/stock/{name}", put)
        .get("/stock/{name}", get);
    run_app(app, ("127.0.0.1", port))?;
    Ok(())
}
