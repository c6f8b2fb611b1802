//! The listening socket.

use std::io;
use std::net::{SocketAddr, TcpListener};

use super::files::{FileLimit, raise_file_limit};
use crate::config::Listen;
use crate::socket;

/// A socket that listens, not yet served: connections wait in its backlog.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    files: FileLimit,
}

/// Why the write port could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} (listen.address): {}", socket::explain(.source))]
pub struct BindError {
    /// What was asked for.
    pub address: SocketAddr,
    /// What the system said.
    pub source: io::Error,
}

/// Opens the write port and raises the process' soft file limit. Needs no runtime.
pub fn bind(listen: &Listen) -> Result<Listener, BindError> {
    let files = raise_file_limit();
    match socket::listen(listen.address, listen.backlog) {
        Ok(socket) => Ok(Listener { socket, files }),
        Err(source) => Err(BindError { address: listen.address, source }),
    }
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
