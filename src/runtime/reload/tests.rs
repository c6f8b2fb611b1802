use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::*;
use crate::clock::Clock;
use crate::runtime::Source;
use crate::runtime::parts::Parts;

/// A gate whose config is a file, with policies whose regexes take a while to compile.
struct Bench {
    runtime: Runtime,
    path: PathBuf,
    log: Log,
    _dir: tempfile::TempDir,
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn text(policies: usize) -> String {
    let mut text =
        "upstreams: [ { name: a, url: 'http://127.0.0.1:9/api/v1/write' } ]\npolicies:\n".to_owned();
    for i in 0..policies {
        let matcher = format!(
            "{{__name__=~\"kube_(pod|job)_{i}.+\", pod=~\"team{i}-.+-[0-9]{{8,10}}-[a-z0-9]{{5}}\"}}"
        );
        writeln!(text, "  - {{ name: p{i}, match: '{matcher}', action: drop }}").unwrap();
    }
    text
}

impl Bench {
    fn new(policies: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gate.yaml");
        fs::write(&path, text(policies)).unwrap();
        let source = Source::File(path.clone());
        let loaded = source.load().unwrap().unwrap();
        let parts = Parts::new(&loaded.config, Clock::manual(1_700_000_000_000)).unwrap();
        Self { runtime: Runtime::new(loaded, source, parts), path, log: Log::default(), _dir: dir }
    }

    /// What the watcher does every five seconds; how long it took, and what the log then says.
    fn look(&self) -> (Duration, String) {
        self.logged(|| self.runtime.reload_if_changed())
    }

    fn logged(&self, work: impl FnOnce()) -> (Duration, String) {
        self.log.0.lock().clear();
        let log = self.log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || log.clone()).finish();
        let began = crate::clock::monotonic();
        tracing::subscriber::with_default(subscriber, work);
        let took = Instant::duration_since(&crate::clock::monotonic(), began);
        (took, String::from_utf8(self.log.0.lock().clone()).unwrap())
    }

    /// Reloads so far, good and bad.
    fn reloads(&self) -> [u64; 2] {
        let metrics = self.runtime.registry.render();
        ["ok", "failed"].map(|result| {
            let name = format!("seriesgate_config_reloads_total{{result=\"{result}\"}} ");
            let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
            line.unwrap_or_else(|| panic!("{name} in {metrics}")).parse().unwrap()
        })
    }

    fn set(&self) -> *const PolicySet {
        Arc::as_ptr(&self.runtime.pipeline.policies().set)
    }
}

fn replace(path: &Path, text: &str) {
    fs::remove_file(path).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn where_nothing_changed_nothing_is_read_as_a_config_or_compiled() {
    let bench = Bench::new(200);
    let set = bench.set();
    let mut took = Duration::ZERO;
    for _ in 0..20 {
        // another file of the same content, as Kubernetes does when another key of a ConfigMap changes
        replace(&bench.path, &text(200));
        took += bench.look().0;
    }
    assert_eq!((bench.reloads(), bench.set()), ([0, 0], set));
    let began = crate::clock::monotonic();
    bench.runtime.reload().unwrap();
    let reload = crate::clock::monotonic().duration_since(began);
    assert_eq!((bench.reloads(), bench.set()), ([1, 0], set), "the policies are the same");
    println!("20 looks at 200 policies: {took:?}; one reload of the same: {reload:?}");
    assert!(took < reload, "20 looks take {took:?}, a reload {reload:?}");
    replace(&bench.path, &text(199));
    bench.look();
    assert!(bench.reloads() == [2, 0] && bench.set() != set);
}

#[test]
fn each_reload_that_fails_is_logged_and_the_watcher_tries_again_only_what_changed() {
    let bench = Bench::new(1);
    let broken = |line: &str| format!("{}\n{line}\n", text(1));
    let failed = "config not reloaded, the running one stays";
    replace(&bench.path, &broken("one: 1"));
    let (_, log) = bench.look();
    assert!(log.contains(failed) && log.contains("`one`"), "{log}");
    assert_eq!(bench.look().1, "", "it was said");
    let (_, log) = bench.logged(|| drop(bench.runtime.reload()));
    assert!(log.contains(failed) && log.contains("`one`"), "who asks is told again: {log}");
    replace(&bench.path, &broken("two: 2"));
    let (_, log) = bench.look();
    assert!(log.contains(failed) && log.contains("`two`"), "{log}");
    assert_eq!(bench.reloads(), [0, 3]);
    replace(&bench.path, &text(1));
    assert!(bench.look().1.contains("config reloaded, nothing changed"));
    assert_eq!(bench.reloads(), [1, 3]);
}

#[test]
fn metrics_say_whether_the_last_reload_took_effect_and_when() {
    let bench = Bench::new(1);
    let said = || {
        let metrics = bench.runtime.registry.render();
        ["successful", "success_timestamp_seconds"].map(|what| {
            let name = format!("seriesgate_config_last_reload_{what} ");
            metrics.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse::<f64>().unwrap()
        })
    };
    assert_eq!(said(), [1.0, 1_700_000_000.0], "the start is the first");
    bench.runtime.pipeline.clock().advance_ms(60_000);
    replace(&bench.path, "one: 1\n");
    bench.look();
    assert_eq!(said(), [0.0, 1_700_000_000.0]);
    replace(&bench.path, &text(1));
    bench.look();
    assert_eq!(said(), [1.0, 1_700_000_060.0], "that nothing changed is no failure");
}

#[test]
fn a_config_path_that_blocks_does_not_block_the_gate() {
    let bench = Bench::new(1);
    fs::remove_file(&bench.path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&bench.path).status().unwrap().success());
    let (took, log) = bench.look();
    assert!(log.contains("it is a pipe; expected a regular file"), "{log}");
    assert!(took < Duration::from_secs(4), "it was not waited for: {took:?}");
    assert_eq!(bench.reloads(), [0, 1]);
    assert!(bench.runtime.bypass(true).is_ok());
    replace(&bench.path, &text(2));
    bench.look();
    assert_eq!((bench.reloads(), bench.runtime.pipeline.policies().set.policies().len()), ([1, 1], 2));
}

#[test]
fn what_waits_for_a_restart_is_said_as_long_as_it_waits() {
    let bench = Bench::new(0);
    let upstream = "upstreams: [ { name: a, url: 'http://127.0.0.1:9/api/v1/write' } ]\n";
    let elsewhere = format!("{upstream}listen: {{ address: 127.0.0.1:29301 }}\n");
    for (text, waits) in [(elsewhere.as_str(), true), (elsewhere.as_str(), true), (upstream, false)] {
        fs::write(&bench.path, text).unwrap();
        let said = bench.runtime.reload().unwrap();
        assert_eq!(said.ends_with("takes effect at the next start: listen"), waits, "{said}");
        assert!(waits || said == "config reloaded, nothing changed", "{said}");
    }
}
