//! The commands as scripts and people run them: arguments, outputs, exit codes, and the texts that are made from tables.

#[path = "../common/commands.rs"]
mod commands;
#[cfg(target_os = "linux")]
#[path = "../common/name_server.rs"]
mod name_server;
#[cfg(target_os = "linux")]
#[path = "../common/namespace.rs"]
mod namespace;
#[path = "../common/program.rs"]
mod program;
#[cfg(target_os = "linux")]
#[path = "../common/program_copy.rs"]
mod program_copy;
#[path = "../common/schema.rs"]
mod schema;
#[cfg(target_os = "linux")]
#[path = "../common/pty.rs"]
#[allow(dead_code, reason = "one test needs a terminal; the others of this file are in tests/pty")]
mod session;
#[path = "../common/skip.rs"]
mod skip;

mod article;
mod check;
mod ci_scripts;
mod completions;
mod config;
mod diff;
mod examples;
mod exit_codes;
mod explain;
mod few_descriptors;
mod golden;
mod guarded_files;
mod habits;
mod help;
mod hosts;
mod ignore;
mod list_groups;
mod list_scripting;
mod man;
mod metrics;
mod metrics_assets;
mod names;
mod netstat;
mod netstat_shell;
mod readable;
mod readme;
mod recorded_moments;
mod recorder;
mod schemas;
mod shell;
mod streams;
mod suggestions;
mod transient_failures;
mod watch;
