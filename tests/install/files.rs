//! What is installed beside the program agrees with it: unit, config, image, and what the package holds.

use std::time::Duration;

use seriesgate::config::Config;

use super::{repository, said};

const UNIT: &str = "deploy/systemd/seriesgate.service";
const CONFIG: &str = "deploy/deb/seriesgate.yaml";

fn text(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All values of a key of the unit.
fn unit(key: &str) -> Vec<String> {
    let text = text(UNIT);
    let values = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    values.map(str::to_owned).collect()
}

fn one(key: &str) -> String {
    let [value] = <[String; 1]>::try_from(unit(key)).unwrap_or_else(|values| panic!("{key}: {values:?}"));
    value
}

fn seconds(key: &str) -> Duration {
    let value = one(key);
    let (number, unit) = value.split_at(value.find(|c: char| c.is_ascii_alphabetic()).unwrap());
    let unit = if unit == "min" { 60 } else { 1 };
    Duration::from_secs(number.parse::<u64>().unwrap() * unit)
}

/// The config of the package, and of `config/`.
fn config(path: &str) -> Config {
    Config::load(&repository(path), &|_| Some("set".to_owned())).unwrap().config
}

#[test]
fn the_config_of_the_package_is_good_and_raises_no_warning() {
    let path = repository(CONFIG);
    let checked = said(&["check", "--strict", path.to_str().unwrap()]);
    assert!(checked.contains("ok, 0 policies") && checked.lines().count() == 1, "{checked}");
    assert_eq!(config(CONFIG).data_dir.unwrap().to_str(), Some("/var/lib/seriesgate"));
    assert_eq!(one("StateDirectory"), "seriesgate");
    assert!(config(CONFIG).admin.address.ip().is_loopback(), "it has no password");
}

#[test]
fn the_unit_gives_the_gate_what_it_needs() {
    let config = config(CONFIG);
    assert!(seconds("TimeoutStopSec") >= config.listen.drain_timeout + Duration::from_secs(10));
    let files: usize = one("LimitNOFILE").parse().unwrap();
    let most = self::config("config/gateway.yaml").listen.max_connections.unwrap();
    assert!(files >= 2 * most + 128, "a connection takes two files: {files} for {most}");
    // a config that is refused exits 2, and is no better when it is read again
    assert_eq!(one("RestartPreventExitStatus"), "2");
    assert_eq!((one("Type"), one("Restart")), ("notify".to_owned(), "on-failure".to_owned()));
    assert!(seconds("WatchdogSec") >= Duration::from_secs(10));
}

#[test]
fn commands_and_files_of_the_unit_are_those_of_the_package() {
    let manifest = text("Cargo.toml");
    let config = "/etc/seriesgate/seriesgate.yaml";
    assert_eq!(one("ExecStart"), format!("/usr/bin/seriesgate run --config {config}"));
    assert_eq!(
        unit("ExecReload"),
        [
            format!("/usr/bin/seriesgate check --config {config}"),
            "/bin/sh -c \"kill -HUP $MAINPID\"".to_owned()
        ]
    );
    let assets = assets(&manifest);
    let installed = |path: &str| assets.iter().any(|(_, to)| to == path);
    for path in ["usr/bin/", config.trim_start_matches('/'), "etc/default/seriesgate"] {
        assert!(installed(path), "{path}: {assets:?}");
    }
    assert_eq!(one("EnvironmentFile"), "-/etc/default/seriesgate");
    // what the docs say of the unit for the static program
    let named = text(UNIT).lines().filter(|line| line.contains("=/usr/bin/seriesgate ")).count();
    assert_eq!(named, 2, "docs/install.md: `sed` changes two lines");
    assert_eq!(text(UNIT).matches("/usr/bin/seriesgate").count(), 2, "one in each line");
    let docs = text("docs/install.md");
    assert!(docs.contains("ExecReload=/bin/sh -c \"kill -HUP $MAINPID\"\n"), "as in the unit");
}

/// Source and destination of what the package holds.
fn assets(manifest: &str) -> Vec<(String, String)> {
    let list = manifest.split("\nassets = [\n").nth(1).unwrap().split("\n]").next().unwrap();
    let lines = list.lines().map(str::trim).filter(|line| line.starts_with('['));
    lines
        .map(|line| {
            let parts: Vec<&str> = line.split('"').collect();
            (parts[1].to_owned(), parts[3].to_owned())
        })
        .collect()
}

#[test]
fn what_the_package_takes_from_the_repository_is_there() {
    let assets = assets(&text("Cargo.toml"));
    assert!(assets.len() > 10, "{assets:?}");
    for (from, _) in assets.iter().filter(|(from, _)| !from.starts_with("target/")) {
        let (dir, name) = from.rsplit_once('/').unwrap_or((".", from));
        let found = match name.strip_prefix('*') {
            Some(end) => std::fs::read_dir(repository(dir))
                .unwrap()
                .any(|entry| entry.unwrap().file_name().to_str().unwrap().ends_with(end)),
            None => repository(from).is_file(),
        };
        assert!(found, "{from}");
    }
}

/// Arguments of a line in exec form.
fn exec_form(line: &str) -> Vec<String> {
    serde_json::from_str(&line[line.find('[').unwrap()..]).unwrap()
}

#[test]
fn the_image_runs_the_program_as_nobody_and_asks_it_how_it_is() {
    let dockerfile = text("deploy/image/Dockerfile");
    let last = dockerfile.rsplit("\nFROM ").next().unwrap();
    let line =
        |start: &str| last.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start}"));
    assert_eq!(last.lines().next(), Some("scratch"), "no shell, nothing but the program");
    assert_eq!(line("USER"), "USER 65532:65532");
    assert_eq!(exec_form(line("ENTRYPOINT")), ["/usr/bin/seriesgate"]);
    assert_eq!(exec_form(line("CMD")), ["run", "--config", "/etc/seriesgate/seriesgate.yaml"]);
    assert_eq!(exec_form(line("HEALTHCHECK")), ["/usr/bin/seriesgate", "health"]);
    let data = config(CONFIG).data_dir.unwrap();
    assert_eq!(line("VOLUME"), format!("VOLUME {}", data.display()));
    let ports = Config::load(&repository(CONFIG), &|_| None).unwrap().config;
    let expose = format!("EXPOSE {} {}", ports.listen.address.port(), ports.admin.address.port());
    assert_eq!(line("EXPOSE"), expose);
}
