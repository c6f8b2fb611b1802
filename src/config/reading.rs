//! The text as keys and values of ours, read again behind each mistake.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde::Deserialize as _;

use super::collect::{BadKey, Walk, Within};
use super::position::Position;
use super::raw::{LATER_POLICY_KEYS, RawConfig};
use super::suggest::{did_you_mean, listed};
use super::yaml::{self, Refusal, Tags};

/// Each value that cannot be read costs one more reading of the file; behind so many it is read no further.
const MAX_REFUSALS: usize = 50;

/// A text, as far as it could be read.
pub(crate) struct Reading {
    /// All but what was refused; `None` where nothing can be read behind a mistake.
    pub(crate) raw: Option<RawConfig>,
    pub(crate) refusals: Vec<Refusal>,
    /// Paths (`policies.0.without`) of what is given and could not be read.
    pub(crate) unread: BTreeSet<String>,
}

/// Reads one document, again behind each mistake that can be stepped over.
pub(crate) fn parse(text: &str) -> Reading {
    let walk = RefCell::new(Walk::default());
    let mut refusals = Vec::new();
    let mut tags = Tags::Refused;
    let raw = loop {
        walk.borrow_mut().begin();
        let read =
            yaml::read(text, tags, |deserializer| RawConfig::deserialize(Within::new(deserializer, &walk)));
        let error = match read {
            Ok(raw) => break Some(raw),
            Err(error) => error,
        };
        // a tag is refused wherever it is stepped over
        let is_first_tag = tags == Tags::Refused && error.is_about_a_tag();
        let steps_over = walk.borrow_mut().step_over() || is_first_tag;
        if is_first_tag {
            tags = Tags::Overlooked;
        }
        // where stepping over was of no use, the same is refused again
        if !refusals.iter().any(|known: &Refusal| known.position == error.position) {
            refusals.push(error);
        }
        if !steps_over {
            break None;
        }
        if refusals.len() >= MAX_REFUSALS {
            let message = format!(
                "{MAX_REFUSALS} values cannot be read, here they are; the rest of the file was not checked"
            );
            refusals.push(Refusal { message, position: Position::default(), unknown_key: None });
            break None;
        }
    };
    let (keys, unread) = walk.into_inner().into_found();
    refusals.extend(keys.into_iter().map(|(position, key)| bad_key(position, key)));
    Reading { raw, refusals, unread }
}

fn bad_key(position: Position, key: BadKey) -> Refusal {
    match key {
        BadKey::Unknown { key, known } => {
            Refusal { message: unknown_key(&key, known), position, unknown_key: Some(key) }
        }
        BadKey::Twice { key } => {
            Refusal { message: format!("`{key}` is given twice"), position, unknown_key: None }
        }
    }
}

fn unknown_key(field: &str, expected: &[&'static str]) -> String {
    if field == yaml::MERGE_KEY {
        return yaml::NO_MERGE_KEYS.to_owned();
    }
    let in_policy = expected.contains(&"match");
    if in_policy && LATER_POLICY_KEYS.contains(&field) {
        return format!(
            "`{field}` is not in this version; a policy has {}, its actions are `pass`, `drop`, `relabel`, `aggregate` and `limit`",
            listed(expected)
        );
    }
    match did_you_mean(field, expected) {
        Some(near) => format!("unknown key `{field}`; did you mean `{near}`?"),
        None => format!("unknown key `{field}`; expected one of {}", listed(expected)),
    }
}
