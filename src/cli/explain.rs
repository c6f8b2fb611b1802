//! `seriesgate explain`: what the policies do with a series, without any traffic.

mod note;
mod options;
mod series;
mod workload;

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use self::note::{Known, Unaggregated, unaggregated, unknown};
pub(super) use self::options::{Options, timestamp};
use self::workload::Attribution;
use super::output::tell;
use crate::cardinality::RecordedOwners;
use crate::clock::Clock;
use crate::config::Secrets;
use crate::policy::{
    Disposition, Effect, Mode, OwnedLabels, PolicyIndex, PolicySet, Run, Walk, WorkloadSource, borrowed,
};
use crate::series::identity;
use crate::series::{Invalid, Labels, Limits, LongValues, SubjectTable, quote};

pub(super) fn explain(options: &Options) -> ExitCode {
    let asked = match options.asked() {
        Ok(asked) => asked,
        Err(why) => return super::load::refuse(&why),
    };
    let loaded = match super::load::once(asked.config, Secrets::NotAsked) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let now = || Timestamp::from_millisecond(Clock::system().unix_ms()).unwrap_or_default();
    let at = options.now.unwrap_or_else(now);
    let set = match PolicySet::compile(&loaded.config.policies, Run::AsConfigured) {
        Ok(set) => set,
        Err(error) => {
            tell!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let subjects = Arc::clone(&loaded.config.series.subjects);
    let owners = match workload::owners(&options.owners, loaded.config.listen.max_decoded_bytes, &subjects) {
        Ok(owners) => owners,
        Err(why) => {
            tell!("--owners: {why}");
            return ExitCode::FAILURE;
        }
    };
    let limits = loaded.config.series.limits();
    let long_values = loaded.config.upstream.long_values;
    let explainer = Explainer { set, limits, long_values, subjects, owners, at, json: options.json };
    let mut out = std::io::stdout().lock();
    let result = match asked.series {
        Some(series) => explainer.all(series.iter().map(|line| Ok(line.clone())), &mut out),
        None => {
            let is_blank =
                |line: &std::io::Result<String>| line.as_ref().is_ok_and(|line| line.trim().is_empty());
            explainer.all(std::io::stdin().lock().lines().filter(|line| !is_blank(line)), &mut out)
        }
    };
    match result {
        Ok(Read { series: 0, all_good: true }) => {
            tell!("warning: there is nothing to explain: no series was given");
            ExitCode::SUCCESS
        }
        Ok(Read { all_good: true, .. }) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) if super::output::is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            super::output::failed(&error);
            ExitCode::FAILURE
        }
    }
}

/// What there was to explain.
struct Read {
    series: usize,
    /// Whether all of it could be read.
    all_good: bool,
}

struct Explainer {
    set: PolicySet,
    limits: Limits,
    long_values: Option<LongValues>,
    subjects: Arc<SubjectTable>,
    owners: Option<RecordedOwners>,
    at: Timestamp,
    json: bool,
}

impl Explainer {
    /// Explains every line that is a series: a comment is none.
    fn all(
        &self,
        lines: impl Iterator<Item = std::io::Result<String>>,
        out: &mut impl Write,
    ) -> std::io::Result<Read> {
        let mut read = Read { series: 0, all_good: true };
        for line in lines {
            let line = match line {
                Ok(line) => line,
                Err(error) => {
                    tell!("cannot read standard input: {error}");
                    read.all_good = false;
                    break;
                }
            };
            let text = line.trim();
            if text.starts_with('#') {
                continue;
            }
            read.series += 1;
            match series::read(text) {
                Ok(labels) => self.one(&labels, out)?,
                Err(why) => {
                    read.all_good = false;
                    // with --json each line has its answer where answers are read
                    if self.json {
                        writeln!(out, "{}", quote::json(json!({ "error": why }).to_string()))?;
                    } else {
                        let text = if text.is_empty() { "''" } else { text };
                        tell!("{}: {}", quote::shown(text), quote::shown(&why));
                    }
                }
            }
        }
        Ok(read)
    }

