//! Who asks, where proxies are between.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use ::http::HeaderMap;

use super::{app::App, request::Request};
use crate::error::ProxyError;

/// The proxies whose word about their clients is believed: addresses, networks, and `unix` for who connects by a Unix
/// socket, with commas or blanks between. See [`App::behind`].
///
/// ```
/// use aio::http::TrustedProxies;
///
/// let proxies: TrustedProxies = "127.0.0.1, 10.0.0.0/8, fd00::/8, unix".parse()?;
/// assert!(proxies.contains("10.1.2.3".parse()?));
/// assert!(!proxies.contains("11.1.2.3".parse()?));
/// assert!("10.0.0.0/33".parse::<TrustedProxies>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<(IpAddr, u32)>,
    unix: bool,
}

impl FromStr for TrustedProxies {
    type Err = ProxyError;

    fn from_str(text: &str) -> Result<Self, ProxyError> {
        let mut proxies = TrustedProxies::default();
        let items = text.split([',', ' ', '\t', '\n']);
        for item in items.filter(|item| !item.is_empty()) {
            if item == "unix" {
                proxies.unix = true;
                continue;
            }
            let network = network(item).ok_or_else(|| ProxyError {
                text: item.to_owned(),
            })?;
            proxies.networks.push(network);
        }
        Ok(proxies)
    }
}

/// `10.0.0.0/8`, or one address.
fn network(text: &str) -> Option<(IpAddr, u32)> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let length = length.map_or(Some(most), |length| length.parse().ok())?;
    (length <= most).then_some((address, length))
}

/// The first `length` bits.
fn prefix(address: IpAddr, length: u32) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(
            u32::from(address)
                .checked_shr(32 - length)
                .unwrap_or_default(),
        ),
        IpAddr::V6(address) => u128::from(address)
            .checked_shr(128 - length)
            .unwrap_or_default(),
    }
}

impl TrustedProxies {
    /// Whether this address is one of theirs.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|(network, length)| {
            network.is_ipv4() == address.is_ipv4()
                && prefix(*network, *length) == prefix(address, *length)
        })
    }

    #[cfg(feature = "tracing")]
    pub(crate) fn are_none(&self) -> bool {
        self.networks.is_empty() && !self.unix
    }

    fn trust(&self, link: Link) -> bool {
        match link.peer {
            Some(peer) => self.contains(peer.ip()),
            None => self.unix && link.is_local,
        }
    }

    /// The address that a request came from: the last one, on the way back, that is not of a proxy that we trust.
    pub(crate) fn client(&self, link: Link, headers: &HeaderMap) -> Option<IpAddr> {
        let mut client = link.peer.map(|peer| peer.ip().to_canonical());
        if !self.trust(link) {
            return client;
        }
        for hop in listed(headers, "x-forwarded-for").rev() {
            // Whoever wrote something else than an address: what is before it is not to be believed.
            let Some(address) = address(hop) else { break };
            client = Some(address);
            if !self.contains(address) {
                break;
            }
        }
        client
    }

    pub(crate) fn scheme(&self, link: Link, headers: &HeaderMap) -> &'static str {
        let said = self
            .trust(link)
            .then(|| listed(headers, "x-forwarded-proto").next_back())
            .flatten();
        match said {
            Some(proto) if proto.eq_ignore_ascii_case("https") => "https",
            Some(proto) if proto.eq_ignore_ascii_case("http") => "http",
            _ if link.is_encrypted => "https",
            _ => "http",
        }
    }
}

/// What a request came by.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Link {
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) is_local: bool,
    pub(crate) is_encrypted: bool,
}

/// The items of a header that is a list, over all its lines.
fn listed<'a>(headers: &'a HeaderMap, name: &str) -> impl DoubleEndedIterator<Item = &'a str> {
    let lines = headers.get_all(name).iter();
    lines
        // A line that is no text is no address, either, and must not vanish.
        .flat_map(|line| line.to_str().unwrap_or("?").split(','))
        .map(str::trim)
}

