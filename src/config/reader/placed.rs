//! A value with its place, [`At`]: a list of both, each asked of the same node.
//!
//! [`At`]: crate::config::At

use serde::de::{DeserializeSeed, SeqAccess};

use super::{Error, NodeReader};

/// The name under which a value is asked for together with its place.
pub(in crate::config) const AT: &str = "At";

pub(super) struct Placed<'n>(pub(super) NodeReader<'n>);

impl<'de> SeqAccess<'de> for Placed<'_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        seed.deserialize(self.0).map(Some)
    }
}
