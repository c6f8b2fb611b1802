//! TLS settings of an upstream, turned into what rustls takes. Files are read once, here.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use super::{EgressError, insecure};
use crate::config;

/// The client side of TLS for one upstream.
///
/// The provider is named, not taken from the process: with two in the dependency tree rustls would panic.
pub(crate) fn client_config(tls: &config::Tls, upstream: &str) -> Result<ClientConfig, EgressError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(tls)?);
    let mut config = match (&tls.cert_file, &tls.key_file) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), Some(key)) => {
            let chain = certificates("tls.cert_file", cert)?;
            let key =
                PrivateKeyDer::from_pem_file(key).map_err(|error| unusable("tls.key_file", key, &error))?;
            builder.with_client_auth_cert(chain, key)?
        }
        _ => return Err(EgressError::HalfClientCertificate),
    };
    if tls.insecure_skip_verify {
        insecure::accept_any_certificate(&mut config, upstream);
    }
    Ok(config)
}

/// For an `http://` upstream: the connector wants a configuration it will never use.
pub(super) fn unused_config() -> Result<ClientConfig, EgressError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

/// The name to verify, where it is not the URL's host.
pub(super) fn server_name(tls: &config::Tls) -> Result<Option<ServerName<'static>>, EgressError> {
    let parse =
        |name: &String| ServerName::try_from(name.clone()).map_err(|_| EgressError::ServerName(name.clone()));
    tls.server_name.as_ref().map(parse).transpose()
}

fn roots(tls: &config::Tls) -> Result<RootCertStore, EgressError> {
    let mut roots = RootCertStore::empty();
    match &tls.ca_file {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            for certificate in certificates("tls.ca_file", path)? {
                roots.add(certificate).map_err(|error| EgressError::Pem {
                    key: "tls.ca_file",
                    path: path.clone(),
                    reason: error.to_string(),
                })?;
            }
        }
    }
    if tls.system_roots {
        add_those_of_the_machine(&mut roots)?;
    }
    Ok(roots)
}

/// Some of a machine's certificates may be too old to be read; that there is none at all is a mistake.
fn add_those_of_the_machine(roots: &mut RootCertStore) -> Result<(), EgressError> {
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    match found.errors.first() {
        _ if added > 0 => Ok(()),
        Some(error) => Err(EgressError::SystemRoots(error.to_string())),
        None => Err(EgressError::SystemRoots("there are none".to_owned())),
    }
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, EgressError> {
    let all: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unusable(key, path, &error))?;
    if all.is_empty() { Err(unusable(key, path, &pem::Error::NoItemsFound)) } else { Ok(all) }
}

fn unusable(key: &'static str, path: &Path, error: &pem::Error) -> EgressError {
    let reason = match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "holds no PEM block of the kind expected".to_owned(),
        // the library quotes what it found, which may be key material
        _ => "is not valid PEM".to_owned(),
    };
    EgressError::Pem { key, path: path.to_owned(), reason }
}
