//! TLS of a connection, up to its first request.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::clock::LogInterval;

/// A record of a handshake begins with it; no text does.
const HANDSHAKE: u8 = 22;
/// How much and for how long one is listened to that speaks no TLS. Closing with unread bytes would reset the connection.
const DISCARD_MAX_BYTES: usize = 1 << 20;
const DISCARD_FOR: Duration = Duration::from_secs(2);

/// Why there is no TLS with somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTls {
    /// It went away.
    Gone,
    /// It said nothing.
    Silent,
    /// It began and did not end in time.
    Slow,
    /// It speaks without.
    Plaintext,
    /// It does not believe us, or we do not believe it.
    Failed,
}

/// How the connections of a port come to TLS.
pub struct Handshakes {
    /// The section of the config, for the log.
    key: &'static str,
    plaintext: LogInterval,
    failed: LogInterval,
}

impl Handshakes {
    /// Those of a port. Its certificate comes from the section `key` of the config.
    pub const fn new(key: &'static str) -> Self {
        Self { key, plaintext: LogInterval::new(), failed: LogInterval::new() }
    }

    /// Agrees on keys: the first byte has to come within one time, the rest of the handshake within another.
    ///
    /// # Errors
    /// If there is no TLS with it. The log says why, where that is no matter of time.
    pub async fn shake(
        &self,
        stream: TcpStream,
        config: Arc<ServerConfig>,
        [first, rest]: [Duration; 2],
    ) -> Result<TlsStream<TcpStream>, NoTls> {
        let peer = stream.peer_addr().ok().map(|address| address.ip().to_canonical());
        if first_byte(&stream, first).await? != HANDSHAKE {
            if let Some(others) = self.plaintext.turn(crate::clock::monotonic()) {
                let (sender, key) = (name(peer), self.key);
                tracing::warn!(
                    sender,
                    others,
                    "connection closed: it speaks no TLS, and this port does ({key}); the url is to begin with https://"
                );
            }
            close(stream).await;
            return Err(NoTls::Plaintext);
        }
        match timeout(rest, TlsAcceptor::from(config).accept(stream)).await {
            Err(_) => Err(NoTls::Slow),
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => {
                if let Some(others) = self.failed.turn(crate::clock::monotonic()) {
                    let (sender, key) = (name(peer), self.key);
                    tracing::warn!(sender, others, %error, "connection closed: no TLS with it ({key})");
                }
                Err(NoTls::Failed)
            }
        }
    }
}

/// Waits for the first byte, which is left where it is.
///
/// # Errors
/// If there is none.
pub async fn first_byte(stream: &TcpStream, within: Duration) -> Result<u8, NoTls> {
    let mut byte = [0; 1];
    // peeked, not `readable()`: that may be ready with nothing there
    match timeout(within, stream.peek(&mut byte)).await {
        Err(_) => Err(NoTls::Silent),
        Ok(Ok(1..)) => Ok(byte[0]),
        Ok(Ok(0) | Err(_)) => Err(NoTls::Gone),
    }
}

fn name(peer: Option<IpAddr>) -> String {
    peer.map_or_else(|| "unknown".to_owned(), |peer| peer.to_string())
}

/// Ends a connection so that the other side sees an end and no fault.
async fn close(mut stream: TcpStream) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let discarded = async {
        let mut chunk = vec![0; 16 << 10];
        let mut left = DISCARD_MAX_BYTES;
        while let Ok(read @ 1..) = stream.read(&mut chunk).await {
            left = left.saturating_sub(read);
            if left == 0 {
                return;
            }
        }
    };
    // whoever neither ends nor goes away is not waited for
    timeout(DISCARD_FOR, discarded).await.ok();
}
