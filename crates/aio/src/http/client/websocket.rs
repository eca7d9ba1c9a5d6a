//! WebSockets to a server.

use ::http::{HeaderMap, HeaderValue, StatusCode};
use bytes::Bytes;
use reqwest::Url;

use super::{connector::Along, request::ClientRequest, session::ClientSession, trace::Trail};
use crate::{
    combine::wait_for,
    error::{ClientError, ClientErrorKind, ClientPhase},
    http::{
        WebSocket, WebSocketOptions,
        websocket::{Role, Terms, accept_key, agreed, new_key, offer},
    },
};

impl ClientSession {
    /// Connects a WebSocket: `ws://`, `wss://`, or what is relative to the session's base URL. Cookies and default headers
    /// of the session are sent along; redirects are not followed.
    ///
    /// # Errors
    ///
    /// [`ClientErrorKind::Handshake`] when the server does not answer as it must,
    /// [`ClientErrorKind::NoRandomness`] when the system gives no random bytes for the key; otherwise as
    /// [`ClientRequest::send`](super::ClientRequest::send).
    ///
    /// ```
    /// use aio::http::{App, ClientSession, Message, Request, TestServer, WebSocket, WebSocketError};
    ///
    /// aio::run(async {
    ///     let app = App::new().get("/ws", async |request: Request| {
    ///         WebSocket::upgrade(request, async |mut socket: WebSocket| {
    ///             socket.send("welcome").await
    ///         })
    ///     });
    ///     let server = TestServer::start(app).await?;
    ///     let mut socket = ClientSession::new()?.ws_connect(&server.url("/ws")).await?;
    ///     assert_eq!(socket.receive().await?, Some(Message::Text("welcome".to_owned())));
    ///     assert_eq!(socket.receive().await?, None);
    ///     Ok::<(), Box<dyn std::error::Error>>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn ws_connect(&self, url: &str) -> Result<WebSocket, ClientError> {
        self.ws_connect_with(url, WebSocketOptions::default()).await
    }

    /// As [`ws_connect`](ClientSession::ws_connect), with other limits, compression, or subprotocols.
    ///
    /// # Errors
    ///
    /// As [`ws_connect`](ClientSession::ws_connect).
    pub async fn ws_connect_with(
        &self,
        url: &str,
        options: WebSocketOptions,
    ) -> Result<WebSocket, ClientError> {
        self.get(url).ws_connect(options).await
    }
}

impl ClientRequest {
    /// Connects a WebSocket with the headers, the query and the time of this request: `Origin`, `Authorization` and the
    /// like. It must be a `GET`; [`ClientSession::ws_connect`] is all that most need.
    ///
    /// # Errors
    ///
    /// As [`ClientSession::ws_connect`].
    pub async fn ws_connect(mut self, options: WebSocketOptions) -> Result<WebSocket, ClientError> {
        let url = self.url.clone()?;
        let shared = self.session.shared.clone();
        let trail = Trail::begin(&shared, &self.method, url.as_str(), &mut self.headers);
        let patience = self.timeout.unwrap_or(shared.limits.read);
        let shaking = Along::new(&trail, self.shake(&url, &options));
        let shaken = match wait_for(shaking, patience).await {
            Ok(shaken) => shaken,
            Err(_) => Err(ClientError::new(
                ClientErrorKind::TimedOut(trail.phase()),
                url.as_str(),
            )),
        };
        let upgraded = shaken.inspect_err(|error| trail.failed(error))?;
        trail.status(StatusCode::SWITCHING_PROTOCOLS);
        trail.answered(&upgraded.headers);
        let text = |name: &str| header(&upgraded.headers, name).map(str::to_owned);
        Ok(WebSocket::new(
            Box::new(upgraded.stream),
            Bytes::new(),
            Role::Client,
            upgraded.terms,
            options,
            text("sec-websocket-protocol"),
            None,
        ))
    }

    async fn shake(&self, url: &Url, options: &WebSocketOptions) -> Result<Upgraded, ClientError> {
        let failed = |kind| ClientError::new(kind, url.as_str());
        let broken = |error| ClientError::from_reqwest(error, url.as_str(), ClientPhase::Head);
        let shared = &self.session.shared;
        let key =
            new_key().map_err(|error| failed(ClientErrorKind::NoRandomness(error.to_string())))?;
        let target = over_http(url);
        let mut headers = self.headers.clone();
        shared.complete(&target, false, &mut headers);
        ask_for_upgrade(&mut headers, &key, options);
        let request = shared
            .upgrading
            .request(self.method.clone(), target.clone());
        let response = request.headers(headers).send().await.map_err(broken)?;
        shared.keep_cookies(&target, response.headers());
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(failed(ClientErrorKind::Status(response.status())));
        }
        let headers = response.headers().clone();
        let terms = check(&headers, &key, options)
            .map_err(|why| failed(ClientErrorKind::Handshake(why.to_owned())))?;
        let stream = response.upgrade().await.map_err(broken)?;
        Ok(Upgraded {
            headers,
            terms,
            stream,
        })
    }
}

/// A connection that has become a WebSocket's.
struct Upgraded {
    headers: HeaderMap,
    terms: Option<Terms>,
    stream: reqwest::Upgraded,
}

/// `ws:` as `http:`, `wss:` as `https:`.
fn over_http(url: &Url) -> Url {
    let mut url = url.clone();
    let scheme = match url.scheme() {
        "ws" => "http",
        "wss" => "https",
        _ => return url,
    };
    // Both are schemes of the same kind, so that this cannot fail.
    let _ = url.set_scheme(scheme);
    url
}

fn ask_for_upgrade(headers: &mut HeaderMap, key: &str, options: &WebSocketOptions) {
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set("connection", "upgrade");
    set("upgrade", "websocket");
    set("sec-websocket-version", "13");
    set("sec-websocket-key", key);
    if !options.protocols.is_empty() {
        set("sec-websocket-protocol", &options.protocols.join(", "));
    }
    if options.deflate {
        set("sec-websocket-extensions", &offer());
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Whether the server has agreed to what it was asked, and how it compresses.
fn check(
    headers: &HeaderMap,
    key: &str,
    options: &WebSocketOptions,
) -> Result<Option<Terms>, &'static str> {
    let names = |name: &str, word: &str| {
        header(headers, name).is_some_and(|list| {
            list.split(',')
                .any(|item| item.trim().eq_ignore_ascii_case(word))
        })
    };
    if !names("upgrade", "websocket") || !names("connection", "upgrade") {
        return Err("it upgrades to something else");
    }
    if header(headers, "sec-websocket-accept") != Some(&*accept_key(key)) {
        return Err("its key does not fit");
    }
    let terms =
        agreed(headers, options.deflate).map_err(|()| "it agrees to what was not offered")?;
    let protocol = header(headers, "sec-websocket-protocol");
    match protocol.is_none_or(|name| options.protocols.iter().any(|known| known == name)) {
        true => Ok(terms),
        false => Err("it speaks a subprotocol that was not offered"),
    }
}
