//! The last refusals, for people who look for what a sender does wrong.

use std::collections::VecDeque;
use std::net::IpAddr;

use hyper::header::{HeaderValue, USER_AGENT};
use parking_lot::Mutex;

use crate::admin::Rejected;
use crate::intake::{Inbound, TurnedAway};
use crate::series::quote;

/// Refusals told apart, the newest; each takes two kilobytes at most.
const KEPT: usize = 100;
/// Bytes of a message that are kept, and of any other text.
const MESSAGE: usize = 1024;
const TEXT: usize = 256;

/// The last refusals, newest first.
#[derive(Default)]
pub(super) struct LastRejected(Mutex<VecDeque<Rejected>>);

impl LastRejected {
    /// Notes a refusal. One that is like an earlier one is counted with it.
    pub(super) fn note(&self, rejected: Rejected) {
        let mut all = self.0.lock();
        let mut noted = Rejected { first: rejected.last, times: 1, ..rejected };
        let again = all.iter().position(|other| other.is_like(&noted));
        if let Some(before) = again.and_then(|at| all.remove(at)) {
            (noted.first, noted.times) = (before.first, before.times + 1);
        }
        all.truncate(KEPT - 1);
        all.push_front(noted);
    }

    /// Copies of them, newest first.
    pub(super) fn all(&self) -> Vec<Rejected> {
        self.0.lock().iter().cloned().collect()
    }
}

/// Who sent a request.
#[derive(Default)]
pub(super) struct Sender {
    pub(super) address: Option<IpAddr>,
    tenant: String,
    user_agent: Option<HeaderValue>,
}

impl Sender {
    /// Whose request it is; takes the tenant out of it.
    pub(super) fn of(inbound: &mut Inbound) -> Self {
        Self {
            address: inbound.peer,
            tenant: std::mem::take(&mut inbound.tenant),
            user_agent: inbound.headers.get(USER_AGENT).cloned(),
        }
    }

    /// Who sent a request that the write port turned away.
    pub(super) fn turned_away(request: &TurnedAway<'_>) -> Self {
        Self {
            address: request.peer,
            tenant: request.tenant.clone(),
            user_agent: request.headers.get(USER_AGENT).cloned(),
        }
    }

    /// Its address, as the log has it.
    pub(super) fn name(&self) -> String {
        self.address.map_or_else(|| "unknown".to_owned(), |address| address.to_string())
    }

    /// What it calls itself; may be empty.
    pub(super) fn user_agent(&self) -> String {
        let bytes = self.user_agent.as_ref().map(HeaderValue::as_bytes).unwrap_or_default();
        short(&String::from_utf8_lossy(bytes), TEXT)
    }

    /// A refusal of its request.
    pub(super) fn rejected(&self, reason: &'static str, message: &str, status: u16, now: u32) -> Rejected {
        Rejected {
            last: now,
            tenant: short(&self.tenant, TEXT),
            sender: self.address,
            user_agent: self.user_agent(),
            reason,
            message: short(message, MESSAGE),
            status,
            ..Rejected::default()
        }
    }
}

/// The beginning of a text, so that it prints.
fn short(text: &str, max: usize) -> String {
    let shown = quote::shown(text);
    shown[..shown.floor_char_boundary(max)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sender: u8, metric: usize) -> Rejected {
        let sender = Sender { address: Some(IpAddr::from([10, 0, 0, sender])), ..Sender::default() };
        Rejected { metric: Some(format!("m{metric}")), ..sender.rejected("no_name", "why", 400, 7) }
    }

    #[test]
    fn the_newest_hundred_are_kept_and_what_is_like_another_is_counted_with_it() {
        let last = LastRejected::default();
        for metric in 0..150 {
            last.note(of(1, metric));
            last.note(Rejected { last: 9, ..of(1, 0) });
        }
        let all = last.all();
        assert_eq!(all.len(), KEPT);
        let (first, second) = (&all[0], &all[1]);
        assert_eq!((first.metric.as_deref(), first.times, first.first, first.last), (Some("m0"), 151, 7, 9));
        assert_eq!((second.metric.as_deref(), second.times), (Some("m149"), 1));
        last.note(of(2, 0));
        assert_eq!(last.all()[0].times, 1, "of another sender");
    }

    #[test]
    fn texts_of_senders_are_short_and_print() {
        let sender = Sender {
            tenant: "t".repeat(1000),
            user_agent: Some(HeaderValue::from_bytes(b"evil\xff\x80/1.0").unwrap()),
            ..Sender::default()
        };
        let rejected = sender.rejected("no_name", &"\u{202e}".repeat(1000), 400, 7);
        assert_eq!((rejected.tenant.len(), &*rejected.user_agent), (TEXT, "evil\u{fffd}\u{fffd}/1.0"));
        assert!(rejected.message.len() <= MESSAGE && rejected.message.chars().all(quote::prints));
    }
}
