//! The peers, and the app that clients among them ask.

pub mod curl;
#[path = "../common/folder.rs"]
mod folder;
pub mod nginx;
pub mod python;

use std::{
    env, io,
    process::{Command, Stdio},
    sync::LazyLock,
};

use aio::http::{
    App, BodyError, Cookie, Gone, Request, Response, StaticFiles, WebSocket, WebSocketError,
    WebSocketOptions,
};

pub use folder::Folder;

#[derive(Clone, Copy)]
pub enum Peer {
    Curl,
    Nginx,
    Aiohttp,
    Websockets,
}

impl Peer {
    pub fn name(self) -> &'static str {
        match self {
            Peer::Curl => "curl",
            Peer::Nginx => "nginx",
            Peer::Aiohttp => "aiohttp",
            Peer::Websockets => "websockets",
        }
    }

    /// Whether it is installed.
    pub fn is_there(self) -> bool {
        static THERE: LazyLock<[bool; 4]> = LazyLock::new(|| {
            let python = env::var("AIO_PYTHON").unwrap_or("python3".to_owned());
            [
                runs("curl", &["--version"]),
                nginx::program().is_some(),
                runs(&python, &["-c", "import aiohttp"]),
                runs(
                    &python,
                    &["-c", "import aiohttp, websockets.asyncio.client"],
                ),
            ]
        });
        THERE[self as usize]
    }
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

impl Folder {
    /// Writes a file and gives its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> io::Result<String> {
        let path = self.path().join(name);
        std::fs::write(&path, content)?;
        Ok(path.display().to_string())
    }
}

/// A certificate authority's certificate, a certificate for `localhost` and its key.
pub fn certificates() -> Result<[String; 3], rcgen::Error> {
    use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
    let mut params = CertificateParams::default();
    // OpenSSL takes a certificate for self-signed when its issuer has the same name.
    let name = rcgen::DnType::CommonName;
    params.distinguished_name.push(name, "the tests' authority");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let params = CertificateParams::new(["localhost".to_owned()])?;
    let certificate = params.signed_by(&key, &authority)?;
    Ok([authority.pem(), certificate.pem(), key.serialize_pem()])
}

async fn hello(request: Request) -> String {
    let name = request.match_info("name").unwrap_or("?");
    format!("hello, {name}! {}", request.query("q").unwrap_or_default())
}

async fn echo(mut request: Request) -> Result<Response, BodyError> {
    Ok(Response::bytes(request.read().await?))
}

async fn json(mut request: Request) -> Result<Response, BodyError> {
    let map: std::collections::BTreeMap<String, Vec<u32>> = request.json().await?;
    Ok(Response::json(&map))
}

async fn form(mut request: Request) -> Result<String, BodyError> {
    let (mut form, mut sizes) = (request.multipart()?, Vec::new());
    while let Some(mut part) = form.next_part().await? {
        let size = part.read().await?.len();
        sizes.push(format!("{}:{size}", part.name()));
    }
    Ok(sizes.join(" "))
}

async fn visits(request: Request) -> Response {
    let seen = request
        .cookie("visits")
        .and_then(|count| count.parse().ok());
    let visits = (seen.unwrap_or(0) + 1u32).to_string();
    Response::text(visits.clone()).with_cookie(Cookie::new("visits", visits))
}

async fn stream(_: Request) -> Response {
    Response::write_with(async |body| {
        for number in 1..=100 {
            body.write(format!("line {number}\n")).await?;
        }
        Ok::<(), Gone>(())
    })
}

async fn websocket(request: Request) -> Response {
    let options = WebSocketOptions {
        deflate: true,
        protocols: vec!["chat".to_owned()],
        ..WebSocketOptions::default()
    };
    WebSocket::upgrade_with(options, request, async |mut socket: WebSocket| {
        while let Some(message) = socket.receive().await? {
            socket.send(message).await?;
        }
        Ok::<(), WebSocketError>(())
    })
}

/// What clients ask; `folder` has a file `digits`.
pub fn app(folder: &Folder) -> io::Result<App> {
    folder.write("digits", "0123456789")?;
    Ok(App::new()
        .compress()
        .get("/hello/{name}", hello)
        .post("/echo", echo)
        .put("/echo", echo)
        .post("/json", json)
        .post("/form", form)
        .get("/visits", visits)
        .get("/stream", stream)
        .get("/long", async |_: Request| "long ".repeat(20_000))
        .get("/version", async |request: Request| {
            format!("{:?}", request.version())
        })
        .get("/redirect", async |_: Request| {
            Response::redirect("/hello/again")
        })
        .get("/file", async |_: Request| {
            Response::redirect("/files/digits")
        })
        .files("/files", StaticFiles::new(folder.path())?)
        .get("/ws", websocket))
}