/// `192.0.2.1`, `2001:db8::1`, or one of them with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    let address = bare
        .parse()
        .or_else(|_| text.parse().map(|with_port: SocketAddr| with_port.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

impl App {
    /// Believes these proxies what they say of their clients: [`Request::client_ip`] then is from `X-Forwarded-For`,
    /// [`Request::scheme`] from `X-Forwarded-Proto`. The proxy must add to the one and set the other, as nginx, HAProxy
    /// and Caddy can; what clients write into them themselves is not believed. Without this nobody is. Of a nested app it
    /// has no effect.
    ///
    /// ```
    /// use aio::http::{App, Request, TestServer};
    ///
    /// aio::run(async {
    ///     let app = App::new().behind("127.0.0.0/8".parse().unwrap()).get("/", async |request: Request| {
    ///         format!("{} by {}", request.client_ip().unwrap(), request.scheme())
    ///     });
    ///     let server = TestServer::start(app).await?;
    ///     let (mut reader, writer) = aio::open_connection(server.address()).await?;
    ///     writer.write(b"GET / HTTP/1.0\r\nX-Forwarded-For: 6.6.6.6, 203.0.113.7\r\nX-Forwarded-Proto: https\r\n\r\n");
    ///     assert!(reader.read_to_end().await?.ends_with(b"203.0.113.7 by https"));
    ///     Ok::<(), std::io::Error>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn behind(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = proxies;
        self
    }
}

impl Request {
    /// The client's address: that of [`peer_addr`](Request::peer_addr), unless that is a proxy that the app
    /// [trusts](App::behind), which then tells it.
    pub fn client_ip(&self) -> Option<IpAddr> {
        self.proxies().client(self.link(), self.headers())
    }

    /// `https` when the client's connection is encrypted, to us or to a proxy that the app [trusts](App::behind) and that
    /// says so; else `http`.
    pub fn scheme(&self) -> &'static str {
        self.proxies().scheme(self.link(), self.headers())
    }

    fn proxies(&self) -> &TrustedProxies {
        &self.0.body.context.site.proxies
    }

    fn link(&self) -> Link {
        let context = &self.0.body.context;
        let link = context.wire.as_ref().map(|wire| wire.link(context.peer));
        link.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(proxies: &str, peer: Option<&str>, headers: &[&str]) -> Option<String> {
        let proxies: TrustedProxies = proxies.parse().ok()?;
        let link = Link {
            peer: peer.map(|peer| SocketAddr::new(peer.parse().expect("an address"), 1)),
            is_local: peer.is_none(),
            is_encrypted: false,
        };
        let mut map = HeaderMap::new();
        for header in headers {
            map.append("x-forwarded-for", header.parse().expect("a value"));
        }
        proxies.client(link, &map).map(|client| client.to_string())
    }

    #[test]
    fn only_who_is_trusted_is_believed() {
        let near = "10.0.0.0/8, ::1";
        for (proxies, peer, headers, expected) in [
            ("", Some("10.0.0.1"), &["1.1.1.1"][..], Some("10.0.0.1")),
            (near, Some("9.9.9.9"), &["1.1.1.1"], Some("9.9.9.9")),
            (near, Some("10.0.0.1"), &["1.1.1.1"], Some("1.1.1.1")),
            (near, Some("::ffff:10.0.0.1"), &["1.1.1.1"], Some("1.1.1.1")),
            (near, Some("10.0.0.1"), &[], Some("10.0.0.1")),
            (
                near,
                Some("10.0.0.1"),
                &["6.6.6.6, 1.1.1.1, 10.2.2.2"],
                Some("1.1.1.1"),
            ),
            (near, Some("::1"), &["6.6.6.6", "1.1.1.1"], Some("1.1.1.1")),
            (
                near,
                Some("10.0.0.1"),
                &["6.6.6.6, unknown, 10.2.2.2"],
                Some("10.2.2.2"),
            ),
            (
                near,
                Some("10.0.0.1"),
                &["6.6.6.6, \u{e9}"],
                Some("10.0.0.1"),
            ),
            (
                near,
                Some("10.0.0.1"),
                &["[2001:db8::1]:80, 10.2.2.2:443"],
                Some("2001:db8::1"),
            ),
            (near, None, &["1.1.1.1"], None),
            ("unix", None, &["1.1.1.1"], Some("1.1.1.1")),
            (
                "0.0.0.0/0",
                Some("1.1.1.1"),
                &["2.2.2.2, 3.3.3.3"],
                Some("2.2.2.2"),
            ),
        ] {
            assert_eq!(
                client(proxies, peer, headers).as_deref(),
                expected,
                "{proxies} {peer:?} {headers:?}"
            );
        }
    }
}
