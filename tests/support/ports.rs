//! Ports for programs that must be told theirs.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below what the kernel gives to outgoing connections, so that none of those takes a port between our look
/// at it and the program's.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// An address on this machine that nobody listens on; each call gives another one.
pub(crate) fn free() -> SocketAddr {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    // runs that share a machine start at different places
    let start = (std::process::id() % 120) as u16 * 100;
    for _ in 0..COUNT {
        let port = FIRST + (start + TAKEN.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no free port from {FIRST} on");
}
