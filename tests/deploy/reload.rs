//! A mounted Secret that changes: what the kubelet does with the directory, and what a gate makes of it.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::support::gate::SOON;
use super::support::wait::until;
use super::support::{http, ports};

/// Puts `text` into the directory as a kubelet does: into a directory of its own, to which `..data` leads from one moment
/// to the next.
fn project(mount: &Path, version: &str, text: &str) {
    let dir = mount.join(format!("..{version}"));
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("seriesgate.yaml"), text).unwrap();
    symlink(dir.file_name().unwrap(), mount.join("..data_tmp")).unwrap();
    std::fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    let name = mount.join("seriesgate.yaml");
    if name.symlink_metadata().is_err() {
        symlink("..data/seriesgate.yaml", name).unwrap();
    }
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // it may have ended by itself
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_swapped_is_reloaded_without_a_call() {
    let dir = tempfile::tempdir().unwrap();
    let (write, admin) = (ports::free(), ports::free());
    let config = |policy: &str| {
        format!(
            "listen: {{ address: '{write}' }}\nadmin: {{ address: '{admin}' }}\n\
             upstreams: [ {{ name: primary, url: 'http://127.0.0.1:1/api/v1/write' }} ]\n\
             policies: [ {{ name: {policy}, match: noise, action: drop }} ]\n"
        )
    };
    project(dir.path(), "2026_01_01", &config("first"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_seriesgate"));
    command.args(["run", "--config"]).arg(dir.path().join("seriesgate.yaml"));
    let _gate =
        Running(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());

    let has = async |policy: &str| {
        let url = format!("http://{admin}/api/v1/policies");
        let named = format!("\"name\":\"{policy}\"");
        let look =
            async || http::get(&url).await.is_ok_and(|reply| reply.text.contains(&named)).then_some(());
        until(&format!("the policy {policy} is in force"), SOON, look).await;
    };
    has("first").await;
    project(dir.path(), "2026_01_02", &config("second"));
    std::fs::remove_dir_all(dir.path().join("..2026_01_01")).unwrap();
    has("second").await;
    // what is wrong is noticed and changes nothing, and what comes after it is seen
    project(dir.path(), "2026_01_03", "upstreams: nothing\n");
    let refused = async || {
        let page = http::get(&format!("http://{admin}/metrics"))
            .await
            .map_or_else(|_| String::new(), |reply| reply.text);
        page.contains("seriesgate_config_reloads_total{result=\"failed\"} 1").then_some(())
    };
    until("the mistake is noticed", SOON, refused).await;
    has("second").await;
    project(dir.path(), "2026_01_04", &config("fourth"));
    has("fourth").await;
}
