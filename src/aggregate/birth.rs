//! Where a counter starts from that a gate sees for the first time: from zero, or from where it is.
//!
//! A wrong start from where it is loses what the counter grew by before; a wrong start from zero adds all it ever counted
//! to its group at once. So whatever is not known speaks for the first.

use super::watch::Watch;

/// A sender must have been watched for this long before what it sends for the first time counts as new.
pub(super) const WATCHED_MS: i64 = 60_000;
/// Whoever sends a request of which nothing is known may be another behind the address, and has to be taken for one. What
/// began so short before its first sample had hardly anywhere else to be, and little to count.
const YOUNG_MS: i64 = 60_000;
/// A start that is said to be later than the first sample by more than this is no start of that series: clocks of
/// nodes differ by less.
const SKEW_MS: i64 = 5_000;

/// What is open of a counter that a gate sees for the first time: what says when it began may come later, in another request
/// of the same scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Open {
    /// Since when we had watched before its first sample, Unix milliseconds. Of later requests this cannot be learned: half of
    /// their series may be what was born with it.
    pub(super) since_ms: i64,
    /// What it is if nothing says when it began.
    pub(super) unsaid: Unsaid,
}

/// What a counter is of which nothing says when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsaid {
    /// It only says where it is.
    Here,
    /// It was born, as it was not there while its sender was watched.
    Watched,
    /// It was born, as its run was due while we watched.
    Due,
}

/// Where a counter starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// It was born while we watched: its first value is what it grew by.
    Zero,
    /// The same, unless something that comes soon says otherwise.
    PerhapsZero,
    /// Its first value only says where it is, unless something that comes soon says otherwise: a process that was started
    /// again may show its counters before it shows when that was.
    Here,
}

impl Open {
    /// Whatever comes, it begins from where it is.
    pub(super) const NEVER: Self = Self { since_ms: i64::MAX, unsaid: Unsaid::Here };

    /// Where it starts from, given when it began as far as that is said.
    pub(super) fn start(&self, started_ms: Option<i64>, first_ms: i64) -> Start {
        match (started_ms, self.unsaid) {
            (Some(started), _) if self.is_watched(started, first_ms) => Start::Zero,
            (None, Unsaid::Due) => Start::Zero,
            (None, Unsaid::Watched) => Start::PerhapsZero,
            _ => Start::Here,
        }
    }

    /// Whether we watched then.
    fn is_watched(&self, at_ms: i64, first_ms: i64) -> bool {
        (self.since_ms..=first_ms.saturating_add(SKEW_MS)).contains(&at_ms)
    }
}

/// What the other series of a request say of who sent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderHistory {
    /// For how long half of those that are known have been known, milliseconds; `None`: none is known.
    pub known_ms: Option<i64>,
    /// Whether at least as many are known as are not.
    pub most_known: bool,
}

/// All that is known of a counter that comes for the first time, and of who sends it. Times are Unix milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence {
    /// Its first sample.
    pub(super) first_ms: i64,
    /// Whether it was here before: it is known to the index.
    pub(super) was_here: bool,
    /// Whether its last value may have been given up, and the newest sample of all whose values were.
    pub(super) given_up: bool,
    /// See `given_up`.
    pub(super) given_up_ms: i64,
    /// When its run was due. It may have begun later, so that an earlier time says nothing.
    pub(super) due_ms: Option<i64>,
    /// The requests of its sender before this one; `None`: there was none.
    pub(super) watch: Option<Watch>,
    /// Since when half of the known series of the request are known; `None`: none is.
    pub(super) history_ms: Option<i64>,
    /// Whether at least as many of its series are known as are not.
    pub(super) most_known: bool,
    /// Since when nothing was forgotten: policies did not change, and no state came from disk.
    pub(super) sure_ms: i64,
    /// Whether other gates aggregate for the same backend.
    pub(super) several_gates: bool,
}

