//! A config without mistakes that may yet not do what was meant: warnings and notes.

mod labels;
mod reach;
mod rules;
mod selectors;
mod untyped;
mod upstream;
mod writers;

use super::Checker;
use crate::config::Config;
use crate::config::at::At;
use crate::config::errors::ConfigError;
use crate::config::position::Position;
use crate::config::raw::{RawConfig, RawListen, RawPolicy};
use crate::config::remarks::Weight;
use crate::policy::Definition;
use crate::policy::known::Known;

/// A policy as it is written and as it is meant, with what its selectors say.
struct Policy<'c> {
    raw: &'c At<RawPolicy>,
    meant: &'c Definition,
    known: Vec<Known>,
}

impl Policy<'_> {
    fn name(&self) -> &str {
        &self.meant.name
    }
}

impl Checker<'_> {
    /// Only for a file without mistakes: there each policy is the one that is written at its place.
    pub(super) fn remark(&mut self, raw: &RawConfig, config: &Config) {
        let written = raw.policies.as_deref().unwrap_or_default().iter();
        let policies: Vec<Policy<'_>> = written
            .zip(&config.policies)
            .map(|(raw, meant)| Policy { raw, meant, known: Known::of_policy(meant) })
            .collect();
        for policy in &policies {
            self.labels_listed_in_vain(policy);
            self.outputs_listed_in_vain(policy);
            self.metrics_without_a_type(policy);
            self.drops_everything(policy);
            self.rules_that_drop_everything(policy);
            self.selectors_that_look_otherwise(policy);
            self.rules_that_take_the_name(policy);
        }
        self.never_reached(&policies);
        if let Some(upstream) = raw.upstreams.as_ref().and_then(|upstreams| upstreams.value.first()) {
            self.upstream_remarks(upstream, &config.upstream, config.listen.address, config.admin.address);
            self.upstream_settings_in_vain(&upstream.value, config);
        }
        self.labels_that_rules_take(&policies);
        self.two_writers(&policies);
        self.passed_names(&policies);
        let aggregating = policies.iter().find(|policy| policy.meant.enforced_aggregation().is_some());
        if let Some(policy) = aggregating {
            self.gates_that_share_series(policy.raw.position, &raw.listen, config);
        }
    }

    /// Gates beside this one that write to the series it makes: agents whose connections are closed come back through a Service,
    /// maybe to another gate; and what listens on loopback stands in the pod of an agent, of which there may be several.
    fn gates_that_share_series(&mut self, policy: Position, raw: &RawListen, config: &Config) {
        // whoever closes no connection says that there is no other gate
        if config.listen.max_connection_age.is_zero() || config.aggregation.instance.is_some() {
            return;
        }
        if config.listen.address.ip().to_canonical().is_loopback() {
            let message = "a gate on loopback (`listen.address`) stands beside an agent, and where that has several pods each \
                           has a gate, which write to the same aggregated series; give `aggregation.instance_label`, or \
                           `max_connection_age: 0s` where this gate is the only one";
            return self.warn(raw.address.position.or(policy), message);
        }
        let message = format!(
            "connections are closed after {} (`listen.max_connection_age`), so behind a Service agents move between \
             gates, which then write to the same aggregated series; give `aggregation.instance_label`, or \
             `max_connection_age: 0s` where this gate is the only one",
            raw.max_connection_age.value.0
        );
        self.warn(raw.max_connection_age.position.or(policy), message);
    }

    fn warn(&mut self, position: Position, message: impl Into<String>) {
        self.tell(Weight::Warning, position, message);
    }

    fn note(&mut self, position: Position, message: impl Into<String>) {
        self.tell(Weight::Note, position, message);
    }

    fn tell(&mut self, weight: Weight, position: Position, message: impl Into<String>) {
        let excerpt = self.source.excerpt(position, None);
        self.remarks.push((weight, ConfigError::new(position, message, excerpt)));
    }
}
