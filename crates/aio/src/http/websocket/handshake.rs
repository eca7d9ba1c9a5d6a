//! The handshake, and what it agrees on.

use ::http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use bytes::Bytes;

use super::{
    deflate::Terms,
    options::WebSocketOptions,
    socket::{Role, WebSocket},
};
use crate::{
    current,
    error::WebSocketError,
    http::{
        base64::base64,
        request::Request,
        response::{IntoResponse, Response},
        socket::Socket,
        upgrade::Switch,
    },
};

/// What a server mixes into the client's key, so that no other protocol answers alike.
const MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

impl WebSocket {
    /// Answers a handshake; `handler` then has the connection until it returns, which closes it in good order. It is
    /// dropped when the server is closed and its time is over.
    ///
    /// A request that is no such handshake is answered with 400, or 426 for another version. The `Origin` of a browser's
    /// page is not looked at: a handler whose users are known by cookies must compare it itself.
    ///
    /// ```
    /// use aio::http::{App, Message, Request, Response, WebSocket, WebSocketError};
    ///
    /// async fn echo(request: Request) -> Response {
    ///     WebSocket::upgrade(request, async |mut socket: WebSocket| {
    ///         while let Some(message) = socket.receive().await? {
    ///             socket.send(message).await?;
    ///         }
    ///         Ok::<(), WebSocketError>(())
    ///     })
    /// }
    ///
    /// let app = App::new().get("/ws", echo);
    /// # app.check()?;
    /// # Ok::<(), aio::http::RouteError>(())
    /// ```
    pub fn upgrade<H, E>(request: Request, handler: H) -> Response
    where
        H: AsyncFnOnce(WebSocket) -> Result<(), E> + 'static,
        E: std::fmt::Display + 'static,
    {
        WebSocket::upgrade_with(WebSocketOptions::default(), request, handler)
    }

    /// As [`upgrade`](WebSocket::upgrade), with other limits, compression, or subprotocols.
    pub fn upgrade_with<H, E>(options: WebSocketOptions, request: Request, handler: H) -> Response
    where
        H: AsyncFnOnce(WebSocket) -> Result<(), E> + 'static,
        E: std::fmt::Display + 'static,
    {
        let key = match check(&request) {
            Ok(key) => key,
            Err(refusal) => return *refusal,
        };
        let mut response = Response::new(StatusCode::SWITCHING_PROTOCOLS);
        let headers = response.headers_mut();
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        if let Ok(accept) = HeaderValue::from_str(&accept_key(&key)) {
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        }
        let protocol = common_protocol(request.headers(), &options.protocols);
        if let Some(agreed) = protocol
            .as_deref()
            .and_then(|name| HeaderValue::from_str(name).ok())
        {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, agreed);
        }
        let terms = if options.deflate {
            terms(request.headers())
        } else {
            None
        };
        if let Some(answer) = terms.and_then(|terms| HeaderValue::from_str(&describe(terms)).ok()) {
            headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, answer);
        }
        let switch: Switch = Box::new(move |socket: Socket, early: Bytes, course| {
            Box::pin(async move {
                let going_away = Some(course);
                let socket = WebSocket::new(
                    Box::new(socket),
                    early,
                    Role::Server,
                    terms,
                    options,
                    protocol,
                    going_away,
                );
                let closer = socket.closer();
                if let Err(error) = handler(socket).await {
                    report(&error);
                }
                closer.close_quietly().await;
            })
        });
        response.switch_to(switch)
    }
}

/// A client that is gone is no failure of the handler's.
fn report<E: std::fmt::Display + 'static>(error: &E) {
    let any: &dyn std::any::Any = error;
    let of_client = matches!(
        any.downcast_ref::<WebSocketError>(),
        Some(WebSocketError::Closed | WebSocketError::TimedOut)
    );
    if let (false, Ok(engine)) = (of_client, current::engine()) {
        engine
            .reporter
            .report("a WebSocket's handler failed", None, error);
    }
}

/// The client's key, or the answer to what is no handshake.
fn check(request: &Request) -> Result<String, Box<Response>> {
    let headers = request.headers();
    let bad = |why: &str| {
        let refusal = Response::text(why).with_status(StatusCode::BAD_REQUEST);
        Err(Box::new(refusal))
    };
    if *request.method() != Method::GET || request.version() != Version::HTTP_11 {
        return bad("a WebSocket begins with GET and HTTP/1.1");
    }
    if !names(headers, header::CONNECTION, "upgrade")
        || !names(headers, header::UPGRADE, "websocket")
    {
        return bad("the request does not ask for a WebSocket");
    }
    if request.header("sec-websocket-version") != Some("13") {
        let refusal = StatusCode::UPGRADE_REQUIRED.into_response();
        let version = HeaderValue::from_static("13");
        let refusal = refusal.with_header(header::SEC_WEBSOCKET_VERSION, version);
        return Err(Box::new(refusal));
    }
    match request.header("sec-websocket-key") {
        // Sixteen bytes in base64.
        Some(key) if key.len() == 24 && key.ends_with("==") => Ok(key.to_owned()),
        _ => bad("the WebSocket's key is malformed"),
    }
}

