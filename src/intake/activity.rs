//! What a connection is doing, noted by those who see it and judged against the deadlines by one watchdog.
//!
//! hyper's own `header_read_timeout` also runs while a kept connection is idle, so it cannot be ten seconds for a
//! slow head and six minutes for a sender's pause. Here each state has its own deadline, and none costs a timer per
//! request: the watchdog's timer is moved only when it fires or when a nearer deadline appears.
//!
//! Of one connection all but HTTP/2's requests run in one task; there, times are stored before the state they are
//! for, so that a reader never sees a new state with an old time.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::config::Listen;
use crate::memory::WritePort;

/// How long a refused sender may take to read our answer before the connection goes.
const LINGER: Duration = Duration::from_secs(2);

/// What a connection without a request in hand is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// No byte yet.
    Fresh,
    /// Part of a request's head is there.
    Head,
    /// Between requests.
    Idle,
    /// Answered and closed on our side; the rest of what was sent is thrown away.
    Linger,
}

impl Phase {
    fn from_u8(value: u8) -> Self {
        match value {
            0 => Self::Fresh,
            1 => Self::Head,
            2 => Self::Idle,
            _ => Self::Linger,
        }
    }
}

/// The notes on one connection.
pub(super) struct Activity {
    peer: Option<IpAddr>,
    accepted: Instant,
    close_after: Option<Instant>,
    phase: AtomicU8,
    /// When the phase began, microseconds after `accepted`.
    since: AtomicU64,
    in_hand: AtomicU32,
    /// Size of the read buffer, bytes.
    buffer: AtomicUsize,
    closing: AtomicBool,
    linger: AtomicBool,
    port: Arc<WritePort>,
}

impl Activity {
    /// A connection just accepted from `peer`, to be closed with a response at `max_age`, if that is given.
    pub(super) fn new(peer: Option<IpAddr>, max_age: Option<Duration>, port: Arc<WritePort>) -> Arc<Self> {
        port.connections.fetch_add(1, Ordering::Relaxed);
        let accepted = Instant::now();
        Arc::new(Self {
            peer,
            accepted,
            close_after: max_age.and_then(|age| accepted.checked_add(age)),
            phase: AtomicU8::new(Phase::Fresh as u8),
            since: AtomicU64::new(0),
            in_hand: AtomicU32::new(0),
            buffer: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            linger: AtomicBool::new(false),
            port,
        })
    }

    /// Address of the other side.
    pub(super) fn peer(&self) -> Option<IpAddr> {
        self.peer
    }

    /// Enters a phase now.
    pub(super) fn enter(&self, phase: Phase) {
        let micros = self.accepted.elapsed().as_micros();
        self.since.store(u64::try_from(micros).unwrap_or(u64::MAX), Ordering::Release);
        self.phase.store(phase as u8, Ordering::Release);
    }

    /// The phase; without meaning while a request is in hand.
    pub(super) fn phase(&self) -> Phase {
        Phase::from_u8(self.phase.load(Ordering::Acquire))
    }

    /// Bytes came: where none were expected, a head begins. Further bytes do not restart its deadline.
    pub(super) fn bytes_arrived(&self) {
        if matches!(self.phase(), Phase::Fresh | Phase::Idle) && !self.is_busy() {
            self.enter(Phase::Head);
        }
    }

    /// There is a buffer with room for so many bytes. It does not shrink while the connection lives.
    pub(super) fn read_into(&self, room: usize) {
        let before = self.buffer.fetch_max(room, Ordering::Relaxed);
        if room > before {
            self.port.buffers.fetch_add(room - before, Ordering::Relaxed);
        }
    }

    /// Size of the buffer that the connection is read into, bytes.
    pub(super) fn buffer_bytes(&self) -> usize {
        self.buffer.load(Ordering::Relaxed)
    }

    /// What TLS holds for the connection is added up until the guard is dropped.
    pub(super) fn takes_for_tls(&self) -> TlsMemory {
        self.port.buffers.fetch_add(TLS_BYTES, Ordering::Relaxed);
        TlsMemory(Arc::clone(&self.port))
    }

