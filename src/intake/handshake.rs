//! TLS of a connection of the write port, up to its first request.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::activity::Deadlines;
use super::preface::first_byte;
use crate::clock::LogInterval;
use crate::telemetry::RefusedConnection;

/// A record of a handshake begins with it; no text does.
const HANDSHAKE: u8 = 22;
/// How much and for how long one is listened to that speaks no TLS. Closing with unread bytes would reset the connection.
const DISCARD_MAX_BYTES: usize = 1 << 20;
const DISCARD_FOR: Duration = Duration::from_secs(2);

/// Lines about connections without TLS, and about handshakes that failed.
static PLAINTEXT: LogInterval = LogInterval::new();
static FAILED: LogInterval = LogInterval::new();

/// Agrees on keys. `Err(None)`: the sender went away.
pub(super) async fn shake_hands(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    peer: Option<IpAddr>,
    limits: &Deadlines,
) -> Result<TlsStream<TcpStream>, Option<RefusedConnection>> {
    let sender = || peer.map_or_else(|| "unknown".to_owned(), |peer| peer.to_string());
    if first_byte(&stream, limits).await? != HANDSHAKE {
        if let Some(others) = PLAINTEXT.turn(crate::clock::monotonic()) {
            tracing::warn!(
                sender = sender(),
                others,
                "connection closed: it speaks no TLS, and the write port does (listen.tls); the sender's url is to begin with https://"
            );
        }
        close(stream).await;
        return Err(Some(RefusedConnection::Plaintext));
    }
    match timeout(limits.header, TlsAcceptor::from(config).accept(stream)).await {
        Err(_) => Err(Some(RefusedConnection::HeaderTimeout)),
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => {
            if let Some(others) = FAILED.turn(crate::clock::monotonic()) {
                tracing::warn!(sender = sender(), others, %error, "connection closed: no TLS with it (listen.tls)");
            }
            Err(Some(RefusedConnection::TlsHandshake))
        }
    }
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