/// Whether a header's list has this word.
fn names(headers: &HeaderMap, name: header::HeaderName, word: &str) -> bool {
    let lines = headers.get_all(name).into_iter();
    let texts = lines.filter_map(|line| line.to_str().ok());
    texts
        .flat_map(|text| text.split(','))
        .any(|item| item.trim().eq_ignore_ascii_case(word))
}

fn common_protocol(headers: &HeaderMap, ours: &[String]) -> Option<String> {
    let known = |name: &&String| names(headers, header::SEC_WEBSOCKET_PROTOCOL, name);
    ours.iter().find(known).cloned()
}

/// What a client that is sent this key must be answered.
pub(crate) fn accept_key(key: &str) -> String {
    let mut hash = sha1_smol::Sha1::new();
    hash.update(key.as_bytes());
    hash.update(MAGIC.as_bytes());
    base64(&hash.digest().bytes())
}

/// A key that no one can guess, so that only who has read it can answer.
#[cfg(feature = "client")]
pub(crate) fn new_key() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(base64(&bytes))
}

/// The first of the client's offers that we can keep. A smaller window for what we send cannot be promised.
fn terms(headers: &HeaderMap) -> Option<Terms> {
    let lines = headers
        .get_all(header::SEC_WEBSOCKET_EXTENSIONS)
        .into_iter();
    let texts = lines.filter_map(|line| line.to_str().ok());
    texts
        .flat_map(|text| text.split(','))
        .find_map(|offer| read_terms(offer, true))
}

/// Terms as an offer or an answer words them; `None` when it is another extension or has what we do not keep.
fn read_terms(text: &str, is_offer: bool) -> Option<Terms> {
    let mut words = text.split(';').map(str::trim);
    if words.next() != Some("permessage-deflate") {
        return None;
    }
    let mut terms = Terms::default();
    for word in words {
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| {
            (name.trim(), Some(value.trim()))
        });
        match (name, value) {
            ("server_no_context_takeover", None) => terms.server_forgets = true,
            ("client_no_context_takeover", None) => terms.client_forgets = true,
            // We can read any window, and always send with the largest.
            ("client_max_window_bits", _) if is_offer => {}
            ("server_max_window_bits", Some("15" | "\"15\"")) => {}
            ("server_max_window_bits", Some(_)) if !is_offer => {}
            _ => return None,
        }
    }
    Some(terms)
}

fn describe(terms: Terms) -> String {
    let mut text = "permessage-deflate".to_owned();
    if terms.server_forgets {
        text += "; server_no_context_takeover";
    }
    if terms.client_forgets {
        text += "; client_no_context_takeover";
    }
    text
}

/// What our client offers.
#[cfg(feature = "client")]
pub(crate) fn offer() -> String {
    describe(Terms::default())
}

/// What a server has made of our offer: `Err` when it agrees to what was not offered.
#[cfg(feature = "client")]
pub(crate) fn agreed(headers: &HeaderMap, offered: bool) -> Result<Option<Terms>, ()> {
    let Some(answer) = headers.get(header::SEC_WEBSOCKET_EXTENSIONS) else {
        return Ok(None);
    };
    let terms = answer
        .to_str()
        .ok()
        .and_then(|text| read_terms(text, false));
    match (terms, offered) {
        (Some(terms), true) => Ok(Some(terms)),
        _ => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6455, section 1.3.
    #[test]
    fn the_key_is_answered_as_the_standard_says() {
        assert_eq!(
            accept_key("dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }

    #[test]
    fn only_terms_that_can_be_kept_are_agreed_on() {
        for (offer, expected) in [
            ("permessage-deflate", Some((false, false))),
            (
                "permessage-deflate; client_max_window_bits",
                Some((false, false)),
            ),
            (
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
                Some((true, true)),
            ),
            ("permessage-deflate; server_max_window_bits=10", None),
            ("permessage-deflate; unknown", None),
            ("x-webkit-deflate-frame", None),
        ] {
            let terms =
                read_terms(offer, true).map(|terms| (terms.server_forgets, terms.client_forgets));
            assert_eq!(terms, expected, "{offer}");
        }
    }
}
