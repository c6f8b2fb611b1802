//! Metadata that came in messages of its own, for an upstream that is to get remote write 2.0, which has no such message: it is kept, and
//! said with a series of its metric, when it is news and every ten minutes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ahash::{AHashMap, RandomState};
use lru::LruCache;
use parking_lot::Mutex;

use crate::wire::metadata::{ENDINGS, Said};
use crate::wire::v1::{FieldKind, Fields};

/// What was said is said again after so long: a backend may have forgotten it.
const AGAIN: Duration = Duration::from_secs(600);
/// What is kept takes no more than this, bytes; what did not come for longest goes first, and comes again with its sender.
const MOST_BYTES: usize = 16 << 20;
/// What is said with one request takes no more, bytes; the rest is said with the next ones.
const MOST_AT_ONCE: usize = 256 << 10;
/// What an entry takes beside its texts, bytes.
const ENTRY_BYTES: usize = 160;

/// What is kept of a metric family of a scope.
#[derive(PartialEq, Eq, Hash)]
struct Texts {
    metric_type: u64,
    family: Box<[u8]>,
    help: Box<[u8]>,
    unit: Box<[u8]>,
}

impl Texts {
    fn of(said: &Said<'_>) -> Self {
        let Said { metric_type, family, help, unit } = *said;
        Self { metric_type, family: family.into(), help: help.into(), unit: unit.into() }
    }

    fn said(&self) -> Said<'_> {
        let Self { metric_type, family, help, unit } = self;
        Said { metric_type: *metric_type, family, help, unit }
    }

    fn bytes(&self) -> usize {
        ENTRY_BYTES + self.family.len() + self.help.len() + self.unit.len()
    }
}

struct Entry {
    texts: Texts,
    /// Stands for what is said.
    content: u64,
    /// When the upstream was told.
    told: Option<Instant>,
}

impl Entry {
    fn is_due(&self, now: Instant) -> bool {
        self.told.is_none_or(|told| now.saturating_duration_since(told) >= AGAIN)
    }
}

/// What is kept, by scope and family, and how many bytes that is.
struct Kept {
    entries: LruCache<u64, Entry>,
    bytes: usize,
}

/// All that is kept.
pub(super) struct Metadata {
    kept: Mutex<Kept>,
    /// The bytes of it, to be read without the lock.
    bytes: AtomicUsize,
    hasher: RandomState,
}

impl Default for Metadata {
    fn default() -> Self {
        let kept = Kept { entries: LruCache::unbounded(), bytes: 0 };
        Self { kept: Mutex::new(kept), bytes: AtomicUsize::new(0), hasher: RandomState::default() }
    }
}

impl Metadata {
    /// What stands for a scope.
    pub(super) fn scope(&self, text: &str) -> u64 {
        self.hasher.hash_one(text)
    }

    /// Memory held, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Another upstream was told nothing.
    pub(super) fn forget(&self) {
        let mut kept = self.kept.lock();
        kept.entries.iter_mut().for_each(|(_, entry)| entry.told = None);
    }

    /// What is to be said with one request of a scope.
    pub(super) fn attach(&self, scope: u64) -> Attach<'_> {
        let now = crate::clock::monotonic();
        Attach { metadata: self, scope, now, attached: AHashMap::new(), left: MOST_AT_ONCE }
    }

    fn key(&self, scope: u64, family: &[u8]) -> u64 {
        self.hasher.hash_one((scope, family))
    }

    fn learn(&self, scope: u64, said: &Said<'_>) {
        let texts = Texts::of(said);
        let key = self.key(scope, said.family);
        let mut kept = self.kept.lock();
        // this makes it the one that came last
        if kept.entries.get(&key).is_some_and(|entry| entry.texts == texts) {
            return;
        }
        kept.bytes += texts.bytes();
        let content = self.hasher.hash_one(&texts);
        if let Some((_, before)) = kept.entries.push(key, Entry { texts, content, told: None }) {
            kept.bytes -= before.texts.bytes();
        }
        while kept.bytes > MOST_BYTES
            && let Some((_, oldest)) = kept.entries.pop_lru()
        {
            kept.bytes -= oldest.texts.bytes();
        }
        self.bytes.store(kept.bytes, Ordering::Relaxed);
    }
}

/// What is said with one request.
pub(super) struct Attach<'m> {
    metadata: &'m Metadata,
    scope: u64,
    now: Instant,
    /// What stands for the families of which something is said, and what that is.
    attached: AHashMap<u64, u64>,
    left: usize,
}

