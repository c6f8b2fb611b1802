//! One tenant: how far its samples have come, and who sends them.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use ahash::RandomState;
use lru::LruCache;
use parking_lot::Mutex;

use super::given_up::GivenUp;
use super::pace::{Arrived, Pace};
use super::watch::Watch;

/// Senders of one tenant that are told apart; beyond that the one not heard of for longest is forgotten, and is a stranger
/// when it comes again.
const MAX_SENDERS: usize = 10_000;
/// What a sender takes beside the moments that are remembered, bytes.
const SENDER_BYTES: usize = 192;
/// Requests waited for at most: those with the oldest data.
const MAX_WAITING: usize = 256;

/// What is known of one sender.
struct Sender {
    watch: Watch,
    heard_mono: i64,
    /// How far its samples had come at moments of the monotonic clock, a second apart at least.
    reached: VecDeque<(i64, i64)>,
}

/// Moments remembered of a sender: more than a minute.
const REACHED: usize = 64;
const REACHED_APART_MS: i64 = 1_000;

impl Sender {
    fn new(arrived: &Arrived) -> Self {
        let mut sender = Self {
            watch: Watch::new(arrived.newest_ms),
            heard_mono: arrived.mono_ms,
            reached: VecDeque::new(),
        };
        sender.reach(arrived);
        sender
    }

    fn take(&mut self, arrived: &Arrived) {
        self.watch.see(arrived.newest_ms);
        self.heard_mono = arrived.mono_ms;
        self.reach(arrived);
    }

    fn reach(&mut self, arrived: &Arrived) {
        if self.reached.back().is_none_or(|(at, _)| arrived.mono_ms - *at >= REACHED_APART_MS) {
            self.reached.push_back((arrived.mono_ms, self.watch.newest_ms()));
            self.reached.drain(..self.reached.len().saturating_sub(REACHED));
        }
    }
}

/// A request that was refused and has not come again.
struct Waiting {
    sender: Option<IpAddr>,
    newest_ms: i64,
    sent_ms: i64,
    mono_ms: i64,
}

impl Waiting {
    fn is(&self, sender: Option<IpAddr>, arrived: &Arrived) -> bool {
        self.sender == sender && self.sent_ms == arrived.sent_ms
    }
}

/// One tenant.
pub(super) struct Tenant {
    known: Mutex<Known>,
    /// Senders forgotten for room.
    forgotten: AtomicU64,
    /// Counters whose last values were given up.
    pub(super) given_up: GivenUp,
    /// The time of the last point of aggregations that ended, Unix milliseconds: what follows them begins after it.
    pub(super) ended_ms: AtomicI64,
}

struct Known {
    pace: Pace,
    senders: LruCache<Option<IpAddr>, Sender, RandomState>,
    waiting: Vec<Waiting>,
}

impl Default for Tenant {
    fn default() -> Self {
        let senders = LruCache::unbounded_with_hasher(RandomState::new());
        let known = Known { pace: Pace::default(), senders, waiting: Vec::new() };
        Self {
            known: Mutex::new(known),
            forgotten: AtomicU64::new(0),
            given_up: GivenUp::default(),
            ended_ms: AtomicI64::new(i64::MIN),
        }
    }
}

impl Tenant {
    /// The next one with its number. What was counted stays, so that sums never fall.
    pub(super) fn successor(&self) -> Self {
        let next = Self::default();
        next.forgotten.store(self.forgotten.load(Ordering::Relaxed), Ordering::Relaxed);
        next.given_up.count(self.given_up.series());
        next
    }

    /// Whether an aggregation ended at a time that its samples have not reached yet.
    pub(super) fn has_just_ended(&self) -> bool {
        let newest = self.pace(|pace| pace.newest_ms()).unwrap_or(i64::MIN);
        self.ended_ms.load(Ordering::Relaxed) > newest
    }

    /// What is known of a sender.
    pub(super) fn watch(&self, sender: Option<IpAddr>) -> Option<Watch> {
        self.known.lock().senders.peek(&sender).map(|sender| sender.watch)
    }

