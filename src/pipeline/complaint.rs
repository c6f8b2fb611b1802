//! What a sender is told about data that cannot be accepted: how much, why, and an example for each reason.

use super::{Body, Outcome};
use crate::series::Invalid;

/// Senders log no more of an answer; what is told in full fits, and else is told in short.
const LOGGED: usize = 256;

impl Outcome {
    /// What the sender is told; `None` if all can be accepted. `written`: whether the upstream has the rest.
    pub fn complaint(&self, written: bool) -> Option<String> {
        if self.rejected_series == 0 && self.rejected_metadata == 0 {
            return None;
        }
        let full = self.told(written, None);
        if full.len() <= LOGGED {
            return Some(full);
        }
        let without_examples = self.told(written, Some(0)).len();
        let room = LOGGED.saturating_sub(without_examples) / self.blamed.len().max(1);
        Some(self.told(written, Some(room)))
    }

    /// The text; in short, with examples of so many bytes at most, where `short` says how many.
    fn told(&self, written: bool, short: Option<usize>) -> String {
        let mut reasons: Vec<String> = Vec::new();
        for ((reason, counts), series) in Invalid::ALL.iter().zip(&self.rejected).zip(self.rejected_by) {
            if series == 0 {
                continue;
            }
            let mut text = match (counts.samples + counts.histograms, short) {
                (0, None) => format!("{series} series without samples: {reason}"),
                (1, None) => format!("1 sample: {reason}"),
                (samples, None) => format!("{samples} samples: {reason}"),
                (samples, Some(_)) => format!("{} {}", samples.max(series), reason.as_str()),
            };
            if let Some(blamed) = self.blamed.iter().find(|blamed| blamed.reason == *reason) {
                text.push_str(&blamed.shown(short.unwrap_or(usize::MAX)));
            }
            reasons.push(text);
        }
        if self.rejected_metadata > 0 {
            let entries = if self.rejected_metadata == 1 { "entry" } else { "entries" };
            reasons.push(format!("{} metadata {entries}: {}", self.rejected_metadata, Invalid::InvalidUtf8));
        }
        let rest = self.rejected_series < self.series || self.body != Body::Nothing;
        format!(
            "{} of {} series rejected{} ({})",
            self.rejected_series,
            self.series,
            if written && rest { ", the valid rest was written" } else { "" },
            reasons.join("; ")
        )
    }
}