impl Attach<'_> {
    /// Keeps what a body of 1.0 says of metrics.
    pub(super) fn learn(&self, raw: &[u8]) {
        for field in Fields::new(raw).flatten().filter(|field| field.kind == FieldKind::Metadata) {
            if let Some(said) = Said::read(raw, &field) {
                self.metadata.learn(self.scope, &said);
            }
        }
    }

    /// Whether there is anything that could be said.
    pub(super) fn may_say(&self) -> bool {
        self.metadata.bytes() > 0
    }

    /// Shows what is to be said with a series of this name, if anything is.
    pub(super) fn say<T>(&mut self, name: &[u8], then: impl FnOnce(Option<&Said<'_>>) -> T) -> T {
        let kept = self.metadata.kept.lock();
        let of = |family: &[u8]| {
            let key = self.metadata.key(self.scope, family);
            Some((key, kept.entries.peek(&key).filter(|entry| *entry.texts.family == *family)?))
        };
        let of_part = |(ending, types): &(&[u8], &[u64])| {
            let found = of(name.strip_suffix(*ending)?)?;
            types.contains(&found.1.texts.metric_type).then_some(found)
        };
        let found = of(name).or_else(|| ENDINGS.iter().find_map(of_part));
        let due = found.filter(|(key, entry)| {
            entry.is_due(self.now) && !self.attached.contains_key(key) && entry.texts.bytes() <= self.left
        });
        if let Some((key, entry)) = due {
            self.attached.insert(key, entry.content);
            self.left -= entry.texts.bytes();
        }
        then(due.map(|(_, entry)| entry.texts.said()).as_ref())
    }

    /// The upstream has the request. What became another meanwhile is news, and is said again.
    pub(super) fn told(self) {
        if self.attached.is_empty() {
            return;
        }
        let mut kept = self.metadata.kept.lock();
        for (key, content) in self.attached {
            if let Some(entry) = kept.entries.peek_mut(&key).filter(|entry| entry.content == content) {
                entry.told = Some(self.now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said<'s>(family: &'s str, metric_type: u64, help: &'s str) -> Said<'s> {
        Said { metric_type, family: family.as_bytes(), help: help.as_bytes(), unit: b"" }
    }

    /// What is said with a series of this name, and with no other of its family.
    fn help(attach: &mut Attach<'_>, name: &str) -> Option<String> {
        attach.say(name.as_bytes(), |said| said.map(|said| String::from_utf8_lossy(said.help).into_owned()))
    }

    #[test]
    fn what_is_news_is_said_once_and_again_after_ten_minutes() {
        let metadata = Metadata::default();
        let (one, other) = (metadata.scope("one"), metadata.scope("other"));
        assert!(!metadata.attach(one).may_say());
        metadata.learn(one, &said("up", 2, "h"));
        let mut lost = metadata.attach(one);
        assert_eq!([help(&mut lost, "up"), help(&mut lost, "up")], [Some("h".into()), None]);
        // the upstream did not take that
        let mut attach = metadata.attach(one);
        assert_eq!(help(&mut attach, "up"), Some("h".into()));
        attach.told();
        metadata.learn(one, &said("up", 2, "h"));
        assert_eq!(help(&mut metadata.attach(one), "up"), None);
        assert_eq!(help(&mut metadata.attach(other), "up"), None, "another scope");
        let later = crate::clock::monotonic() + AGAIN;
        assert_eq!(help(&mut Attach { now: later, ..metadata.attach(one) }, "up"), Some("h".into()));
        metadata.learn(one, &said("up", 2, "other"));
        assert_eq!(help(&mut metadata.attach(one), "up"), Some("other".into()));
        let mut attach = metadata.attach(one);
        help(&mut attach, "up");
        // while the request is on its way
        metadata.learn(one, &said("up", 2, "third"));
        attach.told();
        let mut attach = metadata.attach(one);
        assert_eq!(help(&mut attach, "up"), Some("third".into()));
        attach.told();
        metadata.forget();
        assert_eq!(help(&mut metadata.attach(one), "up"), Some("third".into()));
    }

    #[test]
    fn parts_of_a_family_say_it_where_its_type_has_such() {
        let metadata = Metadata::default();
        for (family, metric_type) in [("c", 1), ("h", 3), ("s", 5), ("g", 2), ("g_count", 2)] {
            metadata.learn(7, &said(family, metric_type, family));
        }
        for (name, expected) in [
            ("c_total", Some("c")),
            ("h_bucket", Some("h")),
            ("h_count", Some("h")),
            ("s_sum", Some("s")),
            ("s_bucket", None),
            ("g_total", None),
            ("g_count", Some("g_count")),
            ("h_created", None),
        ] {
            assert_eq!(help(&mut metadata.attach(7), name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn what_is_kept_and_what_is_said_at_once_is_bounded() {
        let metadata = Metadata::default();
        let long = "h".repeat(100_000);
        for i in 0..500 {
            metadata.learn(7, &said(&format!("m{i}"), 2, &long));
            metadata.learn(7, &said("first", 2, &long));
        }
        let kept = metadata.kept.lock().entries.len();
        let bytes = metadata.kept.lock().entries.iter().map(|(_, entry)| entry.texts.bytes()).sum::<usize>();
        assert_eq!((metadata.bytes(), kept), (bytes, MOST_BYTES / (100_000 + ENTRY_BYTES + 4)));
        let mut attach = metadata.attach(7);
        let told = ["first", "m499", "m498", "m0"].map(|name| help(&mut attach, name).is_some());
        assert_eq!(told, [true, true, false, false], "what came last is kept, and the rest is said later");
    }
}
