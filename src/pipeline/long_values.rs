//! Label values that are longer than the upstream takes: the last change of a series' labels, once it is decided what is sent.

use super::Policies;
use crate::policy::{OwnedLabels, VerdictId, borrowed};
use crate::series::{Invalid, TooLong};

impl Policies {
    /// What is sent of a series that came with these labels, given what policies make of it.
    pub(super) fn fit(
        &self,
        pairs: &[(&str, &str)],
        verdict: VerdictId,
        output: Option<OwnedLabels>,
    ) -> (VerdictId, Option<OwnedLabels>) {
        let Some(long_values) = self.long_values.filter(|_| verdict.disposition().forwards()) else {
            return (verdict, output);
        };
        let changed = output.as_ref().map(borrowed);
        let labels = changed.as_deref().unwrap_or(pairs);
        if long_values.fit(labels) {
            return (verdict, output);
        }
        let sent = |(name, value): &(&str, &str)| {
            Ok(((*name).into(), long_values.sent(name, value)?.into_owned().into_boxed_str()))
        };
        let cut: Result<OwnedLabels, TooLong> = labels.iter().map(sent).collect();
        match cut {
            Ok(cut) => (self.set.cut(verdict), Some(cut)),
            Err(TooLong) => (self.set.rejected(verdict, Invalid::LongLabelValue), None),
        }
    }
}
