//! What can change while the gate runs, and how it changes: checked first, then swapped in one step.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::access::{Accesses, is_same_admin_port, is_same_port};
use super::settings::pipeline_settings;
use super::shared::Runtime;
use super::{aggregation, limits, parts, service_manager};
use crate::admin::{self, Control, View};
use crate::config::{Config, ConfigErrors, Delivery, Loaded};
use crate::health::Health;
use crate::policy::{PolicyIndex, PolicySet, Run};

impl Runtime {
    /// Reloads if the file has other content than when it was last looked at.
    pub(super) fn reload_if_changed(&self) {
        // not under the lock: a file system may keep us waiting, and bypass must not
        let seen = self.seen.lock().clone();
        if seen.changed() {
            drop(self.reload());
        }
    }

    /// Whoever asked for it, the log says what became of it.
    fn apply(&self, read: Result<Loaded, ConfigErrors>) -> Result<String, String> {
        let mut seen = self.seen.lock();
        let result = match read {
            Ok(loaded) => {
                *seen = loaded.files;
                loaded.remarks.log();
                self.replace(loaded.config)
            }
            Err(errors) => {
                *seen = errors.files().clone();
                Err(errors.to_string())
            }
        };
        match &result {
            Ok(_) => {
                self.process.reloads_ok.increment(1);
                self.process.config_took_effect(self.pipeline.clock().unix_seconds());
            }
            Err(_) => {
                self.process.reloads_failed.increment(1);
                self.process.last_reload_ok.set(0.0);
            }
        }
        log(&result);
        result
    }

    fn replace(&self, new: Config) -> Result<String, String> {
        let old = self.config.load_full();
        // Everything that can fail comes first: a config takes effect whole or not at all.
        let upstream = (new.upstream != old.upstream)
            .then(|| parts::upstream(&new, &self.registry, self.seed))
            .transpose()
            .map_err(|error| error.to_string())?;
        // what is known is not read again, so other bounds of a series need another generation as other policies do
        let other_limits = pipeline_settings(&new).limits != pipeline_settings(&old).limits
            || new.upstream.long_values != old.upstream.long_values;
        let policies = (new.policies != old.policies || other_limits)
            .then(|| compile(&new, self.health.bypassed()))
            .transpose()?;

        let access = Accesses::prepare(&old, &new, self.started.listen.http2)?;

        let mut changed = self.accesses.apply(access);
        if let Some(upstream) = upstream {
            self.gate.replace_upstream(upstream);
            changed.push("upstreams");
        }
        if new.policies != old.policies {
            changed.push("policies");
        }
        // before the policies: whatever is decided in the new generation is decided within the new bounds
        let bounds =
            [("series", new.series != old.series), ("aggregation", new.aggregation != old.aggregation)];
        let other_bounds = bounds.into_iter().find(|(_, differ)| *differ);
        if other_bounds.is_some() || new.upstream != old.upstream {
            self.pipeline.replace_settings(pipeline_settings(&new));
        }
        changed.extend(other_bounds.map(|(key, _)| key));
        if let Some(set) = policies {
            self.put_in_force(set);
        }
        let waiting = needs_restart(&self.started, &new);
        self.config.store(Arc::new(new));
        let mut message = match changed.as_slice() {
            [] => "config reloaded, nothing changed".to_owned(),
            changed => format!("config reloaded: {}", changed.join(", ")),
        };
        if !waiting.is_empty() {
            message.push_str(&format!("; takes effect at the next start: {}", waiting.join(", ")));
        }
        Ok(message)
    }

    fn put_in_force(&self, set: PolicySet) {
        let before = self.pipeline.policies();
        self.data.know(set.policies());
        self.pipeline.replace_policies(set);
        // a policy that is gone saves nothing, and a new one nothing yet; the janitor's next round says how much
        for policy in before.set.policies().iter().chain(self.pipeline.policies().set.policies()) {
            self.data.policies().account(policy).saves(0);
        }
    }
}

fn log(result: &Result<String, String>) {
    match result {
        Ok(what) => {
            tracing::info!("{what}");
            service_manager::status(what);
        }
        Err(why) => {
            tracing::error!(lines = %why, "config not reloaded, the running one stays:");
            service_manager::status("config not reloaded, the running one stays; the log says why");
        }
    }
}

fn compile(config: &Config, bypassed: bool) -> Result<PolicySet, String> {
    let run = if bypassed { Run::Bypassed } else { Run::AsConfigured };
    PolicySet::compile(&config.policies, run).map_err(|error| error.to_string())
}

