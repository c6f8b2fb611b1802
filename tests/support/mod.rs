//! What the tests of the whole program share: the program itself, backends, an HTTP client, free ports.

pub(crate) mod backend;
pub(crate) mod gate;
pub(crate) mod http;
pub(crate) mod metrics;
pub(crate) mod ports;
pub(crate) mod wait;
