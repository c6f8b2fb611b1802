//! What `simulate` says at the end.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::drive::{Account, Deeds, Volume};
use crate::policy::{Mode, Summary};
use crate::series::quote;

/// Metrics without a type that are named to people.
const NAMED: usize = 20;

/// One JSON object.
pub(super) fn as_json(account: &Account, policies: &[Summary]) -> Value {
    let volume = |volume: &Volume| {
        json!({
            "series": volume.series,
            "samples": volume.counts.samples,
            "histograms": volume.counts.histograms,
            "exemplars": volume.counts.exemplars,
            "bytes": volume.bytes,
        })
    };
    let rows = policies.iter().zip(&account.policies).map(|(policy, deeds)| {
        json!({
            "name": &*policy.name,
            "action": policy.action.as_str(),
            "mode": policy.mode.as_str(),
            "samples_in": deeds.samples_in,
            "samples_out": deeds.samples_out,
            "series_dropped": deeds.series_dropped.len(),
            "series_rewritten": deeds.series_rewritten.len(),
            "series_held": deeds.series_held.len(),
            "series_folded": deeds.series_folded.len(),
        })
    });
    json!({
        "from_ms": account.span_ms.map(|(first, _)| first),
        "to_ms": account.span_ms.map(|(_, last)| last),
        "in": volume(&account.received),
        "out": volume(&account.sent),
        "dropped": account.dropped,
        "collisions": account.collided,
        "aggregated": account.aggregated,
        "held": account.held,
        "folded": account.folded,
        "duplicates": account.duplicates,
        "generated": account.generated,
        "not_aggregated": account.unaggregated,
        "untyped": account.untyped,
        "rejected": account.rejected,
        "policies": rows.collect::<Vec<_>>(),
    })
}

/// A table for people.
pub(super) fn as_text(account: &Account, policies: &[Summary], out: &mut impl Write) -> io::Result<()> {
    if account.is_empty() {
        return Ok(());
    }
    let (received, sent) = (&account.received, &account.sent);
    writeln!(out, "{:<22} {:>14} {:>14} {:>8}", "", "in", "out", "change")?;
    for (what, before, after) in [
        ("series", received.series, sent.series),
        ("samples", received.counts.samples, sent.counts.samples),
        ("histograms", received.counts.histograms, sent.counts.histograms),
        ("exemplars", received.counts.exemplars, sent.counts.exemplars),
        ("bytes (compressed)", received.bytes, sent.bytes),
    ] {
        if before > 0 {
            writeln!(out, "{what:<22} {before:>14} {after:>14} {:>8}", change(before, after))?;
        }
    }
    for (what, samples) in [
        ("dropped by policy", account.dropped),
        ("held back: collision", account.collided),
        ("aggregated", account.aggregated),
        ("held back: limit", account.held),
        ("folded: limit", account.folded),
        ("made of them", account.generated),
        ("duplicates", account.duplicates),
    ] {
        if samples > 0 {
            writeln!(out, "{what:<22} {samples:>14} samples")?;
        }
    }
    for (reason, samples) in &account.unaggregated {
        writeln!(out, "{:<22} {samples:>14} samples", format!("dropped: {reason}"))?;
    }
    for (reason, samples) in &account.rejected {
        writeln!(out, "{:<22} {samples:>14} samples", format!("rejected: {reason}"))?;
    }
    if !account.untyped.is_empty() {
        let named: Vec<_> = account.untyped.iter().take(NAMED).map(|metric| quote::shown(metric)).collect();
        let more = account.untyped.len() - named.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        writeln!(out, "\npassed, because nothing says what they are: {}{more}", named.join(", "))?;
        writeln!(out, "where they are gauges, aggregate them by a policy with `type: gauge`")?;
    }
    if policies.is_empty() { Ok(()) } else { put_policies(account, policies, out) }
}

fn put_policies(account: &Account, policies: &[Summary], out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "\n{:<24} {:<8} {:<8} {:>12} {:>12} {:>15} {:>17}",
        "policy", "action", "mode", "samples in", "samples out", "series dropped", "series rewritten"
    )?;
    for (policy, deeds) in policies.iter().zip(&account.policies) {
        writeln!(
            out,
            "{:<24} {:<8} {:<8} {:>12} {:>12} {:>15} {:>17}{}",
            policy.name,
            policy.action.as_str(),
            policy.mode.as_str(),
            deeds.samples_in,
            deeds.samples_out,
            deeds.series_dropped.len(),
            deeds.series_rewritten.len(),
            remark(deeds),
        )?;
    }
    if policies.iter().any(|policy| policy.mode == Mode::Preview) {
        writeln!(out, "\nA preview changes nothing; its row says what it would have done.")?;
    }
    Ok(())
}

/// What the columns do not say of a policy.
fn remark(deeds: &Deeds) -> String {
    let counted =
        |series: usize, what| if series > 0 { format!("  {series} series {what}") } else { String::new() };
    match deeds.samples_in {
        0 => "  never matched".to_owned(),
        _ => counted(deeds.series_held.len(), "held back") + &counted(deeds.series_folded.len(), "folded"),
    }
}

fn change(before: u64, after: u64) -> String {
    if before == 0 {
        return String::new();
    }
    format!("{:+.1}%", (after as f64 - before as f64) * 100.0 / before as f64)
}
