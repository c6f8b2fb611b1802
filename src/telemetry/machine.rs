//! What the kernel says of the process, under the names that Prometheus' own libraries give it, and of the queues of the
//! sockets that listen. Read when somebody scrapes; where `/proc` is not there the metrics are not either.

use std::fmt::Write;
use std::fs;
use std::sync::OnceLock;

use rustix::process::{Resource, getrlimit};

use super::names::{self, Metric};
use super::text;

/// Appends all of them.
pub(super) fn write(out: &mut String) {
    for (metric, value) in numbers() {
        text::head(out, metric);
        let name = metric.name;
        // a `String` takes all that is written to it
        match value.is_finite() {
            true => writeln!(out, "{name} {value}"),
            false => writeln!(out, "{name} +Inf"),
        }
        .ok();
    }
}

fn numbers() -> Vec<(&'static Metric, f64)> {
    let mut all: Vec<(&'static Metric, f64)> = Vec::with_capacity(9);
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    if let Some(stat) = read("/proc/self/stat").as_deref().and_then(Stat::parse) {
        // the time of the boot is reckoned anew whenever it is read, and may come out as another second
        static START: OnceLock<Option<f64>> = OnceLock::new();
        let booted = || Some(boot_time(&read("/proc/stat")?)? + stat.start_ticks / ticks);
        all.extend([
            (&names::PROCESS_CPU, stat.cpu_ticks / ticks),
            (&names::PROCESS_RESIDENT, stat.resident_pages * rustix::param::page_size() as f64),
            (&names::PROCESS_VIRTUAL, stat.virtual_bytes),
            (&names::PROCESS_THREADS, stat.threads),
        ]);
        all.extend(START.get_or_init(booted).map(|start| (&names::PROCESS_START, start)));
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // the listing's own descriptor is among them
        all.push((&names::PROCESS_OPEN_FDS, open.count().saturating_sub(1) as f64));
        let most = getrlimit(Resource::Nofile).current;
        all.push((&names::PROCESS_MAX_FDS, most.map_or(f64::INFINITY, |most| most as f64)));
    }
    let netstat = read("/proc/self/net/netstat").unwrap_or_default();
    for (metric, name) in
        [(&names::LISTEN_OVERFLOWS, "ListenOverflows"), (&names::LISTEN_DROPS, "ListenDrops")]
    {
        all.extend(of_tcp(&netstat, name).map(|count| (metric, count)));
    }
    all
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// What is used of `/proc/self/stat`.
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_ticks: f64,
    threads: f64,
    start_ticks: f64,
    virtual_bytes: f64,
    resident_pages: f64,
}

impl Stat {
    fn parse(stat: &str) -> Option<Self> {
        // the name of the program may have blanks and brackets in it; the field behind it is the third
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Self {
            cpu_ticks: field(14)? + field(15)?,
            threads: field(20)?,
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

/// When the machine was started, Unix seconds, by `/proc/stat`.
fn boot_time(stat: &str) -> Option<f64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// A counter of TCP in `/proc/net/netstat`, which has a line of names and a line of numbers for each protocol.
fn of_tcp(netstat: &str, name: &str) -> Option<f64> {
    let mut lines = netstat.lines().filter_map(|line| line.strip_prefix("TcpExt:"));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let at = names.split_whitespace().position(|known| known == name)?;
    numbers.split_whitespace().nth(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_be_called_anything() {
        let stat = "26658 (a) 1 (b) R 26621 26621 20786 0 -1 4194304 99 0 0 0 70 30 0 0 20 0 4 0 3568940 3133440 395 1";
        let wanted = Stat {
            cpu_ticks: 100.0,
            threads: 4.0,
            start_ticks: 3_568_940.0,
            virtual_bytes: 3_133_440.0,
            resident_pages: 395.0,
        };
        assert_eq!(Stat::parse(stat), Some(wanted));
        assert_eq!(Stat::parse("26658 (cut) R 1 2"), None);
        assert_eq!(boot_time("cpu  1 2\nbtime 1764489600\nprocesses 9\n"), Some(1_764_489_600.0));
    }

    #[test]
    fn a_counter_is_found_by_its_name_among_those_of_tcp() {
        let netstat = "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 1 22 333\n\
                       IpExt: InNoRoutes ListenDrops\nIpExt: 4 5\n";
        assert_eq!(of_tcp(netstat, "ListenOverflows"), Some(22.0));
        assert_eq!(of_tcp(netstat, "ListenDrops"), Some(333.0));
        assert_eq!(of_tcp(netstat, "ListenSomethingElse"), None);
        assert_eq!(of_tcp("TcpExt: ListenDrops\n", "ListenDrops"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_the_kernel_says_of_this_process_is_likely() {
        let held: Vec<_> = (0..50).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        let now = crate::clock::Clock::system().unix_ms() as f64 / 1000.0;
        let numbers = numbers();
        let of = |metric: &Metric| numbers.iter().find(|(known, _)| known.name == metric.name).unwrap().1;
        assert!((0.0..1e6).contains(&of(&names::PROCESS_CPU)));
        assert!((1e6..1e12).contains(&of(&names::PROCESS_RESIDENT)));
        assert!(of(&names::PROCESS_VIRTUAL) >= of(&names::PROCESS_RESIDENT));
        assert!(of(&names::PROCESS_THREADS) >= 2.0);
        assert!(of(&names::PROCESS_OPEN_FDS) >= held.len() as f64);
        assert!(of(&names::PROCESS_MAX_FDS) >= of(&names::PROCESS_OPEN_FDS));
        let lives = now - of(&names::PROCESS_START);
        assert!((-2.0..3600.0).contains(&lives), "it has lived for {lives} s");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_queue_of_connections_that_is_full_shows() {
        use socket2::{Domain, SockAddr, Socket, Type};
        let counts = || {
            let numbers = numbers();
            let of = |metric: &Metric| numbers.iter().find(|(known, _)| known.name == metric.name);
            Some([of(&names::LISTEN_OVERFLOWS)?.1, of(&names::LISTEN_DROPS)?.1])
        };
        let Some(before) = counts() else { return eprintln!("not run, /proc/self/net/netstat is not there") };
        let socket = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let listener = socket();
        listener.bind(&SockAddr::from(std::net::SocketAddr::from(([127, 0, 0, 1], 0)))).unwrap();
        listener.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        // nobody accepts: one or two find room
        let _waiting: Vec<Socket> = (0..8)
            .map(|_| {
                let client = socket();
                client.set_nonblocking(true).unwrap();
                assert!(client.connect(&address).is_err(), "it is on its way");
                client
            })
            .collect();
        for _ in 0..1000 {
            let now = counts().unwrap();
            if now[0] > before[0] && now[1] > before[1] {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("the kernel counted no overflow: {before:?}, {:?}", counts());
    }
}
