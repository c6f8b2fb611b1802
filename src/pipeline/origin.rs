//! Where a request comes from.

use std::net::IpAddr;

use crate::wire::Message;

/// Where a request comes from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin<'a> {
    /// Where its data lands: the text of its [`crate::series::Scope`], a tenant's name where there is nothing else.
    pub scope: &'a str,
    /// Who sent it, where that is known.
    pub sender: Option<IpAddr>,
    /// Which message its body is.
    pub message: Message,
}

impl<'a> From<&'a str> for Origin<'a> {
    fn from(scope: &'a str) -> Self {
        Self { scope, ..Self::default() }
    }
}