/// The rule. Whoever speaks against a birth wins: `None` where nothing that comes later can speak for one.
pub(super) fn open(evidence: &Evidence) -> Option<Open> {
    let Evidence { first_ms, history_ms, most_known, given_up, several_gates, .. } = *evidence;
    let watch = evidence.watch?;
    if evidence.was_here || !watch.is_unbroken(first_ms) {
        return None;
    }
    // what an agent shows when it comes: hardly anything of it began since, and it would all have to be remembered
    if history_ms.is_none() && first_ms.saturating_sub(watch.since_ms()) < WATCHED_MS {
        return None;
    }
    // another gate may have had it since it began, unless this sender sent nothing to anybody in between; one of which
    // nothing is known is another sender
    let is_known = history_ms.is_some() && most_known;
    if several_gates && !(is_known && watch.is_next(first_ms)) {
        return None;
    }
    // the watched span: nothing that was in front of this sender since then can have escaped us
    let known_ms = history_ms.unwrap_or(first_ms.saturating_sub(YOUNG_MS));
    let mut since_ms = watch.since_ms().max(known_ms).max(evidence.sure_ms);
    let long = history_ms.is_some()
        && first_ms.saturating_sub(since_ms) >= WATCHED_MS
        && watch.has_two_scrapes(first_ms);
    if several_gates {
        since_ms = known_ms.max(watch.before_ms(first_ms).saturating_add(1));
    }
    if given_up {
        since_ms = since_ms.max(evidence.given_up_ms.saturating_add(1));
    }
    let mut open = Open { since_ms, unsaid: Unsaid::Here };
    if evidence.due_ms.is_some_and(|due| open.is_watched(due, first_ms)) {
        open.unsaid = Unsaid::Due;
    } else if long && most_known && !several_gates && !given_up {
        open.unsaid = Unsaid::Watched;
    }
    Some(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sender that is known since 0 and sends every 15 s, up to 285 s; the series comes with the next scrape.
    fn usual() -> Evidence {
        let mut watch = Watch::new(0);
        (1..20).for_each(|scrape| watch.see(scrape * 15_000));
        Evidence {
            first_ms: 300_000,
            was_here: false,
            given_up: false,
            given_up_ms: 100_000,
            due_ms: None,
            watch: Some(watch),
            history_ms: Some(0),
            most_known: true,
            sure_ms: 0,
            several_gates: false,
        }
    }

    /// What a row says.
    #[derive(Debug, PartialEq, Eq)]
    enum Right {
        /// It starts from where it is, whatever comes.
        Closed,
        Zero,
        /// It is said that it began too early, or too late.
        Here,
        /// Nothing is said, and it counts as born; since when we had watched, Unix milliseconds.
        Perhaps(i64),
        /// Nothing is said, and nothing but a start that is said later speaks for it.
        Hardly(i64),
    }

    fn watch(scrapes: &[i64]) -> Option<Watch> {
        let (first, rest) = scrapes.split_first().unwrap();
        let mut watch = Watch::new(first * 1000);
        rest.iter().for_each(|scrape| watch.see(scrape * 1000));
        Some(watch)
    }

    /// The same, and it is said when it began.
    #[derive(Debug)]
    struct Said(Evidence, Option<i64>);

    impl From<Evidence> for Said {
        fn from(evidence: Evidence) -> Self {
            Self(evidence, None)
        }
    }

    fn started(evidence: Evidence, seconds: i64) -> Said {
        Said(evidence, Some(seconds * 1000))
    }

    fn due(evidence: Evidence, seconds: i64) -> Evidence {
        Evidence { due_ms: Some(seconds * 1000), ..evidence }
    }

    #[test]
    fn a_row_for_each_situation() {
        use Right::{Closed, Hardly, Here, Perhaps, Zero};
        let perhaps = |since: i64| Perhaps(since * 1000);
        let hardly = |since: i64| Hardly(since * 1000);
        let after = |ms: i64| Hardly(ms + 1);
        let usual = usual();
        let several = Evidence { several_gates: true, ..usual };
        let part = Evidence { watch: watch(&[255, 270, 285, 300]), ..several };
        let torn = Evidence { watch: watch(&[240, 255, 270, 300]), ..several };
        let sender_history =
            |seconds: i64, most_known| Evidence { history_ms: Some(seconds * 1000), most_known, ..usual };
        let since = |scrapes: &[i64]| Evidence { watch: watch(scrapes), ..usual };
        let rows: Vec<(&str, Said, Right)> = vec![
            ("a new pod of a sender that is watched", usual.into(), perhaps(0)),
            ("a new pod, and its creation is known", started(usual, 290), Zero),
            ("a pod that was made before the sender came", started(usual, -1), Here),
            ("a process that runs for days", started(usual, -3 * 86_400), Here),
            ("a start that lies ahead", started(usual, 306), Here),
            ("a run that was due before we came and began late", due(usual, -100).into(), perhaps(0)),
            ("the same, of a sender that is new", due(since(&[270, 285]), 200).into(), hardly(270)),
            ("a run that was due since then", due(since(&[270, 285]), 280).into(), Zero),
            ("several gates, a run that was due since the last scrape", due(several, 290).into(), Zero),
            ("several gates, a run that was due before", due(several, 200).into(), after(285_000)),
            ("a run of a pod that is known to be old", started(due(usual, 290), -1), Here),
            ("a node's clock that is two seconds ahead", started(usual, 302), Zero),
            ("it is known to the index", Evidence { was_here: true, ..usual }.into(), Closed),
            ("its last value was given up", Evidence { given_up: true, ..usual }.into(), after(100_000)),
            ("made before that", started(Evidence { given_up: true, ..usual }, 100), Here),
            ("a new one that is taken for it", started(Evidence { given_up: true, ..usual }, 290), Zero),
            (
                "so it is, whatever its creation is",
                started(Evidence { was_here: true, ..usual }, 290),
                Closed,
            ),
            ("the first request of a sender", Evidence { watch: None, ..usual }.into(), Closed),
            ("and a run that was due just now", started(Evidence { watch: None, ..usual }, 299), Closed),
            (
                "a second agent behind the address: nothing of it is known",
                sender_history(0, false).into(),
                hardly(0),
            ),
            (
                "and its sender has just come",
                started(Evidence { history_ms: None, ..since(&[241, 256, 271, 286]) }, 290),
                Closed,
            ),
            ("nothing at all is known", Evidence { history_ms: None, ..usual }.into(), hardly(240)),
            ("and it was made a minute ago", started(Evidence { history_ms: None, ..usual }, 240), Zero),
            ("and it was made before that", started(Evidence { history_ms: None, ..usual }, 239), Here),
            (
                "its second scrape: the rest is known for seconds",
                sender_history(285, true).into(),
                hardly(285),
            ),
            (
                "a pod that was made after the second agent came",
                started(sender_history(285, true), 290),
                Zero,
            ),
            ("and one that was made before", started(sender_history(285, true), 200), Here),
            ("known for less than a minute", sender_history(241, true).into(), hardly(241)),
            ("known for a minute", sender_history(240, true).into(), perhaps(240)),
            ("watched for less than a minute", since(&[241, 256, 271, 286]).into(), hardly(241)),
            ("one scrape only", since(&[240]).into(), hardly(240)),
            ("after an outage of the agent", since(&[0, 15, 200, 285]).into(), perhaps(200)),
            ("right after an outage of the agent", since(&[0, 15, 30, 290]).into(), hardly(290)),
            ("made during the outage", started(since(&[0, 15, 30, 290]), 200), Here),
            ("made after it", started(since(&[0, 15, 30, 290]), 295), Zero),
            ("the sender was silent until now", since(&[0, 15, 30]).into(), Closed),
            ("made in that silence", started(since(&[0, 15, 30]), 295), Closed),
            ("policies changed", Evidence { sure_ms: 290_000, ..usual }.into(), hardly(290)),
            ("made before they changed", started(Evidence { sure_ms: 290_000, ..usual }, 280), Here),
            ("made after that", started(Evidence { sure_ms: 290_000, ..usual }, 291), Zero),
            ("several gates, and nothing but watching", several.into(), after(285_000)),
            ("several gates, made since the last scrape", started(several, 290), Zero),
            ("several gates, made before it", started(several, 284), Here),
            (
                "several gates, and a scrape is missing",
                started(Evidence { watch: watch(&[210, 225, 240, 255]), ..several }, 290),
                Closed,
            ),
            (
                "several gates, made while the sender was elsewhere",
                started(Evidence { watch: watch(&[0, 15, 30, 45, 60]), ..several }, 290),
                Closed,
            ),
            (
                "several gates, an agent that moves behind the address of one that is known",
                started(Evidence { history_ms: None, most_known: false, ..several }, 290),
                Closed,
            ),
            (
                "several gates, and most of its request is new here",
                started(Evidence { most_known: false, ..several }, 290),
                Closed,
            ),
            ("several gates, another request of the same scrape", part.into(), after(285_000)),
            ("and it was made since the scrape before", started(part, 290), Zero),
            ("and before that", started(part, 285), Here),
            ("the same, and the scrape before is missing", started(torn, 290), Here),
        ];
        for (situation, Said(evidence, started_ms), right) in rows {
            let found = open(&evidence).map(|open| (open, open.start(started_ms, evidence.first_ms)));
            let found = match (found, started_ms) {
                (None, _) => Closed,
                (Some((_, Start::Zero)), _) => Zero,
                (Some((_, Start::Here)), Some(_)) => Here,
                (Some((open, Start::Here)), None) => Hardly(open.since_ms),
                (Some((open, Start::PerhapsZero)), _) => Perhaps(open.since_ms),
            };
            assert_eq!(found, right, "{situation}: {evidence:?}");
        }
    }

    #[test]
    fn what_is_said_is_measured_by_what_was_watched_before_it_came() {
        for unsaid in [Unsaid::Here, Unsaid::Watched, Unsaid::Due] {
            let open = Open { since_ms: 200_000, unsaid };
            let born = |seconds: i64| open.start(Some(seconds * 1000), 300_000) == Start::Zero;
            assert_eq!([199, 200, 300, 305, 306].map(born), [false, true, true, true, false], "{unsaid:?}");
        }
    }
}
