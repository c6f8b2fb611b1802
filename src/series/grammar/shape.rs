//! The shape of a label value: which of its parts were generated, and as what.
//!
//! `sync-29707814-x7k2p` has the shape `sync-<minutes>-<5>`: values of one shape are one thing to a person, however
//! many there are. What people write stays as it is; where that cannot be told, it stays too.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::token::{
    CUT_LEN, CUT_NAME_LEN, is_hex, is_mixed_eight, is_number, is_suffix, is_template_hash, schedule,
};

/// A generated part of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A CronJob's schedule: Unix minutes.
    Minutes,
    /// Unix seconds.
    Seconds,
    /// Unix milliseconds.
    Milliseconds,
    /// The five random characters of `generateName`.
    Five,
    /// The eight of Airflow.
    Eight,
    /// A template's hash.
    Hash,
    /// A UUID.
    Uuid,
    /// 64 hex digits: a SHA-256, a container's id.
    Hex64,
    /// 40 hex digits: a commit.
    Hex40,
    /// 32 hex digits: an MD5, a trace's id, a static pod's id.
    Hex32,
    /// Other hex digits that are no word.
    Hex,
    /// An address, version 4 or 6.
    Ip,
    /// A ULID, a KSUID, or another long run of letters and digits.
    Id,
    /// A long number.
    Number,
}

impl Part {
    /// As it stands in a pattern.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minutes => "<minutes>",
            Self::Seconds => "<seconds>",
            Self::Milliseconds => "<milliseconds>",
            Self::Five => "<5>",
            Self::Eight => "<8>",
            Self::Hash => "<hash>",
            Self::Uuid => "<uuid>",
            Self::Hex64 => "<hex64>",
            Self::Hex40 => "<hex40>",
            Self::Hex32 => "<hex32>",
            Self::Hex => "<hex>",
            Self::Ip => "<ip>",
            Self::Id => "<id>",
            Self::Number => "<number>",
        }
    }
}

/// A value with the names of its generated parts in their place; see the module.
pub fn pattern(value: &str) -> impl fmt::Display {
    struct Pattern<'a>(Pieces<'a>);
    impl fmt::Display for Pattern<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.clone().try_for_each(|piece| match piece {
                Piece::Text(text) => f.write_str(text),
                Piece::Part(part, _) => f.write_str(part.as_str()),
            })
        }
    }
    Pattern(pieces(value))
}

/// What a value is, where it is generated as a whole: nothing in it is a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bare {
    /// A UUID.
    Uuid,
    /// The digest of an image or a file, a commit.
    Digest,
    /// A container's id, with or without its runtime.
    ContainerId,
    /// The path of a control group.
    CgroupId,
    /// A moment.
    Timestamp,
    /// An address, with or without a port.
    Ip,
    /// A long number.
    Number,
    /// Something else that no person wrote.
    Id,
}

/// Whether a value is generated as a whole, and what it is then.
pub fn bare(value: &str) -> Option<Bare> {
    let mut generated = pieces(value).filter_map(|piece| match piece {
        Piece::Part(part, text) => Some((part, text)),
        Piece::Text(_) => None,
    });
    let (part, text) = generated.next()?;
    if value.starts_with("/kubepods") || value.contains(".slice/") {
        return Some(Bare::CgroupId);
    }
    if part == Part::Hex64 {
        let (_, before) = (text, value.strip_suffix(text)?);
        return match before {
            "" => Some(Bare::ContainerId),
            _ if before.ends_with("sha256:") => Some(Bare::Digest),
            _ if before.ends_with("://") => Some(Bare::ContainerId),
            _ => None,
        };
    }
    let port = value.strip_prefix(text).and_then(|rest| rest.strip_prefix(':')).is_some_and(is_number);
    if part == Part::Ip && (port || text.len() == value.len()) {
        return Some(Bare::Ip);
    }
    if text.len() != value.len() {
        return None;
    }
    Some(match part {
        Part::Uuid => Bare::Uuid,
        Part::Minutes | Part::Seconds | Part::Milliseconds => Bare::Timestamp,
        Part::Hex40 => Bare::Digest,
        Part::Number => Bare::Number,
        _ => Bare::Id,
    })
}

#[derive(Clone, Copy)]
enum Piece<'a> {
    Text(&'a str),
    Part(Part, &'a str),
}

fn pieces(value: &str) -> Pieces<'_> {
    Pieces { value, at: 0 }
}

/// Goes through a value, a word (letters and digits) or what stands between two at a time.
#[derive(Clone)]
struct Pieces<'a> {
    value: &'a str,
    at: usize,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let rest = self.value.get(self.at..).filter(|rest| !rest.is_empty())?;
        let (piece, len) = self.piece(rest);
        self.at += len;
        Some(piece)
    }
}