    fn one(&self, labels: &BTreeMap<String, String>, out: &mut impl Write) -> std::io::Result<()> {
        // an empty value is the same as no label
        let pairs: Vec<(&str, &str)> =
            labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).filter(|(_, v)| !v.is_empty()).collect();
        let reason = identity::fault(&pairs, &self.limits);
        let series = Labels::from_sorted(&pairs);
        let found = workload::of(series, &self.subjects, self.owners.as_ref());
        let find = || found.as_ref().map(Attribution::facts);
        let source = WorkloadSource::new(u32::try_from(self.at.as_second()).unwrap_or(0), &find);
        let mut walk = if reason.is_none() {
            self.set.walk(series, &source, &self.limits)
        } else {
            Walk { reason, disposition: Disposition::Reject, ..Walk::default() }
        };
        let passes = unaggregated(&self.set, series, &walk);
        let unknown = unknown(&self.set, &walk, source.facts());
        let mut cut = None;
        if let Some(long_values) = self.long_values {
            let sent = sent(&pairs, &walk);
            if sent.iter().all(|(name, value)| long_values.sent(name, value).is_ok()) {
                cut = note::cut(long_values, &sent);
            } else if matches!(walk.disposition, Disposition::Forward | Disposition::Rewrite) {
                (walk.disposition, walk.reason) = (Disposition::Reject, Some(Invalid::LongLabelValue));
            }
        }
        let known = Known { found: found.as_ref(), walk: &walk, passes: passes.as_ref(), unknown, cut };
        if self.json {
            let answer = self.explained(labels, &pairs, &known);
            writeln!(out, "{}", quote::json(answer.to_string()))
        } else {
            self.text(&pairs, &known, out)
        }
    }

    fn explained(
        &self,
        labels: &BTreeMap<String, String>,
        pairs: &[(&str, &str)],
        known: &Known<'_>,
    ) -> Value {
        let Known { found, walk, passes, .. } = *known;
        let policies = self.set.policies();
        let named = |index: PolicyIndex| policies.get(usize::from(index.0));
        let steps = walk.steps.iter().filter_map(|step| {
            let policy = named(step.policy)?;
            Some(json!({
                "policy": &*policy.name,
                "action": policy.action.as_str(),
                "mode": policy.mode.as_str(),
                "matched": step.matched,
                "effect": step.effect.as_str(),
                "labels": object(borrowed(&step.labels)),
            }))
        });
        let passed = passes.filter(|passes| passes.for_good);
        let goes_on = passed.map_or_else(|| sent(pairs, walk), |passed| borrowed(&passed.labels));
        let output = if goes_on.is_empty() { Value::Null } else { object(goes_on) };
        let ended_by = walk.ended_by.and_then(named);
        let series = Labels::from_sorted(pairs);
        json!({
            "input": labels,
            "tenant": "",
            "at": self.at.to_string(),
            "verdict": if passed.is_some() { "forward" } else { verdict(walk) },
            "reason": walk.reason.map(Invalid::as_str),
            "policy": ended_by.map(|policy| &*policy.name),
            "output": output,
            "workload": found.map(|found| json!({
                "kind": found.kind.as_str(),
                "name": found.name,
                "run": found.run,
                "by": if found.owner_said { "owner" } else { "name" },
            })),
            "workload_note": workload::doubt(series, &self.subjects, found, self.owners.is_some()),
            "steps": steps.collect::<Vec<_>>(),
            "note": known.note(),
        })
    }

    fn text(&self, pairs: &[(&str, &str)], known: &Known<'_>, out: &mut impl Write) -> std::io::Result<()> {
        let Known { found, walk, passes, .. } = *known;
        let series = Labels::from_sorted(pairs);
        writeln!(out, "{series}")?;
        let doubt = workload::doubt(series, &self.subjects, found, self.owners.is_some());
        if found.is_some() || doubt.is_some() {
            writeln!(out, "  {:<24} {}", "workload", quote::shown(&workload::in_words(found)))?;
        }
        if let Some(doubt) = doubt {
            writeln!(out, "  {:<24}   {}", "", quote::shown(doubt))?;
        }
        self.steps(pairs, walk, out)?;
        let named = |index: PolicyIndex| self.set.policies().get(usize::from(index.0));
        let note = |out: &mut dyn Write| match known.note() {
            Some(note) => writeln!(out, "     note: {}", quote::shown(&note)),
            None => Ok(()),
        };
        if let Some((passes, policy)) = passes.zip(walk.ended_by.and_then(named)) {
            let Unaggregated { for_good, labels, .. } = passes;
            let now = if *for_good { "" } else { ", for now" };
            writeln!(out, "  => forward{now} ({} does not aggregate it)", policy.name)?;
            writeln!(out, "     {}", Labels::from_sorted(&borrowed(labels)))?;
            return note(out);
        }
        let because = match (walk.reason, walk.ended_by.and_then(named)) {
            (Some(reason), _) => format!(" ({}: {reason})", reason.as_str()),
            (None, Some(policy)) => format!(" (by {})", policy.name),
            (None, None) => " (no policy ended the walk)".to_owned(),
        };
        writeln!(out, "  => {}{because}", verdict(walk))?;
        if let Disposition::Rewrite | Disposition::Aggregate = walk.disposition
            && let Some(last) = walk.steps.last()
        {
            writeln!(out, "     {}", Labels::from_sorted(&borrowed(&last.labels)))?;
        }
        note(out)
    }

    /// What each policy does, and which labels it changes.
    fn steps(&self, pairs: &[(&str, &str)], walk: &Walk, out: &mut impl Write) -> std::io::Result<()> {
        let mut before: OwnedLabels =
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        for (step, policy) in walk.steps.iter().zip(self.set.policies()) {
            let what = match (step.matched, policy.mode, step.effect) {
                (false, ..) if step.workload_holds.is_some() => {
                    "does not match, by what it asks of the workload".to_owned()
                }
                (false, ..) => "does not match".to_owned(),
                (true, _, Effect::None) => "matches, and its rules change nothing".to_owned(),
                (true, Mode::Enforce, effect) => format!("matches: {}", effect.as_str()),
                (true, Mode::Preview, effect) => format!("would {} (preview)", effect.as_str()),
            };
            writeln!(out, "  {:<24} {what}", policy.name)?;
            for line in changes(&before, &step.labels) {
                writeln!(out, "  {:<24}   {}", "", quote::shown(&line))?;
            }
            before.clone_from(&step.labels);
        }
        Ok(())
    }
}

