//! The `reconciler` binary. Everything is in the library, so that tests can reach it.

fn main() -> std::process::ExitCode {
    partner_zones::cli::main().into()
}