    /// A request is in hand until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> InHand {
        self.in_hand.fetch_add(1, Ordering::AcqRel);
        InHand(Arc::clone(self))
    }

    /// Whether a request is in hand.
    pub(super) fn is_busy(&self) -> bool {
        self.in_hand.load(Ordering::Acquire) > 0
    }

    /// Whether the head of a request is on its way.
    pub(super) fn is_reading_head(&self) -> bool {
        self.phase() == Phase::Head && !self.is_busy()
    }

    /// Whether the connection has reached its age. Says so once.
    pub(super) fn age_reached(&self) -> bool {
        self.close_after.is_some_and(|at| Instant::now() >= at) && !self.closing.swap(true, Ordering::AcqRel)
    }

    /// Whether the connection is to close after the responses under way.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// A body was refused unread: what still comes of it is to be thrown away, so that the answer arrives. Closing
    /// with unread bytes makes the kernel reset the connection, and the sender would see that instead.
    pub(super) fn linger_at_close(&self) {
        self.linger.store(true, Ordering::Release);
    }

    /// Whether [`Activity::linger_at_close`] was called.
    pub(super) fn lingers(&self) -> bool {
        self.linger.load(Ordering::Acquire)
    }

    fn deadline(&self, limits: &Deadlines) -> Option<(Phase, Instant)> {
        if self.is_busy() {
            return None;
        }
        let phase = self.phase();
        let since = self.accepted + Duration::from_micros(self.since.load(Ordering::Acquire));
        let allowed = match phase {
            Phase::Fresh => limits.first_byte,
            Phase::Head => limits.header,
            Phase::Idle => limits.idle,
            Phase::Linger => LINGER,
        };
        since.checked_add(allowed).map(|at| (phase, at))
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        self.port.connections.fetch_sub(1, Ordering::Relaxed);
        self.port.buffers.fetch_sub(self.buffer_bytes(), Ordering::Relaxed);
    }
}

/// What a connection with TLS takes beside its read buffer, bytes: records that are read, its keys. Measured: 15 KiB where bodies are short,
/// 34 where they are not.
const TLS_BYTES: usize = 36 << 10;

/// The memory of a connection's TLS.
pub(super) struct TlsMemory(Arc<WritePort>);

impl Drop for TlsMemory {
    fn drop(&mut self) {
        self.0.buffers.fetch_sub(TLS_BYTES, Ordering::Relaxed);
    }
}

/// A request in hand; dropped when its answer is in hyper's hands, or with the request.
pub(super) struct InHand(Arc<Activity>);

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.enter(Phase::Idle);
        self.0.in_hand.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The deadlines that the watchdog keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    pub(super) first_byte: Duration,
    pub(super) header: Duration,
    pub(super) idle: Duration,
}

impl Deadlines {
    pub(super) fn of(listen: &Listen) -> Self {
        Self {
            first_byte: listen.first_byte_timeout,
            header: listen.header_timeout,
            idle: listen.idle_timeout,
        }
    }
}

/// Fires when a connection has overstayed a phase. To be polled whenever the connection was.
pub(super) struct Watchdog {
    activity: Arc<Activity>,
    limits: Deadlines,
    timer: Pin<Box<Sleep>>,
}

impl Watchdog {
    pub(super) fn new(activity: Arc<Activity>, limits: Deadlines) -> Self {
        let timer = Box::pin(tokio::time::sleep_until(activity.accepted + limits.first_byte));
        Self { activity, limits, timer }
    }

    /// The phase that was overstayed.
    pub(super) fn poll_overstayed(&mut self, cx: &mut Context<'_>) -> Poll<Phase> {
        loop {
            let due = self.activity.deadline(&self.limits);
            if let Some((_, at)) = due
                && at < self.timer.deadline()
            {
                self.timer.as_mut().reset(at);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let next = match due {
                Some((phase, at)) if at <= self.timer.deadline() => return Poll::Ready(phase),
                Some((_, at)) => at,
                // a request in hand has no deadline here; whatever follows it has one at least this far off, or a
                // nearer one that the next poll sees
                None => Instant::now() + self.limits.idle,
            };
            self.timer.as_mut().reset(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_and_their_buffers_are_added_up_while_they_are_open() {
        let port = Arc::new(WritePort::default());
        let open: Vec<_> = (0..3).map(|_| Activity::new(None, None, Arc::clone(&port))).collect();
        let empty = port.connection_bytes();
        for room in [8 << 10, 16 << 10, 4 << 10] {
            open.iter().for_each(|activity| activity.read_into(room));
        }
        assert!(empty > 0);
        assert_eq!(port.connection_bytes(), empty + 3 * (16 << 10), "a buffer does not shrink");
        drop(open);
        assert_eq!(port.connection_bytes(), 0);
    }
}
