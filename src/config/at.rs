//! A value and the place in the file it came from.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::position::Position;
use super::reader::AT;

/// A value with its place. In the schema it is just the value.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) position: Position,
}

impl<T> At<T> {
    /// A value that no file states.
    pub(crate) fn default_value(value: impl Into<T>) -> Self {
        Self { value: value.into(), position: Position::default() }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple_struct(AT, 2, AtVisitor(PhantomData))
    }
}

struct AtVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for AtVisitor<T> {
    type Value = At<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value with its place")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<At<T>, A::Error> {
        match (parts.next_element()?, parts.next_element()?) {
            (Some(value), Some(position)) => Ok(At { value, position }),
            _ => Err(A::Error::custom("a value without its place")),
        }
    }
}
