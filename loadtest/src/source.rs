//! Where the series of a load come from: a simulated cluster, plain series in any number, or something real, multiplied.

mod clusters;
mod exposition;
mod plain;
mod recording;
mod template;

pub use clusters::{Clusters, Flood};
pub use exposition::parse as parse_exposition;
pub use plain::Plain;
pub(crate) use recording::as_template as recording_as_template;
pub use recording::{Record, RecordedSeries, read as read_recording};
pub(crate) use template::renamed_value;
pub use template::{Template, TemplateSeries};

/// The kind of a series by its name, where nobody says more: what Prometheus' naming conventions make of it.
pub fn is_counter_name(name: &str) -> bool {
    ["_total", "_count", "_sum", "_bucket"].iter().any(|end| name.ends_with(end))
}
