//! Whom a client trusts, and what it shows.

use std::{fmt, io, path::Path, sync::Arc, time::Duration};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{self, RootCertStore, pki_types::ServerName},
};

use super::pem::{self, HANDSHAKE, identity, provider};
use crate::{combine::wait_for, error::TlsError};

/// Whom a client trusts, and how it speaks TLS. Cheap to clone: make it once.
///
/// The server's certificate and its name are always checked.
///
/// An example is at the [module](super).
#[derive(Clone)]
pub struct ClientConfig {
    inner: Arc<rustls::ClientConfig>,
    handshake: Duration,
}

impl ClientConfig {
    /// Trusts whom the system trusts: the certificates of its store, or of `SSL_CERT_FILE` and `SSL_CERT_DIR`. It
    /// blocks while they are read, some milliseconds.
    ///
    /// # Errors
    ///
    /// [`TlsError::NoCertificate`], when the system has none that can be used.
    pub fn new() -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        // Some stores hold certificates too old to be understood; the others serve.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        Self::trusting(roots)
    }

    /// Trusts the certificates in `roots` (PEM) and no others.
    ///
    /// # Errors
    ///
    /// [`TlsError`], when there is none in it that can be used.
    pub fn with_roots(roots: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        Self::trusting(pem::roots(roots.as_ref())?)
    }

    /// As [`with_roots`](ClientConfig::with_roots), from a file. It blocks while it is read.
    ///
    /// # Errors
    ///
    /// As `with_roots`, and [`TlsError::File`].
    pub fn with_roots_file(roots: impl AsRef<Path>) -> Result<Self, TlsError> {
        Self::with_roots(pem::read(roots.as_ref())?)
    }

    fn trusting(roots: RootCertStore) -> Result<Self, TlsError> {
        let inner = rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Refused(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self::from(Arc::new(inner)))
    }

    /// Shows a certificate to servers that ask for one: a chain, the own first, and its private key, both in PEM.
    ///
    /// # Errors
    ///
    /// [`TlsError`], when there is no certificate or key in them, or the two do not belong together.
    pub fn identity(
        mut self,
        chain: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<Self, TlsError> {
        let identity = identity(chain.as_ref(), key.as_ref())?;
        Arc::make_mut(&mut self.inner).client_auth_cert_resolver = identity;
        Ok(self)
    }

    /// The protocols offered to speak within, the favourite first, such as `["h2", "http/1.1"]`; none unless set.
    pub fn alpn<P: AsRef<[u8]>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        let protocols = protocols.into_iter().map(|name| name.as_ref().to_vec());
        Arc::make_mut(&mut self.inner).alpn_protocols = protocols.collect();
        self
    }

    /// How long a handshake may take: 10 s unless set otherwise.
    pub fn handshake_timeout(mut self, limit: Duration) -> Self {
        self.handshake = limit;
        self
    }

    /// The configuration as rustls, and libraries for it, have it.
    pub fn rustls(&self) -> &Arc<rustls::ClientConfig> {
        &self.inner
    }

    /// The client's side of a handshake, in time.
    pub(crate) async fn handshake<S>(&self, stream: S, server: &str) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(server.to_owned()).map_err(|_| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "{server:?} is no server name: give a host's name or address, without a port"
                ),
            )
        })?;
        let handshake = TlsConnector::from(self.inner.clone()).connect(name, stream);
        match wait_for(handshake, self.handshake).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(explain(server, error.kind(), &error)),
            Err(error) => Err(explain(server, io::ErrorKind::TimedOut, &error)),
        }
    }
}

fn explain(server: &str, kind: io::ErrorKind, error: &dyn fmt::Display) -> io::Error {
    io::Error::new(kind, format!("no TLS connection to {server}: {error}"))
}

impl From<Arc<rustls::ClientConfig>> for ClientConfig {
    fn from(inner: Arc<rustls::ClientConfig>) -> Self {
        ClientConfig {
            inner,
            handshake: HANDSHAKE,
        }
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("alpn", &self.inner.alpn_protocols.len())
            .field("handshake_timeout", &self.handshake)
            .finish_non_exhaustive()
    }
}
