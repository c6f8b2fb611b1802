//! The listening socket.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use super::files::{FileLimit, raise_file_limit};
use crate::config::Listen;

/// A socket that listens, not yet served: connections wait in its backlog.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    files: FileLimit,
}

/// Why the write port could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} (listen.address): {}", explain(.source))]
pub struct BindError {
    /// What was asked for.
    pub address: SocketAddr,
    /// What the system said.
    pub source: io::Error,
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another process already listens there".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
        io::ErrorKind::PermissionDenied => "not permitted (ports below 1024 need a privilege)".to_owned(),
        _ => error.to_string(),
    }
}

/// Opens the write port and raises the process' soft file limit. Needs no runtime.
pub fn bind(listen: &Listen) -> Result<Listener, BindError> {
    let files = raise_file_limit();
    match open(listen.address, listen.backlog) {
        Ok(socket) => Ok(Listener { socket, files }),
        Err(source) => Err(BindError { address: listen.address, source }),
    }
}

fn open(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // a restarted gate must not wait for the last one's connections to time out
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

impl Listener {
    /// Where it listens; with port 0 in the config, the port the system chose.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// What became of the file limit.
    pub fn file_limit(&self) -> FileLimit {
        self.files
    }

    /// The same socket, inside a runtime.
    pub(super) fn into_tokio(self) -> io::Result<tokio::net::TcpListener> {
        tokio::net::TcpListener::from_std(self.socket)
    }
}
