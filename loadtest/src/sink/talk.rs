//! What a sink and those who ask it over the network have agreed on.

use anyhow::{Context, Result, ensure};

use super::{Arrived, Ledger};
use crate::rich::RichTotals;

/// The query of `/reset` after which scopes are told apart.
pub(super) const SCOPED: &str = "scoped";

/// Numbers that a series takes in a ledger.
const WORDS: usize = 11;
/// Numbers in front of the series.
const HEAD_WORDS: usize = 5;

/// A ledger as numbers of eight bytes.
pub(super) fn encode(ledger: &Ledger) -> Vec<u8> {
    let mut out = Vec::with_capacity((ledger.series() * WORDS + HEAD_WORDS) * 8);
    let (exemplars, histograms) = ledger.rich;
    let mut put = |words: &[u64]| words.iter().for_each(|word| out.extend(word.to_le_bytes()));
    put(&[exemplars.count, exemplars.sum, histograms.count, histograms.sum, ledger.untracked]);
    for (identity, arrived) in ledger.all() {
        put(&[identity]);
        put(&arrived.words());
    }
    out
}

/// The ledger that such numbers are.
pub(super) fn decode(bytes: &[u8]) -> Result<Ledger> {
    let words: Vec<u64> = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
    let (rich, series) = words.split_at_checked(HEAD_WORDS).context("a ledger without a beginning")?;
    ensure!(series.len() % WORDS == 0, "the sink's ledger is cut off, or from another version");
    let mut ledger = Ledger::default();
    let total = |words: &[u64]| RichTotals { count: words[0], sum: words[1] };
    ledger.rich = (total(&rich[..2]), total(&rich[2..4]));
    ledger.untracked = rich[4];
    for entry in series.as_chunks::<WORDS>().0 {
        ledger.insert(entry[0], Arrived::from_words(entry[1..].try_into().expect("the others")));
    }
    Ok(ledger)
}