    /// How far the samples of a sender had come so long before a request of it. Samples may come faster or slower than
    /// time passes; where that was longer ago than is remembered, they are taken to have come as it passed.
    pub(super) fn reached(&self, sender: Option<IpAddr>, arrived: &Arrived, ago_ms: i64) -> i64 {
        let known = self.known.lock();
        let reached = known.senders.peek(&sender).map(|sender| &sender.reached);
        // ages are in whole seconds
        let at = arrived.mono_ms.saturating_sub(ago_ms).saturating_sub(REACHED_APART_MS - 1);
        let forgotten = |reached: &&VecDeque<(i64, i64)>| {
            reached.len() == REACHED && reached.front().is_some_and(|(first, _)| at < *first)
        };
        let remembered = reached.filter(|reached| !forgotten(reached));
        let found = remembered.and_then(|reached| reached.iter().find(|(then, _)| *then >= at));
        found.map_or(arrived.newest_ms.saturating_sub(ago_ms), |(_, newest)| *newest)
    }

    /// Up to when all is over once a request has come, as far as its samples up to `newest_ms` go.
    pub(super) fn mark(&self, sender: Option<IpAddr>, arrived: &Arrived, newest_ms: i64) -> i64 {
        let known = self.known.lock();
        known.pace.with(arrived, newest_ms, known.waiting_but(sender, arrived))
    }

