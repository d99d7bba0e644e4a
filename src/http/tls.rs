//! TLS 1.2 and 1.3 by rustls: what a listener shows and asks for, read from files.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use zeroize::Zeroizing;

use crate::domain::certificate::{self, ReadCertificate};
use crate::domain::clock::Timestamp;

/// The only protocol above TLS that is spoken here (RFC 7301 section 6).
const ALPN: &[u8] = b"http/1.1";
/// The longest file read: far beyond any chain, so that a wrong path is told as such.
const LONGEST: u64 = 1024 * 1024;

/// The files of an HTTPS listener, all PEM.
#[derive(Clone, Debug)]
pub struct Files {
    /// The certificate and its chain, leaf first.
    pub certificate: PathBuf,
    /// The key of the certificate.
    pub key: PathBuf,
    /// Where clients are asked for a certificate.
    pub clients: Option<Clients>,
}

/// How clients are asked for a certificate.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The CAs whose certificates are accepted.
    pub ca: PathBuf,
    /// Whether a client without one is turned away.
    pub required: bool,
}

/// What was read from the files.
#[derive(Clone, Debug)]
pub struct Identity {
    /// For the listener.
    pub config: Arc<ServerConfig>,
    /// The certificate that the listener shows.
    pub certificate: ReadCertificate,
}

impl Files {
    /// Reads the files and checks that they go together.
    ///
    /// # Errors
    /// Which file is wrong, and why: it cannot be read, others can read the key, it holds nothing of
    /// its kind, the key is of another certificate.
    pub fn load(&self) -> Result<Identity, Error> {
        let chain = certificates(&self.certificate)?;
        let leaf = chain.first().map(|leaf| certificate::read(leaf));
        let Some(Ok([certificate])) = leaf.as_ref().map(|read| read.as_deref()) else {
            return Err(Error::of(&self.certificate, "its first certificate cannot be read"));
        };
        let key = self.private_key()?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| Error::of(&self.certificate, error))?;
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(clients) => builder.with_client_cert_verifier(clients.verifier(provider)?),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                let certificate = self.certificate.display();
                Error::of(&self.key, format!("is not the key of the certificate in {certificate}"))
            }
            other => Error::of(&self.key, other),
        })?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        if self.clients.is_some() {
            // A resumed session would bring in a client whose certificate has expired since, or whose
            // CA was taken away: it is verified in full handshakes only.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Identity { config: Arc::new(config), certificate: certificate.clone() })
    }

    /// Every file.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let files =
            [Some(&self.certificate), Some(&self.key), self.clients.as_ref().map(|clients| &clients.ca)];
        files.into_iter().flatten().map(PathBuf::as_path)
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, Error> {
        let pem = read(&self.key, |mode| mode & 0o077 == 0)?;
        PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
            let expected = "PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY in PEM, not encrypted";
            Error::of(&self.key, format!("holds no private key; expected {expected}"))
        })
    }
}

impl Identity {
    /// What is wrong with the time of the certificate; clients will refuse it then.
    pub fn warning(&self, now: Timestamp) -> Option<String> {
        let ReadCertificate { not_before, not_after, .. } = &self.certificate;
        if *not_after < now {
            return Some(format!("the certificate of the HTTPS listener expired at {not_after}; replace it"));
        }
        let early = *not_before > now;
        early.then(|| format!("the certificate of the HTTPS listener is not valid before {not_before}"))
    }
}

impl Clients {
    fn verifier(&self, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, Error> {
        let mut roots = RootCertStore::empty();
        for root in certificates(&self.ca)? {
            roots.add(root).map_err(|error| Error::of(&self.ca, error))?;
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = if self.required { builder } else { builder.allow_unauthenticated() };
        builder.build().map_err(|error| Error::of(&self.ca, error))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let pem = read(path, |_| true)?;
    let all: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| Error::of(path, format!("is not PEM: {error}")))?;
    if all.is_empty() {
        return Err(Error::of(path, "holds no certificate in PEM (-----BEGIN CERTIFICATE-----)"));
    }
    Ok(all)
}

fn read(path: &Path, fits: impl FnOnce(u32) -> bool) -> Result<Zeroizing<Vec<u8>>, Error> {
    let unreadable = |error: io::Error| Error::of(path, format!("cannot be read: {error}"));
    let file = File::open(path).map_err(unreadable)?;
    // Of the open file: the path may name another by now.
    let metadata = file.metadata().map_err(unreadable)?;
    if !fits(metadata.mode()) {
        return Err(Error::of(path, "can be read by others than its owner; run chmod 600 on it"));
    }
    if metadata.len() > LONGEST {
        return Err(Error::of(path, "is too long for a PEM file; check the path"));
    }
    // Large enough from the start: growing would leave copies of a key behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST as usize + 1));
    file.take(LONGEST).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// Why the files of an HTTPS listener are of no use.
#[derive(Debug, thiserror::Error)]
#[error("{} {reason}", path.display())]
pub struct Error {
    /// The file.
    path: PathBuf,
    /// What is wrong with it.
    reason: String,
}

impl Error {
    fn of(path: &Path, reason: impl ToString) -> Self {
        Self { path: path.to_owned(), reason: reason.to_string() }
    }
}