/// Keys that are other ones than at the start, and wait for the next.
fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let mut keys = Vec::new();
    let mut note = |differs: bool, key| {
        if differs {
            keys.push(key);
        }
    };
    note(!is_same_port(&old.listen, &new.listen), "listen");
    note(!is_same_admin_port(&old.admin, &new.admin), "admin");
    note(old.tenant != new.tenant, "tenant");
    note(old.memory != new.memory, "memory");
    note(old.data_dir != new.data_dir, "data_dir");
    note(old.upstream.delivery != new.upstream.delivery, "upstreams[].delivery");
    note(old.upstream.queue != new.upstream.queue, "upstreams[].queue");
    let queues = old.upstream.delivery == Delivery::Queue;
    note(queues && old.upstream.name != new.upstream.name, "upstreams[].name (its queue has the old one)");
    note(old.tracking != new.tracking, "tracking");
    note(
        old.aggregation.max_pending_samples != new.aggregation.max_pending_samples,
        "aggregation.max_pending_samples",
    );
    note(old.aggregation.max_types != new.aggregation.max_types, "aggregation.max_types");
    note(old.series.subjects != new.series.subjects, "series.subject_labels");
    note(old.series.max_tracked != new.series.max_tracked, "series.max_tracked");
    keys
}

impl Control for Runtime {
    fn metrics(&self) -> String {
        for heartbeat in self.health.loops() {
            self.process.loop_last_active(heartbeat.name(), heartbeat.last_active_seconds());
        }
        let policies = self.pipeline.policies();
        self.process.active_series.set(self.pipeline.index().live() as f64);
        self.process.index_bytes.set(self.pipeline.index().bytes() as f64);
        self.process.memory_limit.set(self.memory.status().limit as f64);
        self.process.claims.set(self.pipeline.index().claimed() as f64);
        self.process.contested_series.set(self.pipeline.index().contested() as f64);
        self.process.label_edits.set(self.pipeline.edits() as f64);
        self.process.tenants.set(self.pipeline.tenants().len() as f64);
        self.process.tenants_forgotten.absolute(self.pipeline.tenants().forgotten());
        self.process.preview_overflow.set(policies.set.preview_overflow() as f64);
        if let Some(spool) = self.gate.spool() {
            spool.queue.publish();
        }
        aggregation::publish(self);
        limits::publish(self);
        self.process.bypass.set(f64::from(u8::from(self.health.bypassed())));
        self.registry.render()
    }

    fn policies(&self) -> String {
        let policies = self.pipeline.policies();
        let limits = self.pipeline.limits().all();
        let now = self.pipeline.clock().unix_seconds();
        let told: Vec<_> = (0..)
            .map(PolicyIndex)
            .zip(policies.set.policies())
            .map(|(index, policy)| {
                let limit = limits.iter().find(|limit| limit.name == policy.name);
                let limit = policies.set.limit(index).zip(limit);
                let limit = limit.map(|(said, limit)| (Arc::clone(said), limit.usage(now)));
                let statement = self.data.policies().account(policy).statement();
                admin::policies::Told { policy: policy.clone(), statement, limit }
            })
            .collect();
        admin::policies::report(self.health.bypassed(), &told)
    }

    fn view(&self) -> View<'_> {
        let now = self.pipeline.clock().unix_seconds();
        View {
            tracker: self.pipeline.tracker(),
            types: Some(&self.pipeline.engine().types),
            tenants: self.pipeline.tenants().names(),
            policies: self.pipeline.policies().set.policies().to_vec(),
            rejected: self.gate.rejected(),
            incomplete: self.pipeline.index().is_full() || self.memory.was_short(now),
            now,
        }
    }

    fn reports(&self) -> &Arc<Semaphore> {
        &self.reports
    }

    fn tenant_header(&self) -> String {
        self.config.load().tenant.header.clone()
    }

    fn health(&self) -> &Health {
        &self.health
    }

    fn active_series(&self) -> usize {
        self.pipeline.index().live()
    }

    fn reload(&self) -> Result<String, String> {
        match self.source.load() {
            Some(read) => self.apply(read),
            None => {
                let result = Err("this gate was not started from a file".to_owned());
                log(&result);
                result
            }
        }
    }

    fn bypass(&self, on: bool) -> Result<String, String> {
        // one change at a time, reloads included
        let _turn = self.seen.lock();
        let set = compile(&self.config.load(), on)?;
        self.health.set_bypassed(on);
        self.put_in_force(set);
        tracing::warn!(on, "bypass switched");
        Ok(if on { "bypass is on: all policies are previews".into() } else { "bypass is off".into() })
    }
}
