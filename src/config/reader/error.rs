//! Why a value could not be read, and where it stands.

use std::fmt;

use serde::de::{Expected, Unexpected};

use crate::config::position::Position;
use crate::config::yaml::Refusal;

/// Small, as it is passed through every function that depends on a type.
#[derive(Debug)]
pub(in crate::config) struct Error(Box<Mistake>);

#[derive(Debug)]
struct Mistake {
    message: String,
    /// Not known where the mistake is found by the type that was to be read.
    position: Position,
    is_last: bool,
}

impl Error {
    pub(super) fn new(position: Position, message: impl Into<String>) -> Self {
        Self(Box::new(Mistake { message: message.into(), position, is_last: false }))
    }

    /// The text can be read no further.
    pub(super) fn last(failure: &Refusal) -> Self {
        let Refusal { message, position, .. } = failure.clone();
        Self(Box::new(Mistake { message, position, is_last: true }))
    }

    /// Whether nothing can be read behind this mistake.
    pub(in crate::config) fn is_last(&self) -> bool {
        self.0.is_last
    }

    /// With a place, if it has none yet.
    pub(super) fn or_at(mut self, position: Position) -> Self {
        self.0.position = self.0.position.or(position);
        self
    }

    pub(in crate::config) fn into_refusal(self) -> Refusal {
        Refusal::new(self.0.position, self.0.message)
    }
}

fn unplaced(message: String) -> Error {
    Error::new(Position::default(), message)
}

impl serde::de::Error for Error {
    fn custom<M: fmt::Display>(message: M) -> Self {
        unplaced(message.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        // never the value itself: it may be a secret at the wrong place
        unplaced(format!("expected {expected}, found {}", kind(&unexpected)))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        unplaced(format!("expected {expected}, found another value"))
    }

    fn missing_field(field: &'static str) -> Self {
        unplaced(format!("`{field}` is missing here"))
    }
}

fn kind(unexpected: &Unexpected<'_>) -> &'static str {
    match unexpected {
        Unexpected::Str(_) => "a text",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
        Unexpected::Bool(_) => "`true` or `false`",
        Unexpected::Map => "a mapping",
        Unexpected::Seq => "a list",
        _ => "nothing",
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}
