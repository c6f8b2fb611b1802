//! Tells HTTP/2 with prior knowledge from HTTP/1 by the connection's first bytes.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::activity::Deadlines;
use crate::access::{NoTls, first_byte};
use crate::telemetry::RefusedConnection;

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a connection speaks, with the bytes read to find out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    Http1(Bytes),
    Http2(Bytes),
}

/// Reads until the bytes differ from the preface (`POST` does at its second) or are all of it.
async fn read_preface(stream: &mut TcpStream, seen: &mut BytesMut) -> io::Result<bool> {
    while PREFACE.starts_with(seen) {
        if seen.len() == PREFACE.len() {
            return Ok(true);
        }
        if stream.read_buf(seen).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(seen.starts_with(PREFACE))
}

/// How a connection counts that ended before its first request; `None`: it went away by itself.
pub(super) fn refused(why: NoTls) -> Option<RefusedConnection> {
    match why {
        NoTls::Gone => None,
        NoTls::Silent => Some(RefusedConnection::FirstByteTimeout),
        NoTls::Slow => Some(RefusedConnection::HeaderTimeout),
        NoTls::Plaintext => Some(RefusedConnection::Plaintext),
        NoTls::Failed => Some(RefusedConnection::TlsHandshake),
    }
}

/// Finds out what the sender speaks. `Err(None)`: it went away.
pub(super) async fn sniff(
    stream: &mut TcpStream,
    limits: &Deadlines,
) -> Result<Spoken, Option<RefusedConnection>> {
    first_byte(stream, limits.first_byte).await.map_err(refused)?;
    let mut seen = BytesMut::with_capacity(PREFACE.len());
    match timeout(limits.header, read_preface(stream, &mut seen)).await {
        Err(_) => Err(Some(RefusedConnection::HeaderTimeout)),
        Ok(Err(_)) => Err(None),
        Ok(Ok(true)) => Ok(Spoken::Http2(seen.freeze())),
        Ok(Ok(false)) => Ok(Spoken::Http1(seen.freeze())),
    }
}
