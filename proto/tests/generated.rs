//! The committed code is what the `.proto` files say: regenerated here and compared.
//!
//! `UPDATE=1 cargo test -p seriesgate-proto --test generated` rewrites it.

use std::fs;
use std::path::{Path, PathBuf};

/// What every generated file starts with; rustfmt and clippy keep out of it.
const HEADER: &str = "// Generated from proto/prometheus/*.proto by proto/tests/generated.rs; do not edit.\n";

fn crate_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What is generated: the file, from what, and the name that its package gives it.
const MODULES: [(&str, &str, &str); 2] = [
    ("src/prometheus.rs", "prometheus/remote.proto", "prometheus.rs"),
    ("src/v2.rs", "prometheus/write/v2.proto", "io.prometheus.write.v2.rs"),
];

fn generate(proto: &str, package: &str, into: &Path) -> String {
    let files = protox::compile([proto], [crate_dir()]).expect("the .proto files are well formed");
    prost_build::Config::new().out_dir(into).compile_fds(files).expect("code can be generated");
    let code = fs::read_to_string(into.join(package)).expect("one file for the one package");
    // doc comments come out with trailing blanks where a comment has an empty line
    let body: Vec<&str> = code.lines().skip_while(|line| line.starts_with("//")).map(str::trim_end).collect();
    format!("{HEADER}{}\n", body.join("\n"))
}

#[test]
fn the_committed_code_is_what_the_proto_files_say() {
    let scratch = tempfile::tempdir().expect("a directory to generate into");
    for (file, proto, package) in MODULES {
        let fresh = generate(proto, package, scratch.path());
        let committed = crate_dir().join(file);
        if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
            fs::write(&committed, &fresh).expect("the source directory can be written");
        }
        let current = fs::read_to_string(&committed).unwrap_or_default();
        assert!(
            current == fresh,
            "proto/{file} is stale; run: UPDATE=1 cargo test -p seriesgate-proto --test generated"
        );
    }
}
