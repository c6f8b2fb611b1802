//! The text as keys and values of ours, read again behind each mistake.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde::Deserialize as _;

use super::cited::cited;
use super::collect::{BadKey, Walk};
use super::mask::{self, Guarded};
use super::position::Position;
use super::raw::{LATER_POLICY_KEYS, RawConfig};
use super::reader::{Context, Error, NodeReader};
use super::suggest::{did_you_mean, listed};
use super::yaml::{self, Node, Refusal, Tree};

/// Each value that cannot be read costs one more reading of the tree; behind so many it is read no further.
const MAX_REFUSALS: usize = 50;

/// A text, as far as it could be read.
pub(crate) struct Reading {
    /// All but what was refused; `None` where nothing can be read behind a mistake.
    pub(crate) raw: Option<RawConfig>,
    pub(crate) refusals: Vec<Refusal>,
    /// Paths (`policies.0.without`) of what is given and could not be read.
    pub(crate) unread: BTreeSet<String>,
    /// Texts that aliases stand for, and where they are written.
    pub(crate) aliased: Vec<(Position, String)>,
    /// Values that must not be shown whole.
    pub(crate) guarded: Vec<Guarded>,
}

/// Reads one document, its tree again behind each mistake that can be stepped over.
pub(crate) fn parse(text: &str) -> Reading {
    let tree = yaml::own(text);
    let walk = RefCell::new(Walk::default());
    // a tag hides no other mistake: the value is read as if it had none
    let tags = tree.tags.iter().take(MAX_REFUSALS);
    let mut refusals: Vec<Refusal> = tags.map(|tag| Refusal::new(*tag, yaml::NO_TAGS)).collect();
    let raw = loop {
        if refusals.len() >= MAX_REFUSALS {
            let message =
                format!("{MAX_REFUSALS} values cannot be read; the rest of the file was not checked");
            refusals.push(Refusal::new(Position::default(), message));
            break None;
        }
        walk.borrow_mut().begin();
        let error = match read(&tree, &walk) {
            Ok(raw) => break Some(raw),
            Err(error) => error,
        };
        let steps_over = !error.is_last() && walk.borrow_mut().step_over();
        let refusal = error.into_refusal();
        // where stepping over was of no use, the same is refused again
        if !refusals.iter().any(|known| known.position == refusal.position) {
            refusals.push(refusal);
        }
        if !steps_over {
            break None;
        }
    };
    // what was refused as a whole may have hidden that there is more to refuse
    let failure = tree.failure.iter().filter(|_| raw.is_none()).cloned();
    let unclosed = tree.unclosed.map(|open| Refusal::new(open, yaml::UNCLOSED));
    for refusal in failure.chain(unclosed) {
        if !refusals.iter().any(|known| known.position == refusal.position) {
            refusals.push(refusal);
        }
    }
    let (keys, unread) = walk.into_inner().into_found();
    let unknown = keys.iter().filter(|(_, key)| matches!(key, BadKey::Unknown { .. }));
    let unknown: BTreeSet<Position> = unknown.map(|(position, _)| *position).collect();
    let guarded = tree.documents.iter().flat_map(|document| mask::guarded(document, &unknown)).collect();
    refusals.extend(keys.into_iter().map(|(position, key)| bad_key(position, key)));
    Reading { raw, refusals, unread, aliased: tree.aliased, guarded }
}

fn read<'n>(tree: &'n Tree<'n>, walk: &'n RefCell<Walk>) -> Result<RawConfig, Error> {
    let context = Context::new(tree, Some(walk));
    let absent = Node { cut: tree.failure.is_some(), ..Node::nothing(Position::default()) };
    let document = tree.documents.first().unwrap_or(&absent);
    let raw = RawConfig::deserialize(NodeReader::new(document, &context))?;
    context.end().map(|()| raw)
}

fn bad_key(position: Position, key: BadKey) -> Refusal {
    match key {
        BadKey::Unknown { key, known } => {
            Refusal { message: unknown_key(&key, known), position, unknown_key: Some(key) }
        }
        BadKey::Twice { key } => Refusal::new(position, format!("`{}` is given twice", cited(&key))),
    }
}

fn unknown_key(field: &str, expected: &[&'static str]) -> String {
    if field == yaml::MERGE_KEY {
        return yaml::NO_MERGE_KEYS.to_owned();
    }
    let shown = cited(field);
    let in_policy = expected.contains(&"match");
    if in_policy && LATER_POLICY_KEYS.contains(&field) {
        return format!(
            "`{shown}` is not in this version; a policy has {}, its actions are `pass`, `drop`, `relabel`, `aggregate` and `limit`",
            listed(expected)
        );
    }
    match did_you_mean(field, expected) {
        Some(near) => format!("unknown key `{shown}`; did you mean `{near}`?"),
        None => format!("unknown key `{shown}`; expected one of {}", listed(expected)),
    }
}
