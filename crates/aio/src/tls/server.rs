//! What a server shows its clients, and asks of them.

use std::{fmt, io, path::Path, sync::Arc, time::Duration};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{self, ConfigBuilder, WantsVerifier, server::WebPkiClientVerifier},
    server::TlsStream,
};

use super::pem::{self, HANDSHAKE, identity, provider};
use crate::{combine::wait_for, error::TlsError};

/// A server's certificate and key, and how it speaks TLS. Cheap to clone.
///
/// An example is at the [module](super).
#[derive(Clone)]
pub struct ServerConfig {
    inner: Arc<rustls::ServerConfig>,
    handshake: Duration,
}

impl ServerConfig {
    /// With a chain of certificates, the server's own first, and its private key, both in PEM.
    ///
    /// # Errors
    ///
    /// [`TlsError`], when there is no certificate or key in them, or the two do not belong together.
    pub fn from_pem(chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        let identity = identity(chain.as_ref(), key.as_ref())?;
        let inner = builder()?
            .with_no_client_auth()
            .with_cert_resolver(identity);
        Ok(Self::from(Arc::new(inner)))
    }

    /// As [`from_pem`](ServerConfig::from_pem), from files. It blocks while they are read.
    ///
    /// # Errors
    ///
    /// As `from_pem`, and [`TlsError::File`].
    pub fn from_pem_files(
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        Self::from_pem(pem::read(chain.as_ref())?, pem::read(key.as_ref())?)
    }

    /// Serves only clients that show a certificate signed by one of `roots` (PEM).
    ///
    /// # Errors
    ///
    /// [`TlsError`], when `roots` holds no certificate that can be used.
    pub fn require_clients(self, roots: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        let roots = pem::roots(roots.as_ref())?;
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider())
            .build()
            .map_err(|error| TlsError::Refused(error.to_string()))?;
        let mut inner = builder()?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(self.inner.cert_resolver.clone());
        inner.alpn_protocols.clone_from(&self.inner.alpn_protocols);
        Ok(ServerConfig {
            inner: Arc::new(inner),
            ..self
        })
    }

    /// The protocols spoken within, the favourite first, such as `["h2", "http/1.1"]`; none unless set. A client that
    /// asks for others only is refused.
    pub fn alpn<P: AsRef<[u8]>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        let protocols = protocols.into_iter().map(|name| name.as_ref().to_vec());
        Arc::make_mut(&mut self.inner).alpn_protocols = protocols.collect();
        self
    }

    /// How long a handshake may take: 10 s unless set otherwise. A client that is slower is hung up on.
    pub fn handshake_timeout(mut self, limit: Duration) -> Self {
        self.handshake = limit;
        self
    }

    /// The configuration as rustls, and libraries for it, have it.
    pub fn rustls(&self) -> &Arc<rustls::ServerConfig> {
        &self.inner
    }

    /// The server's side of a handshake, in time.
    pub(crate) async fn handshake<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let handshake = TlsAcceptor::from(self.inner.clone()).accept(stream);
        wait_for(handshake, self.handshake).await?
    }
}

fn builder() -> Result<ConfigBuilder<rustls::ServerConfig, WantsVerifier>, TlsError> {
    rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Refused(error.to_string()))
}

impl From<Arc<rustls::ServerConfig>> for ServerConfig {
    fn from(inner: Arc<rustls::ServerConfig>) -> Self {
        ServerConfig {
            inner,
            handshake: HANDSHAKE,
        }
    }
}

impl fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig")
            .field("alpn", &self.inner.alpn_protocols.len())
            .field("handshake_timeout", &self.handshake)
            .finish_non_exhaustive()
    }
}
