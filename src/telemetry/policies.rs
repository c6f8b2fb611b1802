//! What each policy did: counters for `/metrics`, and the same with examples for people.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use metrics::{Counter, Gauge};
use parking_lot::Mutex;

use super::kind_counters::KindCounters;
use super::names;
use super::registry::Registry;
use crate::pipeline::{Counts, EXAMPLES_KEPT, Example, Fate, Outcome, Policies};
use crate::policy::{Mode, PolicyIndex, PolicySet, Summary};

/// Counters by policy name and mode. Names come from the config; those of policies that are gone stay.
type ByPolicy = BTreeMap<(Arc<str>, &'static str), Arc<Account>>;

/// The accounts of all policies.
pub struct PolicyRegistry {
    registry: Arc<Registry>,
    accounts: Mutex<ByPolicy>,
    /// Those of the policies that were in force last, by their position: looked up once, not for each request.
    current: ArcSwapOption<Current>,
    /// For what ends by policy without one that could be named: the verdict table was full.
    nameless: Account,
}

struct Current {
    set: Arc<PolicySet>,
    accounts: Box<[Arc<Account>]>,
}

/// What one policy did in one mode, since the start of the process.
pub struct Account {
    dropped: KindCounters,
    aggregated: KindCounters,
    collided: KindCounters,
    /// Other fates, as the metrics have them; registered when first needed.
    rare: Mutex<BTreeMap<(&'static str, &'static str), Arc<KindCounters>>>,
    matched: Counter,
    remained: Counter,
    saved: Gauge,
    last_matched: Gauge,
    stats: PolicyStats,
}

/// The numbers again, where they can be read.
#[derive(Default)]
struct PolicyStats {
    samples_in: AtomicU64,
    samples_out: AtomicU64,
    samples_held: AtomicU64,
    samples_folded: AtomicU64,
    saved_series: AtomicU64,
    last_matched: AtomicU64,
    examples: Mutex<VecDeque<(u32, Example)>>,
}

/// The account of a policy as `/api/v1/policies` shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Samples and histograms that matched.
    pub samples_in: u64,
    /// Those of them that went on; in preview, would have.
    pub samples_out: u64,
    /// Samples of series that it did not admit: held back, and added up.
    pub samples_held: u64,
    /// See `samples_held`.
    pub samples_folded: u64,
    /// Active series that it keeps from the upstream; in preview, would keep.
    pub saved_series: u64,
    /// When it last matched, Unix seconds; `None`: never.
    pub last_matched: Option<u32>,
    /// The last series it dropped or rewrote and when that was decided (Unix seconds), oldest first.
    pub examples: Vec<(u32, Example)>,
}

impl PolicyRegistry {
    pub(super) fn new(registry: &Arc<Registry>) -> Self {
        let registry = Arc::clone(registry);
        let nameless = Account::new(&registry, "", "");
        Self { accounts: Mutex::default(), current: ArcSwapOption::empty(), nameless, registry }
    }

    /// The accounts of a set, by position.
    fn current(&self, set: &Arc<PolicySet>) -> Arc<Current> {
        if let Some(current) = self.current.load_full().filter(|current| Arc::ptr_eq(&current.set, set)) {
            return current;
        }
        let accounts = set.policies().iter().map(|policy| self.account(policy)).collect();
        let current = Arc::new(Current { set: Arc::clone(set), accounts });
        self.current.store(Some(Arc::clone(&current)));
        current
    }

    /// The account of a policy; opened, with all counters at zero, if it is new.
    pub fn account(&self, policy: &Summary) -> Arc<Account> {
        let mode = policy.mode.as_str();
        let mut accounts = self.accounts.lock();
        let account = accounts
            .entry((Arc::clone(&policy.name), mode))
            .or_insert_with(|| Arc::new(Account::new(&self.registry, &policy.name, mode)));
        Arc::clone(account)
    }

    /// Counts samples that the aggregation of a policy made.
    pub fn made(&self, policy: &Arc<str>, samples: u64) {
        if let Some(account) = self.accounts.lock().get(&(Arc::clone(policy), Mode::Enforce.as_str())) {
            account.remained.increment(samples);
            account.stats.samples_out.fetch_add(samples, Ordering::Relaxed);
        }
    }

    /// Says how many series the aggregation of a policy keeps from the upstream.
    pub fn aggregation_saves(&self, policy: &Arc<str>, series: u64) {
        if let Some(account) = self.accounts.lock().get(&(Arc::clone(policy), Mode::Enforce.as_str())) {
            account.saves(series);
        }
    }

