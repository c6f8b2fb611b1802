//! The `seriesgate-loadtest` binary.

fn main() -> std::process::ExitCode {
    seriesgate_loadtest::cli::main()
}
