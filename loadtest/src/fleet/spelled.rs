//! Series for 2.0, as what they are made of: each text once, and which of them make a label of which series.
//!
//! Nothing of a body of 2.0 can be kept compressed, as every body has a table of texts of its own. But a body looks up each text
//! of a segment once, however many of its series have it, and writes positions.

use crate::identity::ByHash;
use crate::version2::{Request, hash};

/// What is said of the metric of a series: its type by number, and its help.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said<'a> {
    pub(super) kind: u8,
    pub(super) help: &'a str,
}

/// A body of 2.0 under way, and where the texts of the segment that is written stand in its table.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) request: Request,
    positions: Vec<u32>,
}

impl Draft {
    /// Looks up the texts of some series, which are written next.
    pub(super) fn locate(&mut self, spelled: &Spelled) {
        let request = &mut self.request;
        self.positions.clear();
        self.positions.extend(spelled.texts().map(|(hash, text)| request.position(hash, text)));
    }

    /// Adds one of the series that were located, with a part, by its field and its message.
    pub(super) fn series(&mut self, spelled: &Spelled, series: usize, part: (u8, &[u8])) {
        let positions = &self.positions;
        let refs = spelled.refs(series).iter().map(|text| positions[usize::from(*text)]);
        let (kind, help) = spelled.said(series);
        self.request.series(refs, part, (kind, positions[usize::from(help)]));
    }
}

/// Some series that are not added to any more.
#[derive(Default)]
pub(super) struct Spelled {
    texts: String,
    /// The hash of each text and where it ends; the first is empty.
    ends: Vec<(u64, u32)>,
    refs: Vec<u16>,
    series: Vec<Series>,
}

struct Series {
    /// Where its references end.
    end: u32,
    kind: u8,
    help: u16,
}

impl Spelled {
    /// Every text with its hash.
    fn texts(&self) -> impl Iterator<Item = (u64, &str)> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|end| end.1));
        starts.zip(&self.ends).map(|(start, end)| (end.0, &self.texts[start as usize..end.1 as usize]))
    }

    /// The texts that names and values of a series are, by their number here.
    fn refs(&self, series: usize) -> &[u16] {
        let start = series.checked_sub(1).map_or(0, |before| self.series[before].end);
        &self.refs[start as usize..self.series[series].end as usize]
    }

    /// What is said of its metric.
    fn said(&self, series: usize) -> (u8, u16) {
        (self.series[series].kind, self.series[series].help)
    }

    /// Those of the series that are wanted, by their number.
    pub(super) fn only(&self, wanted: impl Fn(usize) -> bool) -> Spelling {
        let texts: Vec<&str> = self.texts().map(|(_, text)| text).collect();
        let text = |number: &u16| texts[usize::from(*number)];
        let mut spelling = Spelling::default();
        for number in (0..self.series.len()).filter(|number| wanted(*number)) {
            let (pairs, _) = self.refs(number).as_chunks::<2>();
            let labels: Vec<(&str, &str)> =
                pairs.iter().map(|[name, value]| (text(name), text(value))).collect();
            let (kind, help) = self.said(number);
            spelling.push(&labels, Said { kind, help: text(&help) });
        }
        spelling
    }
}

/// Series that are added one by one.
#[derive(Default)]
pub(super) struct Spelling {
    spelled: Spelled,
    /// The number of a text by its hash, see [`Request`].
    numbers: ByHash<u16>,
}

impl Spelling {
    /// Bytes of the texts so far.
    pub(super) fn len(&self) -> usize {
        self.spelled.texts.len()
    }

    /// Adds a series. What is added has 65,536 texts at most.
    pub(super) fn push(&mut self, labels: &[(&str, &str)], said: Said<'_>) {
        if self.spelled.ends.is_empty() {
            self.number("");
        }
        for &(name, text) in labels {
            let pair = [self.number(name), self.number(text)];
            self.spelled.refs.extend(pair);
        }
        let (end, help) = (self.spelled.refs.len() as u32, self.number(said.help));
        self.spelled.series.push(Series { end, kind: said.kind, help });
    }

    fn number(&mut self, text: &str) -> u16 {
        let (hash, spelled) = (hash(text), &mut self.spelled);
        *self.numbers.entry(hash).or_insert_with(|| {
            spelled.texts.push_str(text);
            spelled.ends.push((hash, spelled.texts.len() as u32));
            u16::try_from(spelled.ends.len() - 1).expect("a segment is far below 65,536 texts")
        })
    }

    /// What was added.
    pub(super) fn finish(self) -> Spelled {
        let mut spelled = self.spelled;
        spelled.texts.shrink_to_fit();
        spelled.ends.shrink_to_fit();
        spelled.refs.shrink_to_fit();
        spelled.series.shrink_to_fit();
        spelled
    }
}
