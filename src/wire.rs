//! Remote write 1.0 on the wire: a borrowed walk that allocates nothing and knows no policies.
//!
//! [`v1::Fields`] hops over the top-level fields of a WriteRequest; [`v1::series`] looks into one TimeSeries;
//! [`schema`] checks the parts that are rare (exemplars, histograms, metadata) as strictly as prost would.

pub mod cursor;
pub mod labels;
pub mod schema;
pub mod v1;

pub use cursor::{WireError, WireErrorKind};
