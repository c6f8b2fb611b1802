//! The socket as hyper sees it: notes when bytes come, and closes so that the answer is not lost.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::{Activity, Phase};

/// Bytes of a refused body thrown away at most; a sender with more to say sees a reset instead of our answer.
const DISCARD_MAX_BYTES: usize = 8 << 20;
const DISCARD_CHUNK_BYTES: usize = 16 << 10;

/// A connection's socket, or TLS over it.
pub(super) struct Io<S> {
    stream: S,
    /// Bytes read before hyper got the socket.
    early: Bytes,
    /// Told of bytes; absent with HTTP/2, whose bytes need not be a request.
    notes: Option<Arc<Activity>>,
    discarded: usize,
    sent_fin: bool,
}

impl<S: AsyncRead + Unpin> Io<S> {
    pub(super) fn new(stream: S, early: Bytes, notes: Option<Arc<Activity>>) -> Self {
        Self { stream, early, notes, discarded: 0, sent_fin: false }
    }

    /// Reads and forgets until the sender closes too. The watchdog bounds the time.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut chunk = [0; DISCARD_CHUNK_BYTES];
        while self.discarded < DISCARD_MAX_BYTES {
            let mut buffer = ReadBuf::new(&mut chunk);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => self.discarded += buffer.filled().len(),
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Io<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if let Some(notes) = &self.notes {
            notes.read_into(buffer.remaining());
        }
        if self.early.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        } else {
            let fits = self.early.len().min(buffer.remaining());
            buffer.put_slice(&self.early[..fits]);
            self.early.advance(fits);
        }
        if buffer.filled().len() > before
            && let Some(notes) = &self.notes
        {
            notes.bytes_arrived();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Io<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.sent_fin {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.sent_fin = true;
            if let Some(notes) = self.notes.as_ref().filter(|notes| notes.lingers()) {
                notes.enter(Phase::Linger);
            }
        }
        if self.notes.as_ref().is_some_and(|notes| notes.lingers()) {
            ready!(self.poll_discard(cx));
        }
        Poll::Ready(Ok(()))
    }
}
