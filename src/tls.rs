//! The server side of TLS, made of PEM texts: for the write port and the admin port.

use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{Error, RootCertStore, ServerConfig};

/// What HTTP/1.1 and HTTP/2 are called where a protocol is agreed on (ALPN).
pub const HTTP1: &[u8] = b"http/1.1";
/// See [`HTTP1`].
pub const HTTP2: &[u8] = b"h2";

/// What a port shows of itself, and whom it believes.
#[derive(Clone, Copy)]
pub struct Pem<'p> {
    /// The certificate, and behind it those that lead to its authority.
    pub certificate: &'p str,
    /// Its private key.
    pub key: &'p str,
    /// Authorities of which a client has to show a certificate; `None`: it shows none.
    pub client_ca: Option<&'p str>,
}

/// One of the texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Part {
    Certificate,
    Key,
    ClientCa,
}

/// A text that is of no use. Says nothing of what is in it: that may be a part of a key.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Unusable {
    /// Which one.
    pub part: Part,
    reason: String,
}

/// TLS 1.2 and 1.3 with this certificate, for these protocols, the best one first.
///
/// The provider is named, not taken from the process: with two in the dependency tree rustls would panic.
///
/// # Errors
/// If one of the texts is of no use, or the key does not belong to the certificate.
pub fn server(pem: Pem<'_>, protocols: &[&[u8]]) -> Result<ServerConfig, Unusable> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let unusable = |part, reason: String| Unusable { part, reason };
    let verifier = pem.client_ca.map(verifier).transpose()?;
    let chain = certificates(Part::Certificate, pem.certificate)?;
    let key =
        PrivateKeyDer::from_pem_slice(pem.key.as_bytes()).map_err(|error| not_pem(Part::Key, &error))?;
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(Part::Certificate, error.to_string()))?;
    let builder = match verifier {
        None => builder.with_no_client_auth(),
        Some(verifier) => builder.with_client_cert_verifier(verifier),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
        Error::InconsistentKeys(_) => {
            unusable(Part::Key, "the key does not belong to the certificate".to_owned())
        }
        Error::InvalidCertificate(_) => unusable(Part::Certificate, "is not a certificate".to_owned()),
        _ => unusable(Part::Key, "is not a private key of RSA, ECDSA or Ed25519".to_owned()),
    })?;
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

fn verifier(client_ca: &str) -> Result<Arc<dyn ClientCertVerifier>, Unusable> {
    let no_authority =
        || Unusable { part: Part::ClientCa, reason: "is not a certificate of an authority".to_owned() };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(Part::ClientCa, client_ca)? {
        roots.add(certificate).map_err(|_| no_authority())?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
    verifier.map_err(|_| no_authority())
}

fn certificates(part: Part, text: &str) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let all = all.map_err(|error| not_pem(part, &error))?;
    if all.is_empty() { Err(not_pem(part, &pem::Error::NoItemsFound)) } else { Ok(all) }
}

/// The library quotes what it found, which may be key material.
fn not_pem(part: Part, error: &pem::Error) -> Unusable {
    let reason = match error {
        pem::Error::NoItemsFound => "holds no PEM block of the kind expected",
        _ => "is not valid PEM",
    };
    Unusable { part, reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str) -> (String, String) {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_pair_is_taken_and_a_part_that_is_of_no_use_is_named() {
        let ((certificate, key), (other, _)) = (pair("a"), pair("b"));
        let made = |certificate: &str, key: &str, client_ca: Option<&str>| {
            let made = server(Pem { certificate, key, client_ca }, &[HTTP1]);
            made.map(|config| config.alpn_protocols).map_err(|error| (error.part, error.to_string()))
        };
        assert_eq!(made(&certificate, &key, Some(&other)), Ok(vec![HTTP1.to_vec()]));
        let nothing = "holds no PEM block of the kind expected";
        let broken = "-----BEGIN CERTIFICATE-----\nc3Vic2Vj!\n-----END CERTIFICATE-----\n";
        let odd = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let odd_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for (certificate, key, client_ca, part, reason) in [
            (&*other, &*key, None, Part::Key, "the key does not belong to the certificate"),
            (&*key, &*key, None, Part::Certificate, nothing),
            (broken, &*key, None, Part::Certificate, "is not valid PEM"),
            (odd, &*key, None, Part::Certificate, "is not a certificate"),
            (&*certificate, &*certificate, None, Part::Key, nothing),
            (&*certificate, odd_key, None, Part::Key, "is not a private key of RSA, ECDSA or Ed25519"),
            (&*certificate, &*key, Some(""), Part::ClientCa, nothing),
            (&*certificate, &*key, Some(odd), Part::ClientCa, "is not a certificate of an authority"),
        ] {
            assert_eq!(made(certificate, key, client_ca), Err((part, reason.to_owned())));
        }
    }
}
