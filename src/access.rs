//! Who may use a port, and under which certificate: what both ports ask, replaced as a whole on reload.

mod handshake;
mod users;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::ServerConfig;

pub use handshake::{Handshakes, NoTls, first_byte};
pub use users::{Challenge, Users};

use crate::config::{Role, ServerTls, User};
use crate::tls;

/// What a port asks of whoever comes. With nothing asked it is open, and has no TLS.
#[derive(Debug)]
pub struct Access<G> {
    users: ArcSwapOption<Users<G>>,
    tls: ArcSwapOption<ServerConfig>,
}

/// The access to the write port; a grant is the tenant that a user writes as.
pub type WriteAccess = Access<Option<String>>;
/// The access to the admin port.
pub type AdminAccess = Access<Role>;

/// What a config says of a port, made ready: whatever could fail has not.
pub struct Prepared<G> {
    users: Option<Arc<Users<G>>>,
    tls: Option<Arc<ServerConfig>>,
}

impl<G: Clone> Prepared<G> {
    /// Makes it of a config. `http2`: a sender may choose HTTP/2.
    ///
    /// # Errors
    /// If the certificate cannot be used, or the system gives no random numbers.
    pub fn new(auth: Option<&[User<G>]>, tls: Option<&ServerTls>, http2: bool) -> Result<Self, String> {
        let users = auth.map(Users::new).transpose().map_err(|error| error.to_string())?;
        let protocols: &[&[u8]] = if http2 { &[tls::HTTP2, tls::HTTP1] } else { &[tls::HTTP1] };
        let tls = tls.map(|tls| tls::server(tls.pem(), protocols)).transpose();
        let tls = tls.map_err(|error| format!("a file of `tls` is of no use: {error}"))?;
        Ok(Self { users: users.map(Arc::new), tls: tls.map(Arc::new) })
    }
}

impl<G> Default for Access<G> {
    fn default() -> Self {
        Self { users: ArcSwapOption::empty(), tls: ArcSwapOption::empty() }
    }
}

impl<G> Access<G> {
    /// Asks this from now on: requests for the users, new connections for TLS.
    pub fn replace(&self, prepared: Prepared<G>) {
        self.users.store(prepared.users);
        self.tls.store(prepared.tls);
    }

    /// Those who may use the port; `None`: everybody.
    pub fn users(&self) -> arc_swap::Guard<Option<Arc<Users<G>>>> {
        self.users.load()
    }

    /// TLS for a new connection; `None`: it has none.
    pub fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.load_full()
    }
}
