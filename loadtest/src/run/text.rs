//! A run as lines for people.

use std::fmt;

use super::Outcome;

/// A count with points where people want them: 1,234,567.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes in a unit that fits.
pub(crate) fn bytes(value: f64) -> String {
    match value {
        _ if value >= 1e9 => format!("{:.2} GB", value / 1e9),
        _ if value >= 1e6 => format!("{:.1} MB", value / 1e6),
        _ if value >= 1e3 => format!("{:.1} kB", value / 1e3),
        _ => format!("{value:.0} B"),
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} through {}, {}", self.scenario, self.proxy, self.variant)?;
        writeln!(
            f,
            "rate        {} samples/s offered, {} accepted",
            count(self.offered_per_second as u64),
            count(self.accepted_per_second as u64)
        )?;
        writeln!(
            f,
            "samples     {} accepted, {} refused, {} unknown",
            count(self.accepted),
            count(self.refused),
            count(self.unknown)
        )?;
        if self.warm_lost > 0 {
            writeln!(f, "warming up  {} samples were not accepted", count(self.warm_lost))?;
        }
        let arrived: Vec<String> =
            self.flow.out_forms.iter().map(|(form, n)| format!("{} x {form}", count(*n))).collect();
        let arrived = if arrived.is_empty() { "nothing".to_owned() } else { arrived.join(", ") };
        writeln!(f, "protocol    {} sent; {arrived} arrived", self.protocol)?;
        let ms = &self.latency;
        writeln!(
            f,
            "latency     p50 {:.1} ms, p90 {:.1}, p99 {:.1}, p99.9 {:.1}, max {:.1}, from when a body was due",
            ms.p50_ms, ms.p90_ms, ms.p99_ms, ms.p999_ms, ms.max_ms
        )?;
        let codes: Vec<String> =
            self.codes.iter().map(|(code, n)| format!("{} x {code}", count(*n))).collect();
        let codes = if codes.is_empty() { "none".to_owned() } else { codes.join(", ") };
        writeln!(f, "answers     {codes}; {} broken, {} retries", self.broken, self.retries)?;
        if let Some(error) = &self.last_error {
            writeln!(f, "last error  {error}")?;
        }
        self.fmt_cost(f)?;
        let flow = &self.flow;
        writeln!(
            f,
            "in          {} series, {} born; {} samples, {} on the wire, {} decoded",
            count(self.series),
            count(self.born),
            count(flow.in_samples),
            bytes(flow.in_wire_bytes as f64),
            bytes(flow.in_raw_bytes as f64)
        )?;
        writeln!(
            f,
            "out         {} series; {} samples, {} on the wire, {} requests",
            count(flow.out_series),
            count(flow.out_samples),
            bytes(flow.out_wire_bytes as f64),
            count(flow.out_requests)
        )?;
        self.fmt_verdict(f)?;
        let late = &self.headroom.late;
        writeln!(
            f,
            "sender      {:.0}% of a core left, late by {:.1} ms (p50), {:.1} (p99)",
            self.headroom.left() * 100.0,
            late.p50_ms,
            late.p99_ms
        )?;
        match self.headroom.limit {
            Some(limit) => writeln!(f, "NOT VALID   {limit}"),
            None => Ok(()),
        }
    }
}

impl Outcome {
    fn fmt_cost(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(cost) = &self.cost else { return Ok(()) };
        writeln!(
            f,
            "cpu         {:.3} s a million samples ({:.0} ns each; {:.2} s in all)",
            cost.cpu_per_million,
            cost.cpu_per_million * 1000.0,
            cost.cpu_seconds
        )?;
        let mib = |kib: Option<u64>| kib.unwrap_or(0) as f64 / 1024.0;
        writeln!(
            f,
            "memory      {:.0} MiB empty, {:.0} MiB now, {:.0} MiB peak; {:.0} bytes a series",
            mib(self.empty_rss_kib),
            mib(self.end_rss_kib),
            mib(Some(cost.peak_rss_kib)),
            self.rss_per_series().unwrap_or(0.0)
        )
    }

    fn fmt_verdict(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(verdict) = &self.verdict else { return writeln!(f, "verified    no") };
        if verdict.is_clean() {
            write!(f, "verified    {} series bit for bit", count(verdict.exact_series))?;
        } else {
            write!(f, "FAULTS      {}", verdict.faults.join("; "))?;
        }
        if verdict.relabeled.0 > 0 {
            write!(f, "; {} samples under other labels", count(verdict.relabeled.1))?;
        }
        if verdict.groups + verdict.unjudged_groups > 0 {
            let right = verdict.groups - verdict.wrong_groups;
            let (bounds, unjudged) = (count(verdict.doubtful_groups), count(verdict.unjudged_groups));
            write!(
                f,
                "; the increase of {} groups ({bounds} by bounds, {unjudged} not judged)",
                count(right)
            )?;
        }
        if verdict.duplicates > 0 && verdict.is_clean() {
            let (twice, again) = (count(verdict.duplicates), count(verdict.resent));
            write!(f, "; {twice} samples arrived twice, {again} were sent again")?;
        }
        if verdict.unjudged_series > 0 {
            write!(f, "; {} series not judged", count(verdict.unjudged_series))?;
        }
        writeln!(f)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn counts_have_commas_and_bytes_units() {
        assert_eq!(super::count(1_234_567), "1,234,567");
        assert_eq!((super::count(0), super::count(999)), ("0".into(), "999".into()));
        assert_eq!(super::bytes(1_530_000.0), "1.5 MB");
    }
}
