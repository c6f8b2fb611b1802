//! What labels alone do not tell: why a series is not aggregated although a policy is there for it, and how its run stands.

use super::workload::Attribution;
use crate::aggregate::{Class, NotAggregated, class_by_labels};
use crate::config::listed;
use crate::policy::{
    ActionKind, Disposition, Effect, Mode, OwnedLabels, PolicyIndex, PolicySet, Walk, borrowed,
};
use crate::series::{Labels, LongValues, WorkloadFacts};

/// A series that is not aggregated.
pub(super) struct Unaggregated {
    /// In words.
    pub(super) why: String,
    /// Whether that is so whatever comes, and not only as long as nobody says what the series is.
    pub(super) for_good: bool,
    /// What it passes as.
    pub(super) labels: OwnedLabels,
}

/// What there is to say of a series.
pub(super) struct Known<'k> {
    pub(super) found: Option<&'k Attribution>,
    pub(super) walk: &'k Walk,
    pub(super) passes: Option<&'k Unaggregated>,
    /// What the answer depends on and is not known here.
    pub(super) unknown: Option<String>,
    /// Which values are cut on the way out.
    pub(super) cut: Option<String>,
}

impl Known<'_> {
    /// What is to be added in words.
    pub(super) fn note(&self) -> Option<String> {
        let passes = self.passes.map(|passes| &*passes.why).into_iter();
        let notes: Vec<&str> = passes.chain(self.unknown.as_deref()).chain(self.cut.as_deref()).collect();
        (!notes.is_empty()).then(|| notes.join("; "))
    }
}

/// `None` where the series is aggregated, and where nothing was to aggregate it.
pub(super) fn unaggregated(set: &PolicySet, series: Labels<'_>, walk: &Walk) -> Option<Unaggregated> {
    let by =
        walk.ended_by.filter(|_| !matches!(walk.disposition, Disposition::Drop | Disposition::Reject))?;
    let aggregation = set.aggregation(by)?;
    // the step of an `aggregate` policy shows the group's labels; the policy saw those of the step before
    let groups = set.policies().get(usize::from(by.0))?.action == ActionKind::Aggregate;
    let seen = walk.steps.iter().rev().nth(usize::from(groups));
    let seen = seen.map_or_else(|| series.iter().collect(), |step| borrowed(&step.labels));
    let seen = Labels::from_sorted(&seen);
    let (why, for_good) = match (aggregation.lost(series, seen), class_by_labels(seen, aggregation)) {
        (Some(label), _) => (
            format!("rules took `{label}`, which tells the series apart from what it must not be added to"),
            true,
        ),
        (None, Class::Pass(NotAggregated::Untyped)) => (
            format!(
                "nothing says what `{}` is: it passes until metadata, or a sibling's name, does; if it is a gauge, say \
                 `type: gauge` in the policy",
                seen.metric()
            ),
            false,
        ),
        (None, Class::Pass(NotAggregated::Quantile)) => {
            ("quantiles of a summary cannot be added up".to_owned(), true)
        }
        _ => return None,
    };
    let labels = seen.iter().map(|(name, value)| (name.into(), value.into())).collect();
    Some(Unaggregated { why, for_good, labels })
}

/// In words, which values of these labels are cut on the way out.
pub(super) fn cut(long_values: LongValues, labels: &[(&str, &str)]) -> Option<String> {
    let long = labels.iter().filter(|(_, value)| value.len() > long_values.most);
    let names: Vec<&str> = long.map(|(name, _)| *name).collect();
    (!names.is_empty()).then(|| {
        format!(
            "what is sent of the value of {} is cut, and ends with a hash (`max_label_value`)",
            listed(&names)
        )
    })
}

