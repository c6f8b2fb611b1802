//! Where a request comes from.

use std::net::IpAddr;

use crate::wire::{Form, Message};

/// Where a request comes from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin<'a> {
    /// Where its data lands: the text of its [`crate::series::Scope`], a tenant's name where there is nothing else.
    pub scope: &'a str,
    /// Who sent it, where that is known.
    pub sender: Option<IpAddr>,
    /// Which message its body is.
    pub message: Message,
    /// How what is left of it goes on. A request of 1.0 goes on as 1.0.
    pub wanted: Form,
}

impl Origin<'_> {
    /// Whether it is of remote write 2.0, and goes on as that.
    pub(super) fn stays_v2(&self) -> bool {
        self.message == Message::V2 && self.wanted.message == Message::V2
    }
}

impl<'a> From<&'a str> for Origin<'a> {
    fn from(scope: &'a str) -> Self {
        Self { scope, ..Self::default() }
    }
}
