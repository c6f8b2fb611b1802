//! Sends to one receiver, one request at a time.

mod connection;
mod target;

pub use connection::{Client, WriteResponse};
pub use target::{Reach, Target};
