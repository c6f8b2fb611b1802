//! Configuration: text → checked → (elsewhere) compiled.
//!
//! [`Config`] is what the file means, checked; later stages never see the text again.

mod model;

pub use model::{
    Admin, BasicAuth, Config, Listen, OnThrottle, Secret, Series, Tenant, Tls, Upstream, UpstreamAuth,
};
