//! What a backend does to its senders on a bad day, on a schedule.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::names::Seed;
use crate::protocol::{Encoding, Form, Version};

/// One episode. Times count from the moment the schedule was given to the sink.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Episode {
    /// Seconds until it begins.
    #[serde(default)]
    pub after_s: f64,
    /// Seconds that it lasts.
    pub for_s: f64,
    /// What happens to a request.
    pub act: Act,
    /// The share of requests that it happens to, 0 to 1.
    #[serde(default = "all")]
    pub share: f64,
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// It is answered so many milliseconds later.
    Latency(u64),
    /// It is answered with a status and nothing of it is taken.
    Refuse {
        /// The status.
        status: u16,
        /// Seconds of a Retry-After header.
        #[serde(default)]
        retry_after: Option<u32>,
    },
    /// It is taken, and answered with this status all the same.
    TakeAndRefuse(u16),
    /// It waits for the end of the episode.
    Stall,
    /// Its connection is closed without an answer, and nothing of it is taken.
    Reset,
    /// Nobody listens, and connections are closed.
    Gone,
    /// If it is of 2.0, it is answered with this status and nothing of it is taken.
    RefuseV2(u16),
    /// If it is in zstd, it is answered with this status and nothing of it is taken.
    RefuseZstd(u16),
    /// If it is of 2.0, it is answered as one of 1.0 that was taken, and nothing of it is taken: what a receiver does that reads
    /// it as 1.0, and finds no series in it.
    LoseV2,
}

impl Act {
    /// Whether it is about requests of this form.
    fn concerns(&self, form: Form) -> bool {
        match self {
            Self::RefuseV2(_) | Self::LoseV2 => form.version == Version::Two,
            Self::RefuseZstd(_) => form.encoding == Encoding::Zstd,
            _ => true,
        }
    }
}

fn all() -> f64 {
    1.0
}

/// Reads `ACT@AFTER+FOR[*SHARE]`, times in seconds: `503@10+20`, `429:5@0+10*0.5`, `latency:200@5+5`, `stall@5+5`, `reset@5+5`,
/// `gone@5+5`, `taken:500@5+5`; of some forms of requests only, `v2:415@0+60`, `zstd:400@0+60`, `lose-v2@0+60`.
pub fn parse(text: &str) -> Result<Episode, String> {
    let shape = "want ACT@AFTER+FOR or ACT@AFTER+FOR*SHARE, times in seconds, as in 503@10+20";
    let (act, when) = text.split_once('@').ok_or(shape)?;
    let (when, share) = when.split_once('*').unwrap_or((when, "1"));
    let (after, lasts) = when.split_once('+').ok_or(shape)?;
    let number = |text: &str| text.parse::<f64>().ok().filter(|n| *n >= 0.0 && n.is_finite()).ok_or(shape);
    let (name, value) = act.split_once(':').unwrap_or((act, ""));
    let status = |text: &str| match text.parse() {
        Ok(status @ 400..=599) => Ok(status),
        _ => Err(format!("{text:?} is no status between 400 and 599")),
    };
    let act = match (name, value) {
        ("latency", ms) => {
            Act::Latency(ms.parse().map_err(|_| "latency wants milliseconds, as latency:200")?)
        }
        ("taken", code) => Act::TakeAndRefuse(status(code)?),
        ("v2", code) => Act::RefuseV2(status(code)?),
        ("zstd", code) => Act::RefuseZstd(status(code)?),
        ("lose-v2", "") => Act::LoseV2,
        ("stall", "") => Act::Stall,
        ("reset", "") => Act::Reset,
        ("gone", "") => Act::Gone,
        (code, "") => Act::Refuse { status: status(code)?, retry_after: None },
        (code, seconds) => {
            let seconds = seconds.parse().map_err(|_| "Retry-After is in whole seconds, as 429:5")?;
            Act::Refuse { status: status(code)?, retry_after: Some(seconds) }
        }
    };
    Ok(Episode { after_s: number(after)?, for_s: number(lasts)?, act, share: number(share)?.min(1.0) })
}

