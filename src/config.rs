//! Configuration: text → checked → (elsewhere) compiled.
//!
//! [`Config`] is what the file means, checked; later stages never see the text again. [`Config::load`] gives
//! it, or [`ConfigErrors`] with everything that is wrong.
//!
//! Inside: `yaml` makes a tree of the text, `reader` makes `raw` of that, each value with its place; `reading` reads on behind
//! mistakes, which `collect` remembers. `check` turns that into [`Config`] and collects mistakes; `errors` renders them over `source`, where `mask` hides what is secret.

mod at;
mod check;
mod cited;
mod collect;
mod duration;
mod errors;
mod excerpt;
mod expand;
mod files;
mod headers;
mod lines;
mod load;
mod mask;
mod model;
mod position;
mod raw;
mod reader;
mod reading;
mod remarks;
#[cfg(feature = "schema")]
mod schema;
mod secrets;
mod size;
mod source;
mod suggest;
mod yaml;

/// The JSON schema of the file, as it is committed.
pub const SCHEMA: &str = include_str!("../config/schema.json");

pub(crate) use at::At;
pub(crate) use duration::parse as parse_duration;
pub use errors::{ConfigError, ConfigErrors};
pub use files::FilesRead;
pub use headers::is_framing;
pub use load::Loaded;
pub(crate) use load::{read_stream, read_text};
pub use mask::{secrets_of_url, shown_url};
pub use model::{
    Admin, AdminUser, Aggregation, BasicAuth, Config, Credentials, Delivery, Listen, Memory, OAuth2,
    OnInvalid, OnRefusal, OnThrottle, Protocol, Queue, Role, Secret, Series, ServerTls, Tenant, Tls,
    Tracking, Upstream, UpstreamAuth, User, Validation, WhenFull, WriteUser,
};
pub(crate) use position::Position;
pub(crate) use reader::documents;
pub use remarks::Remarks;
#[cfg(feature = "schema")]
pub use schema::schema;
pub use secrets::Secrets;
pub(crate) use source::Source;
pub(crate) use suggest::listed;
