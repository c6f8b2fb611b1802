//! Who may use a port, and under which certificate.

use super::{BasicAuth, Secret};
use crate::tls::Pem;

/// One who may use a port.
#[derive(Clone, Debug, PartialEq)]
pub struct User<G> {
    /// By which it is known.
    pub credentials: Credentials,
    /// What it may.
    pub grant: G,
}

/// One who may write: as which tenant, where that is bound.
pub type WriteUser = User<Option<String>>;

/// One who may use the admin port.
pub type AdminUser = User<Role>;

/// What `Authorization` has to say.
#[derive(Clone, Debug, PartialEq)]
pub enum Credentials {
    /// HTTP basic.
    Basic(BasicAuth),
    /// `Bearer …`.
    Bearer(Secret),
}

/// What somebody may at the admin port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Metrics and reports.
    #[default]
    Read,
    /// Reload and bypass as well.
    Change,
}

/// TLS of a port: what was in the files, found good.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerTls {
    /// PEM certificates.
    pub certificate: Secret,
    /// PEM key.
    pub key: Secret,
    /// PEM certificates of authorities of which whoever connects has to show a certificate.
    pub client_ca: Option<Secret>,
}

impl ServerTls {
    /// The texts.
    pub fn pem(&self) -> Pem<'_> {
        Pem {
            certificate: self.certificate.expose(),
            key: self.key.expose(),
            client_ca: self.client_ca.as_ref().map(Secret::expose),
        }
    }
}
