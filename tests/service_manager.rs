//! What systemd is told of the real program, over the datagram socket that `NOTIFY_SOCKET` names.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

#[allow(dead_code)] // the end-to-end tests use the rest
#[path = "support/mod.rs"]
mod support;

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use command_fds::{CommandFdExt as _, FdMapping};
use rustix::process::{Pid, Signal, kill_process};
use seriesgate_proto::{TimeSeries, WriteRequest, encode_snappy};
use support::backend::{Backend, stored};
use support::gate::{self, SOON};
use support::wait::until;
use support::{http, ports};
use tempfile::TempDir;
use tokio::net::UnixDatagram;
use tokio::time::timeout;

/// A gate and the service manager that started it.
struct Service {
    child: Child,
    dir: TempDir,
    socket: UnixDatagram,
    write: SocketAddr,
    admin: SocketAddr,
}

impl Service {
    /// Starts a gate with these variables beside `NOTIFY_SOCKET`.
    fn start(environment: &[(&str, &str)]) -> Self {
        let (write, admin) = (ports::free(), ports::free());
        let (mut command, dir) = gate::command(&config(write, admin, "[]"));
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let command = command.env("NOTIFY_SOCKET", path).envs(environment.iter().copied());
        let child = command.stderr(log).spawn().unwrap();
        Self { child, dir, socket, write, admin }
    }

