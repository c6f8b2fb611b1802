//! What the write port holds, added up by those who hold it.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What a connection takes beside its read buffer, bytes: its task and the state of its protocol.
const CONNECTION_BYTES: usize = 8 << 10;

/// Sums of one write port.
#[derive(Debug, Default)]
pub struct WritePort {
    /// What requests in hand hold, bytes; the read buffers of their connections are in it, too.
    pub requests: AtomicUsize,
    /// Read buffers of all connections, bytes.
    pub buffers: AtomicUsize,
    /// Open connections.
    pub connections: AtomicUsize,
}

impl WritePort {
    /// What requests in hand hold, bytes.
    pub fn request_bytes(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// What connections take, bytes, idle ones too.
    pub fn connection_bytes(&self) -> usize {
        let open = self.connections.load(Ordering::Relaxed);
        self.buffers.load(Ordering::Relaxed) + open * CONNECTION_BYTES
    }
}
