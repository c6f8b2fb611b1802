//! Kinds of values.

/// What kind of value an expression has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Scalar,
    Text,
    Vector,
    Range,
}

impl Type {
    pub(super) fn name(self) -> &'static str {
        match self {
            Type::Scalar => "a number",
            Type::Text => "a text",
            Type::Vector => "an instant vector",
            Type::Range => "a range vector",
        }
    }
}
