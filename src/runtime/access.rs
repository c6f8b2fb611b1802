//! Who may use the two ports, of a config, and how that changes while they are served.

use std::sync::Arc;

use crate::access::{Access, AdminAccess, Prepared, WriteAccess};
use crate::config::{Admin, Config, Listen, ServerTls, User};

/// What both ports ask.
#[derive(Clone, Default)]
pub(super) struct Accesses {
    pub(super) write: Arc<WriteAccess>,
    pub(super) admin: Arc<AdminAccess>,
}

/// What they are to ask from now on, as far as it is something else.
pub(super) struct Change {
    write: Option<Prepared<Option<String>>>,
    admin: Option<Prepared<crate::config::Role>>,
    keys: Vec<&'static str>,
}

impl Accesses {
    pub(super) fn new(config: &Config) -> Result<Self, String> {
        let Config { listen, admin, .. } = config;
        let accesses = Self::default();
        accesses.write.replace(prepared(&listen.auth, &listen.tls, listen.http2)?);
        accesses.admin.replace(prepared(&admin.auth, &admin.tls, false)?);
        Ok(accesses)
    }

    /// Makes ready what is another in `new`. `http2` is as at the start, which holds on.
    pub(super) fn prepare(old: &Config, new: &Config, http2: bool) -> Result<Change, String> {
        let differ = [
            ("listen.auth", new.listen.auth != old.listen.auth),
            ("listen.tls", new.listen.tls != old.listen.tls),
            ("admin.auth", new.admin.auth != old.admin.auth),
            ("admin.tls", new.admin.tls != old.admin.tls),
        ];
        let [listen_auth, listen_tls, admin_auth, admin_tls] = differ.map(|(_, differs)| differs);
        let write = || prepared(&new.listen.auth, &new.listen.tls, http2);
        let admin = || prepared(&new.admin.auth, &new.admin.tls, false);
        Ok(Change {
            write: (listen_auth || listen_tls).then(write).transpose()?,
            admin: (admin_auth || admin_tls).then(admin).transpose()?,
            keys: differ.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect(),
        })
    }

    /// Which keys have changed.
    pub(super) fn apply(&self, change: Change) -> Vec<&'static str> {
        apply(&self.write, change.write);
        apply(&self.admin, change.admin);
        change.keys
    }
}

fn prepared<G: Clone>(
    auth: &Option<Vec<User<G>>>,
    tls: &Option<ServerTls>,
    http2: bool,
) -> Result<Prepared<G>, String> {
    Prepared::new(auth.as_deref(), tls.as_ref(), http2)
}

fn apply<G>(access: &Access<G>, prepared: Option<Prepared<G>>) {
    if let Some(prepared) = prepared {
        access.replace(prepared);
    }
}

/// Whether two write ports are the same but for what a reload changes.
pub(super) fn is_same_port(one: &Listen, other: &Listen) -> bool {
    let rest = |listen: &Listen| Listen { auth: None, tls: None, ..listen.clone() };
    rest(one) == rest(other)
}

/// The same of admin ports.
pub(super) fn is_same_admin_port(one: &Admin, other: &Admin) -> bool {
    one.address == other.address
}