/// A schedule of episodes, and how many requests have asked it.
#[derive(Debug, Default)]
pub(super) struct Behaviour {
    episodes: Vec<Episode>,
    asked: u64,
}

impl Behaviour {
    pub(super) fn new(episodes: Vec<Episode>) -> Self {
        Self { episodes, asked: 0 }
    }

    /// What happens to the next request, if anything, and how long the episode still lasts. The first episode that
    /// applies wins; which requests are its share is drawn from their number, so it is the same in each run.
    pub(super) fn next(&mut self, since: Duration, form: Form) -> Option<(Act, Duration)> {
        let now_s = since.as_secs_f64();
        self.asked += 1;
        let draw = Seed::new(self.asked).unit();
        let applies = |episode: &&Episode| episode.is_on(now_s) && episode.act.concerns(form);
        let mut under_way = self.episodes.iter().filter(applies);
        let episode = under_way.find(|episode| draw < episode.share)?;
        let left = Duration::from_secs_f64((episode.after_s + episode.for_s - now_s).max(0.0));
        Some((episode.act.clone(), left))
    }

    /// Whether nobody listens now.
    pub(super) fn is_gone(&self, since: Duration) -> bool {
        let now_s = since.as_secs_f64();
        self.episodes.iter().any(|episode| episode.act == Act::Gone && episode.is_on(now_s))
    }
}

impl Episode {
    fn is_on(&self, now_s: f64) -> bool {
        (self.after_s..self.after_s + self.for_s).contains(&now_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn episodes_are_written_in_one_word() {
        let episode = |text| parse(text).unwrap();
        assert_eq!(episode("503@10+20").act, Act::Refuse { status: 503, retry_after: None });
        assert_eq!(episode("429:5@0+10*0.5").share, 0.5);
        assert_eq!(episode("latency:200@5+5").act, Act::Latency(200));
        assert_eq!((episode("stall@1+2").after_s, episode("stall@1+2").for_s), (1.0, 2.0));
        assert_eq!(episode("v2:415@0+1").act, Act::RefuseV2(415));
        assert_eq!(episode("zstd:400@0+1").act, Act::RefuseZstd(400));
        assert_eq!(episode("lose-v2@0+1").act, Act::LoseV2);
        for bad in
            ["v2@0+1", "zstd:200@0+1", "503", "503@x+1", "200@0+1", "latency@0+1", "gone:1@0+1", "503@1"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_share_is_a_share_and_time_counts() {
        let mut behaviour = Behaviour::new(vec![parse("503@10+20*0.25").unwrap()]);
        assert!(behaviour.next(Duration::from_secs(9), Form::default()).is_none());
        let hit =
            (0..4000).filter(|_| behaviour.next(Duration::from_secs(12), Form::default()).is_some()).count();
        assert!((900..1100).contains(&hit), "{hit}");
        assert!(behaviour.next(Duration::from_secs(30), Form::default()).is_none());
        assert!(!behaviour.is_gone(Duration::from_secs(12)));
    }

    #[test]
    fn what_is_about_a_form_leaves_the_others_to_the_next() {
        let episodes = ["v2:415@0+9", "zstd:400@0+9", "503@0+9"].map(|text| parse(text).unwrap());
        let mut behaviour = Behaviour::new(episodes.to_vec());
        let mut act =
            |version, encoding| behaviour.next(Duration::ZERO, Form { version, encoding }).unwrap().0;
        assert_eq!(act(Version::Two, Encoding::Zstd), Act::RefuseV2(415));
        assert_eq!(act(Version::One, Encoding::Zstd), Act::RefuseZstd(400));
        assert_eq!(act(Version::One, Encoding::Snappy), Act::Refuse { status: 503, retry_after: None });
    }
}
