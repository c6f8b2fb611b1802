//! YAML to typed text: the only file that calls the YAML crate, so that it can be exchanged.
//!
//! Says what is wrong in the words of the config's reader; where, the caller renders.

use serde::{Deserialize, Deserializer};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_saphyr::{Error, MessageFormatter as _, Spanned, UserMessageFormatter};

use super::position::Position;

/// What is said of merge keys, which are read as keys like others: so they hide no other mistake.
pub(super) const NO_MERGE_KEYS: &str = "merge keys (`<<`) are not supported; state the keys";
/// The key of one.
pub(super) const MERGE_KEY: &str = "<<";
const NO_TAGS: &str = "YAML tags are not supported";

/// What the YAML crate refused.
pub(crate) struct Refusal {
    pub(crate) message: String,
    pub(crate) position: Position,
    /// The offending key, if it is one we do not know. What follows it may be a secret under a misspelt name.
    pub(crate) unknown_key: Option<String>,
}

impl Refusal {
    /// Whether a tag was refused, that could be read over.
    pub(super) fn is_about_a_tag(&self) -> bool {
        self.message == NO_TAGS
    }

    /// The same where the key may be a part of a secret.
    pub(super) fn hidden(self) -> Self {
        let message = "unknown key; it is not shown, as the value of a secret may stand here".into();
        Self { message, position: self.position, unknown_key: None }
    }
}

/// Reads one document of ours; `make` is given what reads it.
pub(super) fn read<'t, T>(
    text: &'t str,
    tags: Tags,
    make: impl for<'e> FnOnce(serde_saphyr::Deserializer<'t, 'e>) -> Result<T, Error>,
) -> Result<T, Refusal> {
    serde_saphyr::with_deserializer_from_str_with_options(text, options(tags), make)
        .map_err(|error| refusal(&error))
}

/// Reads every document of a file that is not ours: rule files, in which keys and YAML features that we do not
/// know are no fault.
pub(crate) fn documents<T: serde::de::DeserializeOwned>(text: &str) -> Result<Vec<T>, Refusal> {
    serde_saphyr::from_multiple_with_options(text, foreign_options()).map_err(|error| refusal(&error))
}

/// Deserializes a value together with where it stands (an alias: where it is used).
pub(crate) fn with_position<'de, T, D>(deserializer: D) -> Result<(T, Position), D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let spanned = Spanned::<T>::deserialize(deserializer)?;
    Ok((spanned.value, position(&spanned.referenced)))
}

/// What becomes of tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tags {
    /// The first one is refused.
    Refused,
    /// It is known that there are some.
    Overlooked,
}

fn options(tags: Tags) -> serde_saphyr::Options {
    serde_saphyr::options! {
        // A thousand policies are some 10,000 nodes; beyond this the file is a mistake or an attack.
        budget: serde_saphyr::budget! {
            max_events: 400_000,
            max_nodes: 200_000,
            max_aliases: 2_000,
            max_anchors: 500,
            max_depth: 16,
            max_total_scalar_bytes: 16 << 20,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 20_000,
            max_replay_stack_depth: 8,
        },
        merge_keys: MergeKeyPolicy::AsOrdinary,
        // `collect` says so of our own keys, `check` of headers
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        strict_booleans: true,
        reject_unsupported_tags: tags == Tags::Refused,
        // We render the excerpt ourselves, with secrets masked.
        with_snippet: false,
    }
}

fn foreign_options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        // The 16 MiB that a file may have, in nodes.
        budget: serde_saphyr::budget! {
            max_events: 4_000_000,
            max_nodes: 2_000_000,
            max_depth: 64,
            max_total_scalar_bytes: 16 << 20,
        },
        with_snippet: false,
    }
}

fn position(location: &serde_saphyr::Location) -> Position {
    let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Position { line: narrow(location.line()), column: narrow(location.column()) }
}

fn refusal(error: &Error) -> Refusal {
    let position = error.location().map(|l| position(&l)).unwrap_or_default();
    let mut error = error.without_snippet();
    while let Error::AliasError { error: inner, .. } = error {
        error = inner.without_snippet();
    }
    Refusal { message: message(error), position, unknown_key: None }
}

fn message(error: &Error) -> String {
    match error {
        Error::SerdeMissingField { field, .. } => format!("`{field}` is missing here"),
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("`{key}` is given twice"),
        Error::DuplicateMappingKey { .. } => "this key is given twice".into(),
        // Never the value itself: it may be a secret at the wrong place.
        Error::SerdeInvalidType { unexpected, expected, .. } => {
            format!("expected {expected}, found {}", kind(unexpected))
        }
        Error::SerdeInvalidValue { expected, .. } => {
            format!("expected {expected}, found another value")
        }
        Error::InvalidBooleanStrict { .. } => "expected `true` or `false`".into(),
        Error::InvalidScalar { ty, .. } => format!("expected {}", scalar_type(ty)),
        Error::NullIntoString { .. } => "expected a text, found nothing".into(),
        Error::Unexpected { expected, .. } => format!("expected {}", node_type(expected)),
        Error::MultipleDocuments { .. } => {
            "a second YAML document starts here; one file is one document".into()
        }
        Error::UnsupportedTag { .. } => NO_TAGS.into(),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => {
            "the YAML is too large, too deep or uses too many anchors and aliases for a configuration".into()
        }
        Error::Message { msg, .. } => msg.clone(),
        other => syntax(&UserMessageFormatter.format_message(other)),
    }
}

/// In the parser's own words, but for the mistakes that everybody makes.
fn syntax(message: &str) -> String {
    if message.contains("tab") {
        return "YAML is not indented with tabs; use spaces".into();
    }
    if message.contains("unknown value") {
        return "no anchor of this name (`&name`) stands before this alias".into();
    }
    let hint = if message.contains("flow mapping") {
        "; inside `{ }` a value that holds `{`, `}`, `,` or `: ` needs quotes"
    } else if message.contains("double-quoted") {
        "; a selector, which has quotes of its own, goes into single ones: '{pod=~\"web-.*\"}'"
    } else if message.contains("single-quoted") {
        "; inside single quotes a value stands in double ones: '{pod=~\"web-.*\"}'"
    } else {
        ""
    };
    format!("not valid YAML: {}{hint}", message.replace(char::is_control, " "))
}

/// `string "abc"` → `a text`.
fn kind(unexpected: &str) -> &'static str {
    let first = unexpected.split([' ', '`']).next().unwrap_or_default();
    match first {
        "string" => "a text",
        "integer" | "floating" => "a number",
        "boolean" => "`true` or `false`",
        "map" => "a mapping",
        "sequence" => "a list",
        _ => "nothing",
    }
}

fn scalar_type(ty: &str) -> &'static str {
    match ty {
        "bool" => "`true` or `false`",
        _ if ty.starts_with('u') => "a whole number, 0 or more",
        _ if ty.starts_with('i') => "a whole number",
        _ => "another kind of value",
    }
}

fn node_type(expected: &str) -> &str {
    if expected.contains("string") || expected.contains("scalar") {
        "a single value here"
    } else if expected.contains("mapping") {
        "a mapping (`key: value`) here"
    } else if expected.contains("sequence") {
        "a list (`- item` or `[item]`) here"
    } else {
        expected
    }
}