    /// The next message, a line each.
    async fn told(&self) -> Vec<String> {
        let mut buffer = [0; 4096];
        let length = timeout(SOON, self.socket.recv(&mut buffer)).await.expect("nothing is told").unwrap();
        let text = std::str::from_utf8(&buffer[..length]).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// The messages up to one that has this line.
    async fn told_until(&self, line: &str) -> Vec<Vec<String>> {
        let mut all = Vec::new();
        while !all.iter().flatten().any(|told| told == line) {
            all.push(self.told().await);
        }
        all
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    async fn ends_well(mut self) {
        let child = &mut self.child;
        let status = until("the gate ends", SOON, async || child.try_wait().unwrap()).await;
        let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap();
        assert!(status.success() && !log.contains("panicked"), "{log}");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn config(write: SocketAddr, admin: SocketAddr, policies: &str) -> String {
    format!(
        "listen: {{ address: '{write}' }}\nadmin: {{ address: '{admin}' }}\n\
         upstreams: [ {{ name: primary, url: 'http://127.0.0.1:1/api/v1/write' }} ]\npolicies: {policies}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_when_both_ports_answer_and_says_when_it_stops() {
    let service = Service::start(&[]);
    let told = service.told().await;
    assert_eq!(told[0], "READY=1");
    let (write, admin) = (service.write, service.admin);
    assert_eq!(told[1], format!("STATUS=listening on {write} for remote write, on {admin} for admin"));
    // now, not soon
    for port in [write, admin] {
        assert!(http::is_ok(&format!("http://{port}/-/ready")).await, "{port}");
    }
    service.signal(Signal::TERM);
    let told = service.told().await;
    assert_eq!(told, ["STOPPING=1", "STATUS=finishing the requests in hand"]);
    service.ends_well().await;
}

/// What is told of a reload by SIGHUP.
async fn reload(service: &Service) -> Vec<String> {
    service.signal(Signal::HUP);
    let all = service.told_until("READY=1").await;
    let since = all[0][1].strip_prefix("MONOTONIC_USEC=").map(|usec| usec.parse::<u64>().unwrap());
    assert!(all[0][0] == "RELOADING=1" && since.is_some_and(|usec| usec > 0), "{all:?}");
    assert_eq!(all.last().unwrap(), &["READY=1"]);
    all[1..all.len() - 1].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_begins_and_ends_whatever_becomes_of_it() {
    let service = Service::start(&[]);
    service.told_until("READY=1").await;
    let path = service.dir.path().join("gate.yaml");

    let other = config(service.write, service.admin, "[ { name: none, match: up, action: drop } ]");
    std::fs::write(&path, other).unwrap();
    // a look at the file may have been first
    let told = reload(&service).await.concat();
    assert!(told.starts_with("STATUS=config reloaded"), "{told}");

    std::fs::write(&path, "upstream: []\n").unwrap();
    let told = reload(&service).await.concat();
    assert!(told.starts_with("STATUS=config not reloaded, the running one stays"), "{told}");
    assert!(http::is_ok(&format!("http://{}/-/ready", service.admin)).await);
    service.signal(Signal::TERM);
    service.told_until("STOPPING=1").await;
    service.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signs_of_life_come_while_it_lives_if_they_are_for_it() {
    let service = Service::start(&[("WATCHDOG_USEC", "100000")]);
    service.told_until("READY=1").await;
    for _ in 0..3 {
        assert_eq!(service.told().await, ["WATCHDOG=1"]);
    }
    // none comes from a process that does not run
    service.signal(Signal::STOP);
    let quiet = until("no more signs of life", SOON, async || {
        let next = timeout(std::time::Duration::from_millis(400), service.told()).await;
        next.is_err().then_some(())
    });
    quiet.await;
    service.signal(Signal::CONT);
    assert_eq!(service.told().await, ["WATCHDOG=1"]);
    service.signal(Signal::TERM);
    service.told_until("STOPPING=1").await;
    service.ends_well().await;

    // those of another process
    let service = Service::start(&[("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "1")]);
    let mut all = service.told_until("READY=1").await;
    all.push(reload(&service).await);
    service.signal(Signal::TERM);
    all.extend(service.told_until("STOPPING=1").await);
    assert!(!all.concat().contains(&"WATCHDOG=1".to_owned()), "{all:?}");
    service.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_is_not_there_costs_a_line_in_the_log() {
    let (write, admin) = (ports::free(), ports::free());
    let (mut command, dir) = gate::command(&config(write, admin, "[]"));
    let log = std::fs::File::create(dir.path().join("log")).unwrap();
    let socket = dir.path().join("nobody");
    let child = command.env("NOTIFY_SOCKET", &socket).stderr(log).spawn().unwrap();
    let nobody = UnixDatagram::unbound().unwrap();
    let service = Service { child, dir, socket: nobody, write, admin };
    let ready = format!("http://{admin}/-/ready");
    until("the gate is ready", SOON, async || http::is_ok(&ready).await.then_some(())).await;
    let path = service.dir.path().join("log");
    let logged = async || std::fs::read_to_string(&path).unwrap().contains("NOTIFY_SOCKET").then_some(());
    until("it is logged", SOON, logged).await;
    service.signal(Signal::TERM);
    service.ends_well().await;
}

/// Starts a gate as systemd does that holds these sockets open.
fn start_with(sockets: &[&TcpListener], backend: &str) -> (Child, TempDir) {
    let [write, admin] = [0, 1].map(|at| sockets[at].local_addr().unwrap());
    let text = format!(
        "listen: {{ address: '{write}' }}\nadmin: {{ address: '{admin}' }}\nupstreams: [ {{ name: a, url: '{backend}' }} ]\n"
    );
    let (run, dir) = gate::command(&text);
    // its own number is known to it alone
    let mut command = Command::new("sh");
    command.args(["-c", "LISTEN_PID=$$ exec \"$0\" \"$@\""]).arg(run.get_program()).args(run.get_args());
    command.env("LISTEN_FDS", "2").stdin(Stdio::null()).stdout(Stdio::null());
    let passed = sockets
        .iter()
        .zip(3..)
        .map(|(socket, child_fd)| FdMapping { parent_fd: socket.try_clone().unwrap().into(), child_fd });
    command.fd_mappings(passed.collect()).unwrap();
    let log = std::fs::File::create(dir.path().join("log")).unwrap();
    (command.stderr(log).spawn().unwrap(), dir)
}

#[tokio::test(flavor = "multi_thread")]
async fn with_sockets_that_are_held_for_it_a_restart_refuses_no_connection() {
    let backend = Backend::start(|_| stored()).await;
    let open = || TcpListener::bind("127.0.0.1:0").unwrap();
    let (write, admin) = (open(), open());
    let [at, admin_at] = [&write, &admin].map(|socket| socket.local_addr().unwrap());
    let (mut gate, mut dir) = start_with(&[&write, &admin], &backend.url());
    let ready = format!("http://{admin_at}/-/ready");
    until("it is ready", SOON, async || http::is_ok(&ready).await.then_some(())).await;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let sending = tokio::spawn(async move {
        let mut sent = 0;
        while !stopped.load(Ordering::Relaxed) {
            let request = WriteRequest::of(vec![TimeSeries::named("m", &[]).with_sample(sent * 1000, 1.0)]);
            match http::send(http::write_request(at, encode_snappy(&request))).await {
                Ok(reply) => {
                    assert_eq!(reply.status, 204);
                    sent += 1;
                }
                // closed before it had said anything: a gate that stops does that
                Err(error) => assert!(!error.contains("ConnectionRefused"), "{error}"),
            }
        }
        sent
    });
    for _ in 0..3 {
        kill_process(Pid::from_child(&gate), Signal::TERM).unwrap();
        let status = until("the gate ends", SOON, async || gate.try_wait().unwrap()).await;
        let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
        assert!(
            status.success() && log.contains("using the socket that the service manager opened"),
            "{log}"
        );
        // for a while there is none
        let before = backend.seen().len();
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        assert_eq!(backend.seen().len(), before);
        (gate, dir) = start_with(&[&write, &admin], &backend.url());
        backend.until_seen(before + 20).await;
    }
    stop.store(true, Ordering::Relaxed);
    let sent = sending.await.unwrap();
    assert!(backend.seen().len() >= usize::try_from(sent).unwrap());
    gate.kill().unwrap();
    gate.wait().unwrap();
}