/// In words, what the answer depends on and only a gate knows.
pub(super) fn unknown(set: &PolicySet, walk: &Walk, facts: Option<&WorkloadFacts>) -> Option<String> {
    let parts = [unknown_states(set, walk, facts), unknown_places(set, walk)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// In words, which limits it takes to admit the series.
fn unknown_places(set: &PolicySet, walk: &Walk) -> Option<String> {
    let limiting =
        walk.steps.iter().filter(|step| step.effect == Effect::Limit && step.mode == Mode::Enforce);
    let named = limiting.filter_map(|step| set.policies().get(usize::from(step.policy.0)));
    let names: Vec<&str> = named.map(|policy| &*policy.name).collect();
    (!names.is_empty()).then(|| {
        format!(
            "how many series are admitted already is not known here: the answer is as if there were room with {}",
            listed(&names)
        )
    })
}

/// In words, which policies ask how the run of a series stands: only a stream says so.
fn unknown_states(set: &PolicySet, walk: &Walk, facts: Option<&WorkloadFacts>) -> Option<String> {
    let facts = facts.filter(|facts| facts.run.is_some() && facts.kind.runs_end())?;
    let asked = walk.steps.iter().filter(|step| step.workload_holds.is_some()).map(|step| step.policy);
    let asks = |policy: &PolicyIndex| {
        let condition = set.condition(*policy);
        condition.is_some_and(|asked| asked.condition().asks_for_states() && asked.names(facts))
    };
    let names: Vec<&str> = asked
        .filter(asks)
        .filter_map(|policy| set.policies().get(usize::from(policy.0)))
        .map(|policy| &*policy.name)
        .collect();
    (!names.is_empty()).then(|| {
        format!(
            "how its run stands, which runs are newer and when its values changed is not known here, and asked by {}: the answer is as if nothing \
             in the stream said so, by when the run was due, as if none were newer and as if it had just changed",
            listed(&names)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::policy::{Run, WorkloadSource};
    use crate::series::Limits;

    fn note(policies: &str, series: &[(&str, &str)]) -> Option<String> {
        let text = format!("upstreams: [ {{ name: a, url: 'http://h/w' }} ]\npolicies: [ {policies} ]\n");
        let loaded = Config::parse(&text, "gate.yaml", std::path::Path::new("."), &|_| None).unwrap();
        let set = PolicySet::compile(&loaded.config.policies, Run::AsConfigured).unwrap();
        let limits: Limits = loaded.config.series.limits();
        let walk = set.walk(Labels::from_sorted(series), &WorkloadSource::nothing(), &limits);
        unaggregated(&set, Labels::from_sorted(series), &walk).map(|passes| passes.why)
    }

    #[test]
    fn what_would_pass_is_told() {
        let plain = "{ name: a, action: aggregate, without: [pod] }";
        let memory = [("__name__", "memory_bytes"), ("pod", "a")];
        assert!(note(plain, &memory).unwrap().starts_with("nothing says what `memory_bytes` is"));
        assert_eq!(note("{ name: a, action: aggregate, without: [pod], type: gauge }", &memory), None);
        assert_eq!(note("{ name: a, action: aggregate, without: [pod], outputs: [max] }", &memory), None);
        assert_eq!(note("{ name: a, action: aggregate, without: [pod], mode: preview }", &memory), None);
        assert_eq!(note("{ name: a, action: drop }", &memory), None);
        assert_eq!(note(plain, &[("__name__", "hits_total"), ("pod", "a")]), None);
        assert_eq!(note(plain, &[("__name__", "x_bucket"), ("le", "1"), ("pod", "a")]), None);
        let quantile = [("__name__", "x"), ("quantile", "0.5")];
        assert!(note(plain, &quantile).unwrap().starts_with("quantiles of a summary"));
        let kept = "{ name: a, action: aggregate, without: [pod], suffix: ':sum', keep_input: true }";
        assert!(note(kept, &memory).unwrap().starts_with("nothing says what `memory_bytes` is"));
    }

    #[test]
    fn what_rules_took_is_told() {
        let rules = "relabel_configs: [ { action: labeldrop, regex: 'le|replica' } ]";
        let bucket = [("__name__", "x_bucket"), ("le", "1"), ("pod", "a")];
        let collects = format!("{{ name: a, action: relabel, on_collision: aggregate, {rules} }}");
        assert!(note(&collects, &bucket).unwrap().starts_with("rules took `le`"));
        let before = format!(
            "{{ name: r, action: relabel, {rules} }}, {{ name: a, action: aggregate, without: [pod] }}"
        );
        let pair = [("__name__", "hits_total"), ("replica", "0")];
        assert!(note(&before, &pair).unwrap().starts_with("rules took `replica`"));
        assert_eq!(note(&before, &[("__name__", "hits_total"), ("pod", "a")]), None);
    }
}
