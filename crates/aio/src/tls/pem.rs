//! Certificates and keys as text.

use std::{fs, path::Path, sync::Arc};

use tokio_rustls::rustls::{
    RootCertStore,
    crypto::{CryptoProvider, ring},
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    sign::{CertifiedKey, SingleCertAndKey},
};

use crate::error::TlsError;

/// How long a handshake may take unless set otherwise.
pub(super) const HANDSHAKE: std::time::Duration = std::time::Duration::from_secs(10);

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|error| TlsError::File {
        path: path.to_owned(),
        error,
    })
}

fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let found = found.map_err(|error| TlsError::BadPem(error.to_string()))?;
    if found.is_empty() {
        return Err(TlsError::NoCertificate);
    }
    Ok(found)
}

/// A chain of certificates, the own first, and its key.
pub(super) fn identity(chain: &[u8], key: &[u8]) -> Result<Arc<SingleCertAndKey>, TlsError> {
    let chain = certificates(chain)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey,
        error => TlsError::BadPem(error.to_string()),
    })?;
    let identity = CertifiedKey::from_der(chain, key, &provider())
        .map_err(|error| TlsError::Refused(error.to_string()))?;
    Ok(Arc::new(identity.into()))
}

/// Whom to trust.
pub(super) fn roots(text: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(text)? {
        roots
            .add(certificate)
            .map_err(|error| TlsError::Refused(error.to_string()))?;
    }
    Ok(roots)
}
