//! What an upstream takes beside remote write 1.0 in snappy: found out by sending it, remembered, and tried again.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::clock::Clock;
use crate::codec::Encoding;
use crate::config::Protocol;
use crate::telemetry::EgressMetrics;
use crate::wire::{Form, Message};

/// Nobody knows yet.
const UNKNOWN: i64 = i64::MIN;
/// It does.
const TAKEN: i64 = i64::MAX;

/// What one upstream takes.
pub(super) struct Takes {
    protocol: Protocol,
    /// After so long what was refused is tried again.
    retry: Duration,
    v2: Answer,
    zstd: Answer,
    metrics: Arc<EgressMetrics>,
}

/// [`UNKNOWN`], [`TAKEN`], or until when it is not tried again, milliseconds of the steady clock.
struct Answer(AtomicI64);

impl Takes {
    pub(super) fn new(protocol: Protocol, retry: Duration, metrics: Arc<EgressMetrics>) -> Self {
        let unknown = || Answer(AtomicI64::new(UNKNOWN));
        Self { protocol, retry, v2: unknown(), zstd: unknown(), metrics }
    }

    /// How what came in this form is to be sent now.
    pub(super) fn form(&self, came: Form, clock: &Clock) -> Form {
        const V2: Form = Form { message: Message::V2, encoding: Encoding::Snappy };
        const ZSTD: Form = Form { message: Message::V1, encoding: Encoding::Zstd };
        match self.protocol {
            Protocol::V1 => Form::PLAIN,
            Protocol::V2 => V2,
            Protocol::Zstd => ZSTD,
            // 2.0 in zstd is nobody's protocol
            Protocol::Auto if came.message == Message::V2 && self.v2.may_be_tried(clock) => V2,
            Protocol::Auto if came == ZSTD && self.zstd.may_be_tried(clock) => ZSTD,
            Protocol::Auto => Form::PLAIN,
        }
    }

    /// Whether something else may be sent where the upstream does not take a form.
    pub(super) fn falls_back(&self) -> bool {
        self.protocol == Protocol::Auto
    }

    /// Whether the upstream is known to take a form.
    pub(super) fn is_known(&self, form: Form) -> bool {
        self.answer(form).is_none_or(|answer| answer.0.load(Ordering::Relaxed) == TAKEN)
    }

    /// The upstream took a body of this form.
    pub(super) fn took(&self, form: Form) {
        if let Some(answer) = self.answer(form)
            && answer.0.load(Ordering::Relaxed) != TAKEN
        {
            answer.0.store(TAKEN, Ordering::Relaxed);
            self.show(form, true);
        }
    }

    /// The upstream did not take a body of this form, and took the same in plain. Says whether that is news: requests in hand
    /// find it out side by side.
    pub(super) fn refused(&self, form: Form, clock: &Clock) -> bool {
        let Some(answer) = self.answer(form) else { return false };
        let retry = i64::try_from(self.retry.as_millis()).unwrap_or(i64::MAX);
        let until = clock.mono_ms().saturating_add(retry).min(TAKEN - 1);
        let is_news = answer.may_be_tried(clock);
        answer.0.store(until, Ordering::Relaxed);
        self.show(form, false);
        is_news
    }

    fn answer(&self, form: Form) -> Option<&Answer> {
        match (form.message, form.encoding) {
            (Message::V2, _) => Some(&self.v2),
            (Message::V1, Encoding::Zstd) => Some(&self.zstd),
            (Message::V1, Encoding::Snappy) => None,
        }
    }

    fn show(&self, form: Form, taken: bool) {
        let gauge =
            if form.message == Message::V2 { &self.metrics.takes_v2 } else { &self.metrics.takes_zstd };
        gauge.set(if taken { 1.0 } else { 0.0 });
    }
}

impl Answer {
    fn may_be_tried(&self, clock: &Clock) -> bool {
        match self.0.load(Ordering::Relaxed) {
            TAKEN | UNKNOWN => true,
            until => clock.mono_ms() >= until,
        }
    }
}
