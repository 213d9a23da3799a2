//! The `conntop` program; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    conntop::cli::run()
}
