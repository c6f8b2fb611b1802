//! Remote write on the wire: a borrowed walk that allocates nothing and knows no policies. What makes bodies of 2.0 keeps its buffers
//! from one to the next.
//!
//! [`v1::Fields`] hops over the top-level fields of a WriteRequest (1.0); [`v1::series`] looks into one TimeSeries;
//! [`v2`] does the same for remote write 2.0, and makes bodies of one of the other;
//! [`schema`] checks the parts that are rare (exemplars, histograms, metadata) as strictly as prost would.

pub mod cursor;
pub mod histogram;
pub mod labels;
pub mod metadata;
pub mod schema;
pub mod v1;
pub mod v2;
pub mod values;

pub use cursor::{WireError, WireErrorKind};

use crate::codec::Encoding;

/// How a body is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Which message it is.
    pub message: Message,
    /// How it is compressed.
    pub encoding: Encoding,
}

impl std::fmt::Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let message = match self.message {
            Message::V1 => "remote write 1.0",
            Message::V2 => "remote write 2.0",
        };
        let encoding = match self.encoding {
            Encoding::Snappy => "snappy",
            Encoding::Zstd => "zstd",
        };
        write!(f, "{message} in {encoding}")
    }
}

impl Form {
    /// Remote write 1.0 in snappy, which everyone takes.
    pub const PLAIN: Self = Self { message: Message::V1, encoding: Encoding::Snappy };
}

/// The message that a body is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Message {
    /// `prometheus.WriteRequest`, of remote write 1.0.
    #[default]
    V1,
    /// `io.prometheus.write.v2.Request`, of remote write 2.0.
    V2,
}
