//! One body to the upstream, in a form that it takes.

use tokio::time::Instant;

use super::Upstream;
use super::attach::Attach;
use super::split::{BUSY_RETRY_AFTER, Sent, Why};
use super::transcode::{self, Transcoded};
use crate::egress::{Outbound, Reply};
use crate::wire::Form;

/// What is to be delivered.
pub(super) struct Parcel {
    pub(super) outbound: Outbound,
    /// Bytes of it as remote write 1.0, decoded, as far as that is known.
    pub(super) plain_bytes: usize,
}

/// What became of it.
pub(super) enum Delivered {
    /// It is over.
    Sent(Sent),
    /// It is to be split: what, and why.
    InParts(Outbound, Why),
}

/// Sends a body, in the form that it is in if the upstream takes that. `room` is asked for the bytes that another form takes; where
/// that is 2.0, it says what `attach` has to say.
pub(super) async fn deliver(
    upstream: &Upstream,
    parcel: Parcel,
    deadline: Instant,
    room: &mut (dyn FnMut(usize) -> bool + Send),
    attach: &mut Attach<'_>,
) -> Delivered {
    let Parcel { mut outbound, plain_bytes } = parcel;
    let client = &upstream.client;
    let wanted = client.form(outbound.form);
    if wanted != outbound.form {
        outbound = match adapt(&outbound, (wanted, plain_bytes), room, attach) {
            Ok(adapted) => adapted,
            Err(sent) => return Delivered::Sent(sent),
        };
    }
    if let Some(said) = upstream.is_over(outbound.body.len()) {
        return Delivered::InParts(outbound, Why::TooLarge(said));
    }
    let mut reply = client.send_by(outbound.clone(), deadline).await;
    if client.tries_plain(outbound.form, &reply) {
        let plain = match adapt(&outbound, (Form::PLAIN, plain_bytes), room, attach) {
            Ok(plain) => plain,
            Err(sent) => return Delivered::Sent(sent),
        };
        let again = client.send_by(plain.clone(), deadline).await;
        let is_sure = matches!(reply, Reply::Unsupported { .. });
        if again == Reply::Accepted || (is_sure && matches!(again, Reply::Invalid { .. })) {
            client.takes_only_plain(outbound.form);
        }
        (reply, outbound) = (again, plain);
    }
    match reply {
        Reply::TooLarge { excerpt } => Delivered::InParts(outbound, Why::TooLarge(excerpt)),
        reply if upstream.bisects(&reply) => Delivered::InParts(outbound, Why::Refused(reply)),
        reply => Delivered::Sent(Sent { form: outbound.form, ..Sent::whole(reply, outbound.counts) }),
    }
}

/// The same in another form; or what became of it.
fn adapt(
    outbound: &Outbound,
    (to, plain_bytes): (Form, usize),
    room: &mut (dyn FnMut(usize) -> bool + Send),
    attach: &mut Attach<'_>,
) -> Result<Outbound, Sent> {
    if !room(transcode::holds(&outbound.body, plain_bytes)) {
        let cause = "no room to put the request into a form that the upstream takes (listen.max_in_flight)";
        return Err(Sent::not_now(cause, Some(BUSY_RETRY_AFTER)));
    }
    match transcode::transcode(&outbound.body, outbound.form, to, attach) {
        Some(Transcoded::Body(body)) => Ok(Outbound { body, form: to, ..outbound.clone() }),
        Some(Transcoded::Nothing) => Err(Sent::nothing()),
        // we made or checked this body; if not, the sender keeps its data
        None => Err(Sent::not_now("the request cannot be put into a form that the upstream takes", None)),
    }
}