    /// Counts what policies matched in a request that is over, and what of it went on.
    pub(super) fn settled(&self, outcome: &Outcome, policies: &Policies) {
        if outcome.by_verdict.is_empty() {
            return;
        }
        let current = self.current(&policies.set);
        for (verdict, counts) in &outcome.by_verdict {
            let row = policies.set.row(*verdict);
            for (index, effect) in &row.matched {
                let Some(account) = current.accounts.get(usize::from(index.0)) else { continue };
                account.matched(*counts, row.goes_on_after(*index, *effect), outcome.decided_at);
            }
        }
    }

    /// Counts samples that met their fate at a policy.
    pub(super) fn fate(
        &self,
        fate: Fate,
        policy: Option<PolicyIndex>,
        policies: Option<&Arc<Policies>>,
        counts: Counts,
    ) {
        let all = policies.map(|policies| policies.set.policies());
        let policy = policy.zip(all).and_then(|(index, all)| all.get(usize::from(index.0)));
        let account = policy.map(|policy| self.account(policy));
        let account = account.as_deref().unwrap_or(&self.nameless);
        let rare = || account.rare(&self.registry, policy.map_or("", |policy| &*policy.name), fate);
        match fate {
            Fate::Dropped => account.dropped.add(counts),
            Fate::Aggregated => account.aggregated.add(counts),
            Fate::Collided => account.collided.add(counts),
            _ => rare().add(counts),
        }
        let samples = counts.samples + counts.histograms;
        match fate {
            Fate::Held => drop(account.stats.samples_held.fetch_add(samples, Ordering::Relaxed)),
            Fate::Folded => drop(account.stats.samples_folded.fetch_add(samples, Ordering::Relaxed)),
            _ => {}
        }
    }

    /// Keeps the examples of a request whose data is safe.
    pub(super) fn committed(&self, outcome: &Outcome, policies: &Policies) {
        for example in &outcome.effects.examples {
            let policy = policies.set.policies().get(usize::from(example.policy.0));
            let Some(account) = policy.map(|policy| self.account(policy)) else { continue };
            let mut examples = account.stats.examples.lock();
            if examples.len() >= EXAMPLES_KEPT {
                examples.pop_front();
            }
            examples.push_back((outcome.decided_at, example.clone()));
        }
    }
}

impl Account {
    fn new(registry: &Registry, name: &str, mode: &str) -> Self {
        let labels = [("policy", name), ("mode", mode)];
        let samples = |direction| {
            let labels = [("policy", name), ("mode", mode), ("direction", direction)];
            if name.is_empty() { Counter::noop() } else { registry.counter(&names::POLICY_SAMPLES, &labels) }
        };
        let gauge = |metric| if name.is_empty() { Gauge::noop() } else { registry.gauge(metric, &labels) };
        let last_matched = gauge(&names::POLICY_LAST_MATCH);
        last_matched.set(0.0);
        Self {
            dropped: KindCounters::new(registry, Fate::Dropped, name),
            aggregated: KindCounters::new(registry, Fate::Aggregated, name),
            collided: KindCounters::new(registry, Fate::Collided, name),
            rare: Mutex::default(),
            matched: samples("in"),
            remained: samples("out"),
            saved: gauge(&names::POLICY_SAVED_SERIES),
            last_matched,
            stats: PolicyStats::default(),
        }
    }

    fn matched(&self, counts: Counts, remains: bool, at: u32) {
        let samples = counts.samples + counts.histograms;
        self.matched.increment(samples);
        self.stats.samples_in.fetch_add(samples, Ordering::Relaxed);
        if remains {
            self.remained.increment(samples);
            self.stats.samples_out.fetch_add(samples, Ordering::Relaxed);
        }
        self.last_matched.set(f64::from(at));
        self.stats.last_matched.fetch_max(u64::from(at), Ordering::Relaxed);
    }

    fn rare(&self, registry: &Registry, name: &str, fate: Fate) -> Arc<KindCounters> {
        let mut rare = self.rare.lock();
        let found =
            rare.entry(fate.labels()).or_insert_with(|| Arc::new(KindCounters::new(registry, fate, name)));
        Arc::clone(found)
    }

    /// Says how many active series the policy keeps from the upstream.
    pub fn saves(&self, series: u64) {
        self.saved.set(series as f64);
        self.stats.saved_series.store(series, Ordering::Relaxed);
    }

    /// What the policy did so far.
    pub fn statement(&self) -> Statement {
        let last_matched = self.stats.last_matched.load(Ordering::Relaxed);
        Statement {
            samples_in: self.stats.samples_in.load(Ordering::Relaxed),
            samples_out: self.stats.samples_out.load(Ordering::Relaxed),
            samples_held: self.stats.samples_held.load(Ordering::Relaxed),
            samples_folded: self.stats.samples_folded.load(Ordering::Relaxed),
            saved_series: self.stats.saved_series.load(Ordering::Relaxed),
            last_matched: u32::try_from(last_matched).ok().filter(|at| *at > 0),
            examples: self.stats.examples.lock().iter().cloned().collect(),
        }
    }
}