    /// Notes a request that was taken. `closed`: a sender that is not known yet takes the place of another.
    pub(super) fn take(&self, sender: Option<IpAddr>, arrived: &Arrived, closed: bool) {
        let mut known = self.known.lock();
        // who comes again brings the same request; behind one address there may be others
        known.waiting.retain(|waiting| !waiting.is(sender, arrived));
        let waiting = known.waiting_but(sender, arrived);
        known.pace.take(arrived, waiting);
        match known.senders.get_mut(&sender) {
            Some(known) => known.take(arrived),
            None => {
                let before = known.senders.len();
                known.senders.put(sender, Sender::new(arrived));
                if known.senders.len() > if closed { before.max(1) } else { MAX_SENDERS } {
                    known.senders.pop_lru();
                    self.forgotten.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// Notes a request that was refused.
    pub(super) fn refuse(&self, sender: Option<IpAddr>, arrived: &Arrived) {
        let Arrived { newest_ms, sent_ms, mono_ms, .. } = *arrived;
        let mut known = self.known.lock();
        known.pace.refuse(mono_ms);
        let refused = Waiting { sender, newest_ms, sent_ms, mono_ms };
        if let Some(waiting) = known.waiting.iter_mut().find(|waiting| waiting.is(sender, arrived)) {
            waiting.mono_ms = mono_ms;
        } else if known.waiting.len() < MAX_WAITING {
            known.waiting.push(refused);
        } else if let Some(least) = known.waiting.iter_mut().max_by_key(|waiting| waiting.newest_ms)
            && least.newest_ms > newest_ms
        {
            *least = refused;
        }
    }

    /// As time passes: who stays away is waited for no more.
    pub(super) fn pass(&self, mono_ms: i64) {
        let mut known = self.known.lock();
        known.waiting.retain(|waiting| !Pace::stays_away(mono_ms - waiting.mono_ms));
        let waiting = known.oldest_waiting(|_| true);
        known.pace.pass(mono_ms, waiting);
    }

    /// Forgets senders that were not heard of for this long.
    pub(super) fn expire(&self, mono_ms: i64, idle_ms: i64) {
        let mut known = self.known.lock();
        while known.senders.peek_lru().is_some_and(|(_, sender)| mono_ms - sender.heard_mono >= idle_ms) {
            known.senders.pop_lru();
        }
    }

    /// Looks at how far it has come.
    pub(super) fn pace<T>(&self, look: impl FnOnce(&mut Pace) -> T) -> T {
        look(&mut self.known.lock().pace)
    }

    /// If something is newer than `beyond_ms`, our clock was ahead: then nothing is newer than `to_ms`. Returns whether it
    /// was.
    pub(super) fn pull_back(&self, beyond_ms: i64, to_ms: i64) -> bool {
        let mut known = self.known.lock();
        let ahead = known.pace.newest_ms().is_some_and(|newest| newest > beyond_ms);
        if ahead {
            known.senders.iter_mut().for_each(|(_, sender)| sender.watch.pull_back(to_ms));
            known.pace.pull_back(to_ms);
        }
        ahead
    }

    /// Memory of its senders, bytes, about.
    pub(super) fn sender_bytes(&self) -> usize {
        let known = self.known.lock();
        let reached: usize = known.senders.iter().map(|(_, sender)| sender.reached.capacity()).sum();
        known.senders.len() * SENDER_BYTES + reached * size_of::<(i64, i64)>()
    }

    /// Senders forgotten for room.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten.load(Ordering::Relaxed)
    }
}

impl Known {
    /// The oldest of those requests that are not late already: for the others it is of no use to wait.
    fn oldest_waiting(&self, which: impl Fn(&Waiting) -> bool) -> Option<i64> {
        let over = self.pace.watermark();
        let waiting = self.waiting.iter().filter(|waiting| Some(waiting.newest_ms) >= over && which(waiting));
        waiting.map(|waiting| waiting.newest_ms).min()
    }

    /// The oldest of what was refused and has not come again, but for this request.
    fn waiting_but(&self, sender: Option<IpAddr>, arrived: &Arrived) -> Option<i64> {
        self.oldest_waiting(|waiting| !waiting.is(sender, arrived))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(number: u8) -> Option<IpAddr> {
        Some([10, 0, 0, number].into())
    }

    /// A request that comes with the newest sample that there can be, seconds.
    fn arrived(second: i64) -> Arrived {
        let ms = second * 1000;
        Arrived { oldest_ms: ms, newest_ms: ms, sent_ms: ms, now_ms: ms, mono_ms: ms, forwarded: true }
    }

    fn mark(tenant: &Tenant, number: u8, second: i64) -> i64 {
        tenant.mark(sender(number), &arrived(second), second * 1000) / 1000
    }

    #[test]
    fn the_oldest_that_was_refused_is_waited_for_until_it_comes_again_or_stays_away() {
        let tenant = Tenant::default();
        tenant.take(sender(1), &arrived(0), false);
        tenant.refuse(sender(1), &arrived(30));
        tenant.refuse(sender(1), &arrived(45));
        let both = (mark(&tenant, 2, 50), mark(&tenant, 1, 50));
        assert_eq!(both, (30, 30), "behind one address there may be several");
        tenant.take(sender(1), &arrived(30), false);
        assert_eq!(mark(&tenant, 2, 50), 45);
        tenant.take(sender(1), &arrived(45), false);
        assert_eq!((mark(&tenant, 2, 51), mark(&tenant, 2, 70)), (45, 70));
        tenant.refuse(sender(1), &arrived(52));
        tenant.pass(142_000);
        tenant.refuse(sender(2), &arrived(500));
        assert_eq!(mark(&tenant, 3, 501), 500);
    }

    #[test]
    fn a_sender_is_known_by_its_newest_samples_and_by_none_that_a_wrong_clock_dated() {
        let tenant = Tenant::default();
        tenant.take(sender(1), &arrived(0), false);
        tenant.take(sender(1), &Arrived { oldest_ms: 0, ..arrived(3600) }, false);
        let newest = || tenant.watch(sender(1)).map(|watch| watch.newest_ms());
        assert_eq!((newest(), tenant.watch(sender(2))), (Some(3_600_000), None));
        assert!(!tenant.pull_back(3_600_000, 10_000));
        assert!(tenant.pull_back(70_000, 10_000));
        assert_eq!(newest(), Some(10_000));
    }

    #[test]
    fn while_memory_is_short_a_sender_that_comes_takes_the_place_of_another() {
        let tenant = Tenant::default();
        (1..=3).for_each(|number| tenant.take(sender(number), &arrived(number.into()), false));
        let before = tenant.sender_bytes();
        (4..200).for_each(|number| tenant.take(sender(number), &arrived(number.into()), true));
        assert_eq!((tenant.sender_bytes(), tenant.forgotten()), (before, 196));
        assert!(tenant.watch(sender(199)).is_some() && tenant.watch(sender(3)).is_none());
    }
}