impl<'a> Pieces<'a> {
    fn piece(&self, rest: &'a str) -> (Piece<'a>, usize) {
        let part = |part, len| (Piece::Part(part, &rest[..len]), len);
        if self.at == 0 && rest.parse::<Ipv6Addr>().is_ok() {
            return part(Part::Ip, rest.len());
        }
        let word = word_len(rest);
        if word == 0 {
            let len = rest.find(|c: char| c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            return (Piece::Text(&rest[..len]), len);
        }
        // cgroups glue `pod` to the pod's id
        if self.at > 0 && rest.starts_with("pod") && (uuid_len(&rest[3..]) > 0 || is_hex(&rest[3..word], 32))
        {
            return (Piece::Text(&rest[..3]), 3);
        }
        if let Some(len) = Some(uuid_len(rest)).filter(|len| *len > 0) {
            return part(Part::Uuid, len);
        }
        if let Some(len) = self.address_len(rest) {
            return part(Part::Ip, len);
        }
        if let Some(found) = self.word(&rest[..word], rest.len() == word) {
            return part(found, word);
        }
        match self.cut(rest, word) {
            Some(stem) => (Piece::Text(&rest[..stem]), stem),
            None => (Piece::Text(&rest[..word]), word),
        }
    }

    /// What a word is by itself and by what stands before it.
    fn word(&self, word: &str, last: bool) -> Option<Part> {
        let before = self.value[..self.at].bytes().next_back();
        let dashed = before == Some(b'-');
        // the rest of a decimal fraction or of a version is no word of its own
        if before == Some(b'.') && is_number(word) {
            return None;
        }
        if is_number(word) {
            return number(word, dashed);
        }
        match word.len() {
            64 if is_hex(word, 64) => return Some(Part::Hex64),
            40 if is_hex(word, 40) => return Some(Part::Hex40),
            32 if is_hex(word, 32) => return Some(Part::Hex32),
            5 if dashed && last && is_suffix(word) => return Some(Part::Five),
            5 if self.at == CUT_LEN && last && is_suffix(word) => return Some(Part::Five),
            8 if dashed && last && is_mixed_eight(word) => return Some(Part::Eight),
            _ => {}
        }
        if dashed && is_template_hash(word) {
            return Some(Part::Hash);
        }
        if is_hex(word, word.len()) && word.len() >= 7 && is_mixed(word, 2) {
            return Some(Part::Hex);
        }
        (word.len() >= 20 && is_mixed(word, 3)).then_some(Part::Id)
    }

    /// Where the five random characters begin that stand right behind a stem of 58 bytes, its dash cut off.
    fn cut(&self, rest: &str, word: usize) -> Option<usize> {
        let stem = CUT_LEN.checked_sub(self.at).filter(|stem| *stem > 0 && *stem < word)?;
        let glued = self.value.len() == CUT_NAME_LEN && rest.len() == word && is_suffix(&rest[stem..]);
        glued.then_some(stem)
    }

    /// Length of an address at the start: `10.0.1.23`, in a node's name also `10-0-1-23`.
    fn address_len(&self, rest: &str) -> Option<usize> {
        let of_node = self.value[..self.at].ends_with("ip-");
        let len = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.' || (of_node && c == '-')))
            .unwrap_or(rest.len());
        let text = rest[..len].trim_end_matches(['.', '-']);
        let joined_on = rest[text.len()..].starts_with(|c: char| c.is_ascii_alphanumeric());
        if joined_on {
            return None;
        }
        let dotted = text.parse::<Ipv4Addr>().is_ok();
        let dashed = || {
            let octet = |part: &str| is_number(part) && part.parse::<u8>().is_ok();
            of_node && text.split('-').count() == 4 && text.split('-').all(octet)
        };
        (dotted || dashed()).then_some(text.len())
    }
}

/// What a number is, where it is too long for people.
fn number(word: &str, dashed: bool) -> Option<Part> {
    match word.len() {
        0..=5 => None,
        8 if dashed && schedule(word).is_some() => Some(Part::Minutes),
        10 if schedule(word).is_some() => Some(Part::Seconds),
        13 if schedule(&word[..10]).is_some() => Some(Part::Milliseconds),
        _ => Some(Part::Number),
    }
}

fn word_len(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len())
}

/// Length of a UUID at the start, its parts joined by dashes, or by underscores as systemd has it; 0: none.
fn uuid_len(text: &str) -> usize {
    let Some(id) = text.get(..36) else { return 0 };
    let fits = id.bytes().enumerate().all(|(at, b)| match at {
        8 | 13 | 18 | 23 => b == b'-' || b == b'_',
        _ => b.is_ascii_hexdigit(),
    });
    let ends = !text[36..].starts_with(|c: char| c.is_ascii_alphanumeric());
    if fits && ends { 36 } else { 0 }
}

/// Whether letters and digits stand so mixed that nobody wrote them: so many digits at least, and as many letters,
/// taking turns more than a name with a number or two.
fn is_mixed(word: &str, least: usize) -> bool {
    let digit = |b: &u8| b.is_ascii_digit();
    let digits = word.bytes().filter(|b| digit(b)).count();
    let turns = word.as_bytes().windows(2).filter(|w| digit(&w[0]) != digit(&w[1])).count();
    digits >= least && word.len() - digits >= least && turns >= 3
}