/// The labels under which something goes on; none where nothing does.
fn sent<'l>(pairs: &[(&'l str, &'l str)], walk: &'l Walk) -> Vec<(&'l str, &'l str)> {
    match (walk.disposition, walk.steps.last()) {
        (Disposition::Forward, _) => pairs.to_vec(),
        (Disposition::Rewrite | Disposition::Aggregate, Some(last)) => borrowed(&last.labels),
        _ => Vec::new(),
    }
}

fn verdict(walk: &Walk) -> &'static str {
    match walk.disposition {
        Disposition::Forward | Disposition::Rewrite => "forward",
        Disposition::Drop => "drop",
        Disposition::Aggregate => "aggregate",
        Disposition::Hold => "limit",
        // a walk knows one series only, so nothing collides
        Disposition::Reject | Disposition::Collide => "reject",
    }
}

fn object(labels: Vec<(&str, &str)>) -> Value {
    Value::Object(labels.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect())
}

/// What became of each label that is not as it was.
fn changes(before: &OwnedLabels, after: &OwnedLabels) -> Vec<String> {
    let find = |labels: &OwnedLabels, name: &str| {
        let at = labels.binary_search_by(|(candidate, _)| (**candidate).cmp(name)).ok();
        at.map(|at| labels[at].1.clone())
    };
    let gone = before.iter().filter(|(name, _)| find(after, name).is_none());
    let mut lines: Vec<String> = gone.map(|(name, value)| format!("- {name}={value:?}")).collect();
    for (name, value) in after {
        match find(before, name) {
            None => lines.push(format!("+ {name}={value:?}")),
            Some(old) if old != *value => lines.push(format!("~ {name}={old:?} to {value:?}")),
            Some(_) => {}
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_series_text_or_a_json_object() {
        let read_pairs = |text: &str| series::read(text).map(|labels| labels.into_iter().collect::<Vec<_>>());
        let expected = vec![("__name__".to_owned(), "up".to_owned()), ("job".to_owned(), "a b".to_owned())];
        assert_eq!(read_pairs(r#"up{job="a b"}"#).unwrap(), expected);
        assert_eq!(read_pairs(r#"{"__name__":"up","job":"a b"}"#).unwrap(), expected);
        assert!(read_pairs(r#"{"__name__":1}"#).is_err());
        assert!(read_pairs("up{job=").is_err());
    }

    #[test]
    fn what_an_aggregation_cannot_take_is_forwarded_in_the_answer_too() {
        let text = "upstreams: [ { name: a, url: 'http://h/w' } ]\n\
                    policies: [ { name: agg, action: aggregate, without: [pod] } ]\n";
        let config = crate::config::Config::parse(text, "gate.yaml", std::path::Path::new("."), &|_| None);
        let config = config.unwrap().config;
        let answer = |json: bool, series: &str| {
            let set = PolicySet::compile(&config.policies, Run::AsConfigured).unwrap();
            let explainer = Explainer {
                set,
                long_values: None,
                limits: config.series.limits(),
                subjects: Arc::default(),
                owners: None,
                at: Timestamp::UNIX_EPOCH,
                json,
            };
            let mut out = Vec::new();
            assert!(explainer.all(std::iter::once(Ok(series.to_owned())), &mut out).unwrap().all_good);
            String::from_utf8(out).unwrap()
        };
        for (series, verdict, shown) in [
            ("x_total{pod=\"a\"}", "aggregate", "  => aggregate (by agg)\n     x_total\n"),
            (
                "x{pod=\"a\",quantile=\"1\"}",
                "forward",
                "  => forward (agg does not aggregate it)\n     x{pod=\"a\",quantile=\"1\"}\n     note: quantiles",
            ),
            // it is aggregated once somebody says what it is
            (
                "x{pod=\"a\"}",
                "aggregate",
                "  => forward, for now (agg does not aggregate it)\n     x{pod=\"a\"}\n     note: nothing says",
            ),
        ] {
            let json: Value = serde_json::from_str(&answer(true, series)).unwrap();
            assert_eq!((&json["verdict"], &json["policy"]), (&json!(verdict), &json!("agg")), "{series}");
            let text = answer(false, series);
            assert!(text.contains(shown), "{text}");
        }
    }
}
