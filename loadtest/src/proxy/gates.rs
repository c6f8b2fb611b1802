//! The proxies of one run: one, or several for one backend, of which some may end and come back.

use anyhow::{Context, Result, ensure};
use parking_lot::Mutex;

use super::{Place, Proxy, ProxySpec};
use crate::process::Usage;
use crate::scenario::{Scenario, Variant};

/// The label that tells the output of several gates apart.
pub const INSTANCE_LABEL: &str = "gate";

/// What the label says of a gate.
pub fn instance(gate: usize) -> String {
    format!("gate-{gate}")
}

/// Proxies that take writes for one backend.
pub struct Gates {
    proxies: Mutex<Vec<Proxy>>,
    /// CPU seconds of those that have ended.
    spent: Mutex<f64>,
}

impl Gates {
    /// Starts as many as a scenario has. Several get names, and those that live longer than their process a directory.
    pub fn start(spec: &ProxySpec, scenario: &Scenario, variant: &Variant, upstream: &str) -> Result<Self> {
        let several = scenario.gates > 1 || !scenario.restarts.is_empty();
        let is_ours = matches!(spec, ProxySpec::Gate { .. } | ProxySpec::Command { .. });
        ensure!(!several || is_ours, "{} is one, and is not ours to end", spec.name());
        let place = |gate| Place {
            instance: (scenario.gates > 1).then(|| instance(gate)),
            keeps_state: scenario.gates > 1 || !scenario.restarts.is_empty(),
        };
        let start = |gate| spec.start_at(variant, upstream, &place(gate));
        let proxies = (0..scenario.gates).map(start).collect::<Result<_>>()?;
        Ok(Self { proxies: Mutex::new(proxies), spent: Mutex::new(0.0) })
    }

    /// Where to write to, one by one.
    pub fn urls(&self) -> Vec<String> {
        self.proxies.lock().iter().map(|proxy| proxy.url.clone()).collect()
    }

    fn pids(&self) -> Vec<u32> {
        self.proxies.lock().iter().filter_map(|proxy| proxy.pid).collect()
    }

    /// What all have used together; nothing where that is not known.
    pub fn usage(&self) -> Result<Option<Usage>> {
        // one that is about to end counts with what it had used before
        let all: Vec<Usage> = self.pids().into_iter().filter_map(|pid| Usage::of(pid).ok()).collect();
        Ok(self.sum(&all))
    }

    /// The same once they have come to rest.
    pub async fn usage_when_idle(&self, limit: std::time::Duration) -> Result<Option<Usage>> {
        let mut all = Vec::new();
        for pid in self.pids() {
            all.push(crate::process::when_idle(pid, limit).await?);
        }
        Ok(self.sum(&all))
    }

    fn sum(&self, all: &[Usage]) -> Option<Usage> {
        let none = Usage { cpu_seconds: *self.spent.lock(), rss_kib: 0, peak_kib: 0 };
        let sum = |sum: Usage, one: &Usage| Usage {
            cpu_seconds: sum.cpu_seconds + one.cpu_seconds,
            rss_kib: sum.rss_kib + one.rss_kib,
            peak_kib: sum.peak_kib + one.peak_kib,
        };
        (!all.is_empty()).then(|| all.iter().fold(none, sum))
    }

    /// The last lines that they printed.
    pub fn log_tail(&self) -> String {
        let tails: Vec<String> = self.proxies.lock().iter().map(Proxy::log_tail).collect();
        tails.join("\n")
    }

    /// Ends one as Kubernetes would. Returns whether it ended by itself.
    pub fn end(&self, gate: usize) -> Result<bool> {
        let mut proxy = self.take(gate)?;
        let used = proxy.pid.and_then(|pid| Usage::of(pid).ok());
        let stopped = proxy.stop()?;
        *self.spent.lock() += used.map_or(0.0, |used| used.cpu_seconds);
        self.put_back(gate, proxy);
        Ok(stopped)
    }

    /// Starts one again that has ended, where it was.
    pub fn start_again(&self, gate: usize) -> Result<()> {
        let mut proxy = self.take(gate)?;
        let started = proxy.start_again();
        self.put_back(gate, proxy);
        started
    }

    /// Others are asked about while this one is on its way.
    fn take(&self, gate: usize) -> Result<Proxy> {
        let mut proxies = self.proxies.lock();
        let proxy = proxies.get_mut(gate).with_context(|| format!("there is no gate {gate}"))?;
        let stand_in = Proxy::running(&proxy.url, None);
        Ok(std::mem::replace(proxy, stand_in))
    }

    fn put_back(&self, gate: usize, proxy: Proxy) {
        self.proxies.lock()[gate] = proxy;
    }

    /// Ends all. Returns whether they ended by themselves.
    pub fn stop(&self) -> Result<bool> {
        let mut by_themselves = true;
        for proxy in self.proxies.lock().iter_mut() {
            by_themselves &= proxy.stop()?;
        }
        Ok(by_themselves)
    }
}
