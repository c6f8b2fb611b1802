//! A socket that listens: of the write port and of the admin port.
//!
//! `[::]` stands for all addresses. It takes IPv4, too, whatever `net.ipv6.bindv6only` says, and where the machine has no IPv6 it is
//! `0.0.0.0`: so one config does for clusters of either kind, and of both.
//!
//! A socket that a service manager opened for us is used in place of one of our own (systemd's socket activation): it is open before we
//! begin and after we end, so connections wait while one gate takes the place of another.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use std::sync::LazyLock;

use listenfd::ListenFd;
use parking_lot::Mutex;
use socket2::{Domain, Protocol, Socket, Type};

/// What a service manager opened and nobody took yet.
static INHERITED: LazyLock<Mutex<Vec<TcpListener>>> = LazyLock::new(|| Mutex::new(inherited()));

/// Opens a socket that does not block; connections wait in its backlog.
///
/// # Errors
/// As the operating system says.
pub(crate) fn listen(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    if let Some(socket) = take_inherited(&mut INHERITED.lock(), address) {
        socket.set_nonblocking(true)?;
        tracing::info!(%address, "using the socket that the service manager opened");
        return Ok(socket);
    }
    on_what_there_is(address, |address| open(address, backlog))
}

/// The sockets of TCP that `LISTEN_FDS` is about.
fn inherited() -> Vec<TcpListener> {
    let mut all = ListenFd::from_env();
    (0..all.len()).filter_map(|at| all.take_tcp_listener(at).ok().flatten()).collect()
}

/// The one of them that listens there.
fn take_inherited(sockets: &mut Vec<TcpListener>, address: SocketAddr) -> Option<TcpListener> {
    let everywhere = |address: SocketAddr| address.ip().is_unspecified();
    let is_there = |socket: &TcpListener| {
        let listens = socket.local_addr();
        listens.is_ok_and(|at| {
            at == address || (at.port() == address.port() && everywhere(at) && everywhere(address))
        })
    };
    if let Some(at) = sockets.iter().position(is_there) {
        return Some(sockets.swap_remove(at));
    }
    if !sockets.is_empty() {
        let opened: Vec<String> =
            sockets.iter().flat_map(TcpListener::local_addr).map(|at| at.to_string()).collect();
        tracing::warn!(%address, "the service manager opened {}, and nothing here", opened.join(" and "));
    }
    None
}

/// Why it could not be opened.
pub(crate) fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another process already listens there".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
        io::ErrorKind::PermissionDenied => "not permitted (ports below 1024 need a privilege)".to_owned(),
        _ => error.to_string(),
    }
}

fn on_what_there_is<T>(address: SocketAddr, open: impl Fn(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    match open(address) {
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && is_without_ipv6(&error) => {
            let instead = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
            tracing::info!(%address, %instead, "this machine has no IPv6: listening on all addresses of IPv4");
            open(instead)
        }
        opened => opened,
    }
}

/// The kernel was built or started without it, or it is switched off for all interfaces.
fn is_without_ipv6(error: &io::Error) -> bool {
    let family = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    error.raw_os_error() == Some(family) || error.kind() == io::ErrorKind::AddrNotAvailable
}

fn open(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.ip() == Ipv6Addr::UNSPECIFIED {
        socket.set_only_v6(false)?;
    }
    // a restarted gate must not wait for the last one's connections to time out
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpStream, ToSocketAddrs};

    use super::*;

    fn everywhere() -> SocketAddr {
        SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0)
    }

    #[test]
    fn all_addresses_are_those_of_ipv4_too() {
        let socket = listen(everywhere(), 16).unwrap();
        let bound = socket.local_addr().unwrap();
        let to = |ip: &str| (ip, bound.port()).to_socket_addrs().unwrap().next().unwrap();
        let wait = std::time::Duration::from_secs(5);
        assert!(TcpStream::connect_timeout(&to("127.0.0.1"), wait).is_ok(), "{bound}");
        // where the machine that runs the test has no IPv6 there is nothing to connect to
        if bound.is_ipv6() && std::net::UdpSocket::bind("[::1]:0").is_ok() {
            assert!(TcpStream::connect_timeout(&to("::1"), wait).is_ok(), "{bound}");
        }
    }

    #[test]
    fn an_inherited_socket_is_taken_where_it_listens_at_the_address_and_once() {
        let open = |text: &str| listen(text.parse().unwrap(), 16).unwrap();
        let (one, other) = (open("127.0.0.1:0"), open("[::]:0"));
        let [at_one, at_other] = [&one, &other].map(|socket| socket.local_addr().unwrap());
        let mut sockets = vec![one, other];
        let elsewhere = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), at_other.port());
        assert!(take_inherited(&mut sockets, elsewhere).is_none(), "that is not all addresses");
        let everywhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), at_other.port());
        assert_eq!(take_inherited(&mut sockets, everywhere).unwrap().local_addr().unwrap(), at_other);
        assert_eq!(take_inherited(&mut sockets, at_one).unwrap().local_addr().unwrap(), at_one);
        assert!(take_inherited(&mut sockets, at_one).is_none());
    }

    #[test]
    fn without_ipv6_all_addresses_are_those_of_ipv4() {
        let no_ipv6 = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
        let none = |address: SocketAddr| match address.is_ipv6() {
            true => Err(io::Error::from_raw_os_error(no_ipv6)),
            false => Ok(address),
        };
        let opened = on_what_there_is("[::]:9201".parse().unwrap(), none).unwrap();
        assert_eq!(opened, "0.0.0.0:9201".parse().unwrap());
        // an address that somebody chose is never another one
        for chosen in ["[::1]:9201", "[fd00::1]:9201"] {
            let error = on_what_there_is(chosen.parse().unwrap(), none).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(no_ipv6));
        }
        let taken = |_| Err::<(), _>(io::Error::from(io::ErrorKind::AddrInUse));
        let error = on_what_there_is(everywhere(), taken).unwrap_err();
        assert_eq!(explain(&error), "another process already listens there");
    }
}
